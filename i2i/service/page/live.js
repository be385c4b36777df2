// Pictures while you paint. One request is under way at a time; when its answer comes, the newest map goes out.
//
// An answer is shown if nothing newer was shown and nothing has happened since that it has no part in: while one line is
// drawn every picture on the way is welcome, after an undo or another style the old one is out of date.

import { Refused } from "./refused.js";

export class Live {
  /**
   * request(signal): asks for the picture of how things are now.
   * show(picture): shows it.
   * tell({busy, seconds, problem}): how it goes.
   */
  constructor(request, show, tell) {
    Object.assign(this, { request, show, tell });
    this.newest = 0; // number of the last change
    this.oldest = 0; // answers to changes before this one are out of date
    this.answered = 0;
    this.running = false;
    this.started = false;
  }

  /** All that a picture depends on is there now: asks for the first one. What changed before had to wait for this. */
  start() {
    this.started = true;
    this.changed(true);
  }

  /** Something changed. anew: so that a picture under way is out of date. */
  changed(anew) {
    this.newest += 1;
    if (anew) {
      this.oldest = this.newest;
      this.flight?.abort();
    }
    if (this.started && !this.running) this.#run();
  }

  /** Whether the picture that is shown is that of how things are now. */
  get settled() {
    return this.answered === this.newest;
  }

  async #run() {
    this.running = true;
    this.tell({ busy: true });
    while (!this.settled) await this.#once();
    this.running = false;
    this.tell({ busy: false, seconds: this.seconds, problem: this.problem });
  }

  async #once() {
    const number = this.newest;
    const began = performance.now();
    this.flight = new AbortController();
    this.problem = undefined;
    try {
      const picture = await this.request(this.flight.signal);
      if (number < this.oldest) return;
      this.seconds = (performance.now() - began) / 1000;
      await this.show(picture);
      this.answered = number;
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error instanceof Refused && error.passing) {
        this.tell({ busy: true, problem: error.message });
        await error.over();
        return;
      }
      this.problem = error.message;
      this.answered = number;
      if (!(error instanceof Refused)) reportError(error); // such as an answer that is no picture
    }
  }
}
