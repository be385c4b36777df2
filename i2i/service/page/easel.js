// The map being painted, with everything that changes it.

import { History } from "./history.js";
import { listen } from "./pointing.js";
import { makeTools } from "./tools.js";
import { Overlay, drawMap } from "./view.js";

export class Easel {
  /**
   * parts: {map, canvas, svg, colours, background()}
   * on: {begins(), comesToNothing(), changed(anew), chosen(id), tool(name), place(point)} to be told.
   */
  constructor(parts, on) {
    Object.assign(this, parts, { on });
    this.history = new History(this.map);
    this.overlay = new Overlay(this.svg, this.map);
    this.tools = makeTools({
      map: this.map,
      history: this.history,
      changed: () => this.#changed(false),
      change: (act) => this.change(act),
      begins: () => this.on.begins(),
      comesToNothing: () => this.on.comesToNothing(),
      choose: (id) => this.choose(id),
      get id() { return parts.state.id; },
      get size() { return parts.state.size; },
      get background() { return parts.background(); },
    });
    this.tool = this.tools.brush;
    listen(this.canvas, this.map, this);
    this.draw();
  }

  /** Takes a tool up; what another one has begun is given up. */
  use(name) {
    this.tool.cancel();
    this.tool = this.tools[name];
    this.on.tool(name);
    this.#preview();
  }

  choose(id) {
    this.state.id = id;
    this.on.chosen(id);
  }

  resize(size) {
    this.state.size = size;
    this.#preview();
  }

  /** One change of the map that is made at once. */
  change(act, anew = false) {
    this.history.begin();
    act();
    if (!this.history.commit()) return;
    this.on.begins();
    this.#changed(anew);
  }

  /** Another map of the same size. */
  replace(ids) {
    this.cancel();
    this.change(() => this.map.ids.set(ids), true);
  }

  /** Takes the last change back, or what is only begun, a shape or a stroke. */
  undo() {
    if (!this.cancel()) this.#step(() => this.history.undo());
  }

  redo() {
    this.cancel();
    this.#step(() => this.history.redo());
  }

  // What the pointer does.

  press(point, event) {
    if (event.altKey) {
      this.tools.pick.press(point);
      return;
    }
    this.tool.press(point);
    this.move(point);
  }

  move(point) {
    this.at = point;
    this.tool.move(point);
    this.on.place(point);
    this.#preview();
  }

  release(point) {
    this.tool.release(point);
    this.#preview();
  }

  /** Gives up what is begun; returns whether something was. */
  cancel() {
    const begun = this.tool.cancel();
    this.#preview();
    return begun;
  }

  close() {
    this.tool.close?.();
    this.#preview();
  }

  leave() {
    this.at = null;
    this.on.place(null);
    this.#preview();
  }

  draw() {
    drawMap(this.canvas, this.map, this.colours);
  }

  #step(act) {
    if (!act()) return;
    this.on.begins();
    this.#changed(true);
  }

  #changed(anew) {
    if (!this.drawing) this.drawing = requestAnimationFrame(() => { // once a frame, however many points came
      this.drawing = null;
      this.draw();
    });
    this.on.changed(anew);
  }

  #preview() {
    this.overlay.show(this.at, this.tool);
  }
}
