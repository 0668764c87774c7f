// Is what the page shows the present? One stream for what is new and one small regular request,
// since a broken line can look like a silent one.

import {loginPath} from "./api.js";
import {lineOf} from "./line.js";

const interval = 5000; // ms between two regular requests
const hiddenInterval = 60_000; // ms, in a tab nobody looks at: enough for its title
const longestInterval = 30_000; // ms, while the server is away
const grace = 2500; // ms a cut may last before the page says so: a reconnect takes about one
const patience = 1500; // ms to wait for the stream before the first request
const slept = 30_000; // ms a timer may be late; more and the machine slept: the line may be dead
const fatal = [401, 403]; // asking again changes nothing
const gone = 404; // until a trainer registers the run again, with a Redis that came back empty
const browser = {
  setTimeout: (...args) => setTimeout(...args),
  clearTimeout: (id) => clearTimeout(id),
  now: () => Date.now(),
  clock: () => performance.now(), // that nobody sets back
  hidden: () => document.hidden,
  onVisibility: (listener) => {
    document.addEventListener("visibilitychange", listener);
    return () => document.removeEventListener("visibilitychange", listener);
  },
  logIn: () => location.assign(loginPath(location))
};

export class Connection {
  // run: whose events; null is the list's. poll: the regular request. load: everything that events
  // only add to; runs after poll whenever events may have been missed, and is told until when.
  // onHealth: called when health changed.
  constructor({run, poll, load, onEvent, onHealth}, env = browser, openLine = lineOf) {
    Object.assign(this, {poll, load, onHealth, env});
    this.stream = openLine(run, {
      onEvent,
      onFresh: () => this.refresh(),
      onState: (open) => this.setOpen(open)
    });
    this.health = {state: "loading", since: env.now() / 1000, reason: ""};
    this.missing = true; // load has to run
    this.missedUntil = env.clock();
    this.failures = 0;
    this.cutSince = env.now();
    this.failure = null;
  }

  start() {
    this.stopWatching = this.env.onVisibility(() => this.setHidden(this.env.hidden()));
    this.setOpen(false);
    this.stream.open();
    this.beatIn(patience);
  }

  stop() {
    this.stopped = true;
    this.stopWatching?.();
    this.stream.close();
    this.env.clearTimeout(this.timer);
    this.env.clearTimeout(this.graceTimer);
  }

  // Nobody looks at a tab in the background: it gives its line back.
  setHidden(hidden) {
    if (this.stopped) return;
    if (hidden) {
      this.stream.close();
      this.setOpen(false);
      this.env.clearTimeout(this.graceTimer);
    } else {
      this.stream.open();
      this.beatIn(patience);
    }
  }

  setOpen(open) {
    this.cutSince = open ? null : (this.cutSince ?? this.env.now());
    this.env.clearTimeout(this.graceTimer);
    if (!open) this.graceTimer = this.env.setTimeout(() => this.judge(), grace);
    else if (this.failures) this.beat(); // the server is back before the next request was due
    this.judge();
  }

  refresh() {
    this.miss();
    this.beat();
  }

  miss() {
    this.missing = true;
    this.missedUntil = this.env.clock();
  }

  beatIn(delay) {
    this.env.clearTimeout(this.timer);
    this.due = this.env.now() + delay;
    this.timer = this.env.setTimeout(() => this.beat(), delay);
  }

  async beat() {
    if (this.beating) return void (this.again = true);
    this.beating = true;
    const late = this.env.now() - this.due > slept;
    try {
      await this.ask();
      // the line may have died with the server or in the sleep without a word
      if ((this.failures > 0 || late) && this.cutSince === null && !this.stopped) {
        this.stream.open();
      }
      this.failures = 0;
      this.failure = null;
    } catch (error) {
      this.fail(error);
    }
    this.beating = false;
    this.judge();
    if (this.stopped) return;
    this.beatIn(this.again ? 0 : this.nextDelay());
    this.again = false;
  }

  async ask() {
    try {
      await this.poll();
    } catch (error) {
      if (fatal.includes(error.status)) this.stop();
      if (error.status === 401) this.env.logIn();
      throw error;
    }
    if (!this.missing) return;
    this.missing = false; // before the request: an event stream opened meanwhile sets it again
    await this.load(this.missedUntil);
    this.loaded = true;
  }

  fail(error) {
    if (error.status === undefined) console.error(error); // a mistake in the page itself
    this.miss();
    this.failures += 1;
    const since = this.failure?.since ?? this.env.now();
    this.failure = {status: error.status, reason: error.message, since};
  }

  nextDelay() {
    if (this.failures) return Math.min(interval * 2 ** (this.failures - 1), longestInterval);
    return this.env.hidden() ? hiddenInterval : interval;
  }

  judge() {
    const health = this.healthNow();
    const {state, reason} = this.health;
    this.health = health;
    if (health.state !== state || health.reason !== reason) this.onHealth(health);
  }

  healthNow() {
    const {failure, cutSince, loaded} = this;
    const now = this.env.now();
    if (failure) {
      const shown = loaded && !this.stopped && failure.status !== gone;
      const state = shown ? "stale" : "error";
      const since = Math.min(failure.since, cutSince ?? Infinity) / 1000;
      return {state, since, status: failure.status, reason: failure.reason};
    }
    if (!loaded) return {state: "loading", since: this.health.since, reason: ""};
    if (cutSince !== null && now - cutSince >= grace && !this.env.hidden()) {
      return {state: "stale", since: cutSince / 1000, status: 0, reason: "The live line is cut."};
    }
    return {state: "live", since: this.health.since, reason: ""};
  }
}
