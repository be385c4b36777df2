// Several pictures of the map side by side, each in a style of its own.

import { make } from "./dom.js";
import { randomSeed } from "./moods.js";

const NUMBER = 4;

export class Samples {
  /** request(fields, signal): a picture, as a file; adopt(seed, file): its style is chosen. */
  constructor(box, request, adopt) {
    Object.assign(this, { box, request, adopt });
    this.samples = [];
  }

  /** Four others. */
  async draw() {
    this.#stop();
    for (const { image } of this.samples) URL.revokeObjectURL(image.src);
    this.samples = Array.from({ length: NUMBER }, (_, i) => this.#sample(randomSeed(), i + 1));
    this.box.replaceChildren(...this.samples.map(({ tile }) => tile));
    await this.refresh();
  }

  /** The same styles of the map as it is now. The requests go out together, and the service makes them together. */
  async refresh() {
    const late = this.samples.filter(({ tile }) => tile.classList.contains("late"));
    if (this.flight || !late.length) return; // they are on their way, or there
    const flight = new AbortController();
    this.flight = flight;
    const ends = await Promise.allSettled(late.map((sample) => this.#picture(sample, flight.signal)));
    if (this.flight === flight) this.flight = null;
    const failed = ends.find(({ status }) => status === "rejected");
    if (failed) throw failed.reason;
  }

  /** The map has changed: what is shown is of another one. */
  late() {
    this.#stop();
    for (const { tile } of this.samples) tile.classList.add("late");
  }

  /** What a sample is: {seed, tile, image, word, file}. */
  #sample(seed, number) {
    const [image, word] = [make("img", { alt: "" }), make("span", { hidden: true })];
    const tile = make("button", { className: "tile late", title: `Take this style (seed ${seed})` }, image, word);
    tile.setAttribute("aria-label", `Sample ${number}: take its style`);
    const sample = { seed, tile, image, word, file: null };
    tile.addEventListener("click", () => this.adopt(seed, sample.file));
    return sample;
  }

  /** Asks for the picture of a sample until it comes, or is refused for good; the tile has a word for that. */
  async #picture(sample, signal) {
    const say = (text) => Object.assign(sample.word, { textContent: text, hidden: !text });
    say("");
    while (!signal.aborted) {
      try {
        sample.file = await this.request({ seed: sample.seed }, signal);
        if (signal.aborted) return;
        URL.revokeObjectURL(sample.image.src);
        sample.image.src = URL.createObjectURL(sample.file);
        sample.tile.classList.remove("late");
        say("");
        return;
      } catch (error) {
        if (error.name === "AbortError") return;
        say(error.passing ? "waits" : "failed");
        if (!error.passing) throw error;
        await error.over();
      }
    }
  }

  #stop() {
    this.flight?.abort();
    this.flight = null;
  }
}
