// What the pointer does to the map. Each tool takes the points of one gesture: press, move, release.
//
// A gesture is one change in the history. `easel` has the map, its history, the class that is painted, the size of the
// brush, and `changed(done)` to be called when ids have changed. What cancel() returns is whether something was begun.

import { fill, polygon, rectangle, stroke } from "./raster.js";

class Brush {
  constructor(easel, id) {
    this.easel = easel;
    this.id = id;
  }

  get diameter() {
    return this.easel.size;
  }

  press(point) {
    this.easel.begins();
    this.easel.history.begin();
    this.last = point;
    this.move(point);
  }

  move(point) {
    if (!this.last) return;
    stroke(this.easel.map, this.last, point, this.easel.size, this.id());
    this.last = point;
    this.easel.changed(false);
  }

  release() {
    if (!this.last) return;
    this.last = null;
    if (!this.easel.history.commit()) this.easel.comesToNothing();
    this.easel.changed(true);
  }

  cancel() {
    if (!this.last) return false;
    this.last = null;
    this.easel.history.cancel();
    this.easel.comesToNothing();
    this.easel.changed(true);
    return true;
  }
}

class Rectangle {
  constructor(easel) {
    this.easel = easel;
    this.cancel();
  }

  press(point) {
    this.first = point;
    this.move(point);
  }

  move(point) {
    if (!this.first) return;
    const a = this.first;
    this.corners = [a, { x: point.x, y: a.y }, point, { x: a.x, y: point.y }];
  }

  release(point) {
    if (!this.first) return;
    this.easel.change(() => rectangle(this.easel.map, this.first, point, this.easel.id));
    this.cancel();
  }

  cancel() {
    const begun = this.first !== null;
    this.first = null;
    this.corners = [];
    return begun;
  }
}

class Polygon {
  constructor(easel) {
    this.easel = easel;
    this.corners = [];
    this.open = true; // the line goes on to the pointer
  }

  press(point) {
    const near = this.easel.map.width / 40;
    const [first] = this.corners;
    if (this.corners.length > 2 && Math.hypot(first.x - point.x, first.y - point.y) <= near) this.close();
    else this.corners.push(point);
  }

  move() {}

  release() {}

  close() {
    const { corners } = this;
    if (corners.length > 2) this.easel.change(() => polygon(this.easel.map, corners, this.easel.id));
    this.corners = [];
  }

  cancel() {
    const begun = this.corners.length > 0;
    this.corners = [];
    return begun;
  }
}

/** Tools that do their work at once where the pointer is pressed. */
class Click {
  constructor(act) {
    this.press = act;
  }

  move() {}

  release() {}

  cancel() {
    return false;
  }
}

export function makeTools(easel) {
  return {
    brush: new Brush(easel, () => easel.id),
    eraser: new Brush(easel, () => easel.background),
    fill: new Click((point) => easel.change(() => fill(easel.map, point, easel.id))),
    rectangle: new Rectangle(easel),
    polygon: new Polygon(easel),
    pick: new Click((point) => easel.choose(easel.map.at(Math.floor(point.x), Math.floor(point.y)))),
  };
}
