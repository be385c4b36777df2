// What is painted: integer ids, never colours.

/** A box of pixels {x, y, width, height}; null is the empty one. */
export class LabelMap {
  /** ids: a Uint8Array or Uint16Array of width * height, row by row. */
  constructor(width, height, ids) {
    this.width = width;
    this.height = height;
    this.ids = ids;
  }

  has(x, y) {
    return x >= 0 && y >= 0 && x < this.width && y < this.height;
  }

  at(x, y) {
    return this.ids[y * this.width + x];
  }

  get whole() {
    return { x: 0, y: 0, width: this.width, height: this.height };
  }

  /** A copy of the ids in a box. */
  cut({ x, y, width, height }) {
    const part = new this.ids.constructor(width * height);
    for (let row = 0; row < height; row += 1) {
      const start = (y + row) * this.width + x;
      part.set(this.ids.subarray(start, start + width), row * width);
    }
    return part;
  }

  /** Puts such a copy back. */
  paste({ x, y, width, height }, part) {
    for (let row = 0; row < height; row += 1) {
      this.ids.set(part.subarray(row * width, (row + 1) * width), (y + row) * this.width + x);
    }
  }

  /** The smallest box around all pixels that differ from earlier ids of this map, or null. */
  changedSince(ids) {
    let [left, top, right, bottom] = [this.width, this.height, -1, -1];
    for (let y = 0, i = 0; y < this.height; y += 1) {
      for (let x = 0; x < this.width; x += 1, i += 1) {
        if (ids[i] === this.ids[i]) continue;
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = y;
      }
    }
    return right < 0 ? null : { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
  }
}
