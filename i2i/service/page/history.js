// Undo and redo: of every change the part of the map that it changed, before and after.

const MOST = 300;

export class History {
  constructor(map) {
    this.map = map;
    this.done = [];
    this.undone = [];
    this.start = null;
  }

  /** Remember the map as it is; what follows is one change. */
  begin() {
    this.start = this.map.ids.slice();
  }

  /** The change is made; returns whether it changed anything. */
  commit() {
    const box = this.start && this.map.changedSince(this.start);
    if (box) {
      const before = new this.map.constructor(this.map.width, this.map.height, this.start).cut(box);
      this.done = [...this.done.slice(1 - MOST), { box, before, after: this.map.cut(box) }];
      this.undone = [];
    }
    this.start = null;
    return Boolean(box);
  }

  /** Back to where the change began. */
  cancel() {
    if (this.start) this.map.ids.set(this.start);
    this.start = null;
  }

  undo() {
    return this.#move(this.done, this.undone, "before");
  }

  redo() {
    return this.#move(this.undone, this.done, "after");
  }

  #move(from, to, which) {
    const change = this.start ? undefined : from.pop();
    if (!change) return false;
    this.map.paste(change.box, change[which]);
    to.push(change);
    return true;
  }
}
