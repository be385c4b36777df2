// Several pictures of the map side by side, each in a style of its own.

import { make } from "./dom.js";
import { randomSeed } from "./moods.js";

const NUMBER = 4;

export class Samples {
  /** request(fields, signal): a picture; adopt(seed, image): its style is chosen. */
  constructor(box, request, adopt) {
    Object.assign(this, { box, request, adopt });
    this.seeds = [];
  }

  /** Four others. */
  draw() {
    this.seeds = Array.from({ length: NUMBER }, randomSeed);
    this.tiles = this.seeds.map((seed, i) => {
      const tile = make("button", { className: "tile late", title: `Take this style (seed ${seed})` }, make("img", { alt: "" }));
      tile.setAttribute("aria-label", `Sample ${i + 1}: take its style`);
      tile.addEventListener("click", () => this.adopt(seed, tile.firstChild.src));
      return tile;
    });
    this.box.replaceChildren(...this.tiles);
    return this.refresh();
  }

  /** The same styles of the map as it is now. The requests go out together, and the service makes them together. */
  async refresh() {
    this.stop();
    if (!this.seeds.length) return;
    this.flight = new AbortController();
    const { signal } = this.flight;
    await Promise.allSettled(this.seeds.map(async (seed, i) => {
      const picture = await this.request({ seed }, signal);
      if (signal.aborted) return;
      const image = this.tiles[i].firstChild;
      image.src = URL.createObjectURL(picture);
      this.tiles[i].classList.remove("late");
    }));
  }

  /** The map has changed: what is shown is of another one. */
  late() {
    this.stop();
    for (const tile of this.tiles ?? []) tile.classList.add("late");
  }

  stop() {
    this.flight?.abort();
  }
}
