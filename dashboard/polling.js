// Keeps a run that is only compared up to date without a stream: a browser has few connections.

const interval = 10_000; // ms
const rareInterval = 60_000; // ms, of a run that does not train: it may be heard again, or resumed

export class Polling {
  // isLive(): whether it trains
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

  // Something did not come: another turn, in its time.
  refresh() {
    this.wait(interval);
  }

  wait(milliseconds) {
    this.cancel(this.timer);
    if (!this.stopped) this.timer = this.later(() => this.turn(), milliseconds);
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
    this.wait(this.health.state === "error" || this.isLive() ? interval : rareInterval);
  }
}
