// A clock that only tests move, and an event source that only tests speak through.

export class Clock {
  constructor() {
    this.time = 1_000_000; // ms
    this.timers = new Map();
    this.ids = 0;
  }

  env(more = {}) {
    return {
      now: () => this.time,
      clock: () => this.time,
      setTimeout: (run, wait) => {
        this.timers.set(++this.ids, {run, at: this.time + wait});
        return this.ids;
      },
      clearTimeout: (id) => this.timers.delete(id),
      ...more
    };
  }

  // Moves time and runs what is due, letting promises settle in between.
  async pass(milliseconds) {
    const end = this.time + milliseconds;
    for (;;) {
      await settle();
      const due = [...this.timers]
        .filter(([, {at}]) => at <= end)
        .sort((a, b) => a[1].at - b[1].at);
      if (due.length === 0) break;
      const [id, {run, at}] = due[0];
      this.timers.delete(id);
      this.time = Math.max(this.time, at);
      run();
    }
    this.time = end;
    await settle();
  }
}

export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class FakeSource {
  static opened = [];

  constructor(path) {
    this.path = path;
    this.readyState = 0;
    this.listeners = {};
    FakeSource.opened.push(this);
  }

  addEventListener(type, listener) {
    this.listeners[type] = listener;
  }

  close() {
    this.readyState = 2;
    this.closed = true;
  }

  accept() {
    this.readyState = 1;
    this.onopen?.();
  }

  send(type, data = {}, lastEventId = "1-0") {
    this.listeners[type]?.({data: JSON.stringify(data), lastEventId});
  }

  // The browser will try again by itself.
  cut() {
    this.readyState = 0;
    this.onerror?.();
  }

  // The server answered with an error: the browser gives up.
  refuse() {
    this.readyState = 2;
    this.onerror?.();
  }
}

// Rows of a metric; what is not given is plain.
export function columns(step, more = {}) {
  return {
    step,
    epoch: step.map((s) => s / 2),
    time: step.map((s) => 1000 + s),
    value: step.map((s) => s / 10),
    stderr: step.map(() => null),
    n: step.map(() => 1),
    status: step.map(() => "ok"),
    ...more
  };
}
