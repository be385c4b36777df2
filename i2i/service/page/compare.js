// Before and after: another picture over the left part of the picture, as far as the handle is drawn.

import { byId } from "./dom.js";
import { drawMap } from "./view.js";

const copy = (from, to) => {
  to.width = from.width;
  to.height = from.height;
  to.getContext("2d").drawImage(from, 0, 0);
};

export class Compare {
  constructor(picture, map, colours) {
    Object.assign(this, { picture, map, colours });
    this.stroke = document.createElement("canvas");
    this.pinned = document.createElement("canvas");
    this.what = byId("before-what");
    this.split = byId("split");
    this.on = false;
    this.split.addEventListener("input", () => this.#place());
    this.what.addEventListener("change", () => this.show());
  }

  /** A change begins: the picture as it is now is the one before. */
  remember() {
    copy(this.picture, this.stroke);
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
