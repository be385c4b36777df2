// Before and after: another picture over the left part of the picture, as far as the handle is drawn.

import { byId, make } from "./dom.js";
import { drawMap } from "./view.js";

const copy = (from, to) => {
  to.width = from.width;
  to.height = from.height;
  to.getContext("2d").drawImage(from, 0, 0);
};

export class Compare {
  constructor(picture, map, colours) {
    Object.assign(this, { picture, map, colours });
    for (const kept of ["stroke", "earlier", "pinned"]) this[kept] = make("canvas", { width: 0 }); // nothing yet
    this.what = byId("before-what");
    this.split = byId("split");
    this.on = false;
    this.split.addEventListener("input", () => this.#place());
    this.what.addEventListener("change", () => this.show());
  }

  /** A change begins: the picture as it is now is the one before. */
  remember() {
    [this.stroke, this.earlier] = [this.earlier, this.stroke];
    copy(this.picture, this.stroke);
  }

  /** The change that began has changed nothing: the last one is the one before it. */
  forget() {
    [this.stroke, this.earlier] = [this.earlier, this.stroke];
    this.show();
  }

  pin() {
    copy(this.picture, this.pinned);
    this.what.value = "pinned";
    this.show();
  }

  toggle() {
    this.on = !this.on;
    byId("compare").setAttribute("aria-pressed", this.on);
    for (const id of ["before", "split", "before-what", "pin"]) byId(id).hidden = !this.on;
    this.#place();
    this.show();
  }

  /** Brings the picture before up to date. */
  show() {
    if (!this.on) return;
    const before = byId("before");
    if (this.what.value === "map") drawMap(before, this.map, this.colours);
    else {
      const kept = this.what.value === "pinned" ? this.pinned : this.stroke;
      copy(kept.width === this.picture.width ? kept : this.picture, before);
    }
  }

  #place() {
    byId("before").style.setProperty("--split", `${this.split.value}%`);
  }
}
