// Keeps Python's buttons in step with the run. Python renders a status; the stream may know better (the run finished,
// diverged, was paused elsewhere). Then Python must run again - but not when it already says the same. Only a timer, no
// DOM.

// After a click Python may render the new status before the stream has it, or after: give both this long to agree.
// The stream is at most a frame behind; a button that lags longer would be pressed in vain.
const PATIENCE_MS = 300;

export class StatusFollower {
  #report;
  #rendered;
  #streamed;
  #timer;

  /** @param {(status: string) => void} report tells Python; called once per change */
  constructor(report) {
    this.#report = report;
  }

  /** What Python has rendered, at its every run. */
  rendered(status) {
    if (status === this.#rendered) return;
    this.#rendered = status;
    this.#patiently();
  }

  /** What a frame says. */
  streamed(status) {
    if (status === this.#streamed) return;
    this.#streamed = status;
    clearTimeout(this.#timer);
    this.#compare();
  }

  /** Forgets the stream: another run follows. */
  reset() {
    clearTimeout(this.#timer);
    this.#streamed = undefined;
  }

  #patiently() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#compare(), PATIENCE_MS);
  }

  #compare() {
    if (this.#streamed !== undefined && this.#streamed !== this.#rendered) this.#report(this.#streamed);
  }
}
