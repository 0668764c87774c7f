// One EventSource that comes back: by the browser when the line broke (it sends Last-Event-ID and
// nothing is missed), by itself when the server refused, then as a new stream after which all that
// is shown must be fetched again.

const firstDelay = 1000; // ms before the first new attempt
const longestDelay = 30_000; // ms
const closed = 2; // EventSource.CLOSED: the browser has given up
const types = ["start", "points", "alert", "status", "stop", "thinned"];
export const browser = {
  open: (path) => new EventSource(path),
  setTimeout: (...args) => setTimeout(...args),
  clearTimeout: (id) => clearTimeout(id),
  random: Math.random
};

export class Stream {
  // getPath(): at each opening. onFresh(id): events before this moment may be missing; id "" where
  // the stream is new. onEvent(type, data, id). onState: true when open, false when cut.
  constructor(getPath, {onFresh, onEvent, onState}, env = browser) {
    Object.assign(this, {getPath, onFresh, onEvent, onState, env});
    this.delay = firstDelay;
  }

  open() {
    this.close();
    const source = (this.source = this.env.open(this.getPath()));
    let resumes = false; // no id seen yet: the browser has nothing to resume from
    source.onopen = () => {
      this.delay = firstDelay;
      this.onState(true);
      if (!resumes) this.onFresh("");
    };
    source.onerror = () => {
      this.onState(false);
      if (source.readyState === closed) this.openLater();
    };
    for (const type of types) {
      source.addEventListener(type, (event) => {
        resumes ||= Boolean(event.lastEventId);
        this.onEvent(type, JSON.parse(event.data), event.lastEventId);
      });
    }
    source.addEventListener("reset", (event) => this.onFresh(event.lastEventId));
  }

  openLater() {
    // between half and all of the delay: a hundred pages must not return at the same moment
    const wait = this.delay * (0.5 + this.env.random() / 2);
    this.delay = Math.min(2 * this.delay, longestDelay);
    this.timer = this.env.setTimeout(() => this.open(), wait);
  }

  close() {
    this.env.clearTimeout(this.timer);
    if (this.source) {
      this.source.onopen = this.source.onerror = null;
      this.source.close();
    }
    this.source = null;
  }
}
