// A tab's end of the line that all tabs of this browser share.

import {eventsPath} from "./api.js";
import {Stream} from "./stream.js";

const silence = 16_000; // ms without a sign of life: the worker went with the tab that started it
const name = "sqd-1"; // of the protocol, so that tabs from before an upgrade keep their own worker
const browser = {
  connect: () => new SharedWorker("/static/shared.js", {type: "module", name}),
  setTimeout: (...args) => setTimeout(...args),
  clearTimeout: (id) => clearTimeout(id)
};

// The same as a Stream; without shared workers it is one.
export const lineOf = (run, handlers) =>
  globalThis.SharedWorker ? new Line(run, handlers) : new Stream(() => eventsPath(run), handlers);

export class Line {
  // run: null is the list
  constructor(run, handlers, env = browser) {
    Object.assign(this, {run, handlers, env});
  }

  open() {
    if (this.alone) return this.alone.open();
    if (!this.worker) this.connect();
    this.worker.port.postMessage({open: this.run});
    this.wait();
  }

  connect() {
    this.worker = this.env.connect();
    this.worker.port.onmessage = ({data}) => this.hear(data);
    this.worker.onerror = () => this.leave();
  }

  close() {
    this.alone?.close();
    this.hangUp();
  }

  hear({open, fresh, type, data}) {
    this.wait();
    if (open !== undefined) this.handlers.onState(open);
    if (fresh) this.handlers.onFresh();
    if (type) this.handlers.onEvent(type, data);
  }

  wait() {
    this.env.clearTimeout(this.timer);
    this.timer = this.env.setTimeout(() => this.lose(), silence);
  }

  lose() {
    this.hangUp();
    this.handlers.onState(false);
    this.open();
  }

  // The worker does not start: a line of one's own.
  leave() {
    this.hangUp();
    this.alone = new Stream(() => eventsPath(this.run), this.handlers);
    this.alone.open();
  }

  hangUp() {
    this.env.clearTimeout(this.timer);
    if (!this.worker) return;
    const {port} = this.worker;
    port.onmessage = this.worker.onerror = null;
    port.postMessage({close: true});
    port.close();
    this.worker = null;
  }
}
