// What the service refuses, and when to ask again.

const PASSING = [0, 409, 429, 503]; // not there, overtaken, busy, too slow in its turn

/** What the service refused, with its reason and when to try again (seconds). Status 0: no whole answer came. */
export class Refused extends Error {
  constructor(status, reason, retry) {
    super(reason);
    this.status = status;
    this.retry = retry;
  }

  /** Whether the same request may be answered later. */
  get passing() {
    return PASSING.includes(this.status);
  }

  /** Waits until another try makes sense. */
  async over() {
    await new Promise((done) => { setTimeout(done, 1000 * Math.max(0.3, this.retry || 0)); });
  }
}
