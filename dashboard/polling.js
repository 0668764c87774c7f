// Keeps a run that is only compared up to date without a stream: a browser has few connections.

const interval = 10_000; // ms

export class Polling {
  // isLive(): whether anything can still change
  constructor({poll, load, onHealth}, isLive, {later = setTimeout, cancel = clearTimeout} = {}) {
    Object.assign(this, {poll, load, onHealth, isLive, health: {state: "loading"}});
    this.later = (...args) => later(...args);
    this.cancel = (timer) => cancel(timer);
  }

  start() {
    this.stopped = false;
    return this.turn();
  }

  stop() {
    this.stopped = true;
    this.cancel(this.timer);
  }

  // Something did not come: another turn, in its time, even when the run is over.
  refresh() {
    this.cancel(this.timer);
    if (!this.stopped) this.timer = this.later(() => this.turn(), interval);
  }

  beat() {}

  async turn() {
    try {
      await this.poll();
      await this.load();
      this.health = {state: "live"};
    } catch (error) {
      this.health = {state: "error", message: error.message};
    }
    if (this.stopped) return;
    this.onHealth(this.health);
    if (this.health.state === "error" || this.isLive()) this.refresh();
  }
}
