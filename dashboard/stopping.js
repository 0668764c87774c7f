// Asks the trainer of a run to stop, once more before it is sent, and tells what became of it.

import {ApiError, postJson, remove, runPath} from "./api.js";
import {h, renderOnChange, setText} from "./element.js";
import {formatAge, formatDate} from "./format.js";

const longestReason = 500; // characters, as the server keeps them

// What is to be said of a request: [{text, time?, after?}], a time being told as an age.
export function wordsOf({asked, by, reason, told}, status) {
  const why = reason ? `: “${reason}”` : "";
  const words = [{text: "Stop asked", time: asked, after: ` by ${by}${why}`}];
  if (told !== null) words.push({text: "told to the trainer", time: told});
  else if (status === "running") words.push({text: "not told yet"});
  else words.push({text: "never told"});
  return words;
}

export class Stopping {
  // onChange(stop): the server took a request, or took it back (null)
  constructor(run, {onChange}, {post = postJson, take = remove} = {}) {
    Object.assign(this, {path: runPath(run, "/stop"), onChange, post, take});
    this.state = h("span"); // no live region: its ages move every second
    this.note = h("span", {class: "note", role: "alert"});
    this.button = h("button", {class: "changes", onclick: () => this.press(), hidden: true});
    this.dialog = this.buildDialog();
    this.root = h("div", {class: "stopping"}, this.state, this.note, this.button, this.dialog);
  }

  buildDialog() {
    this.reason = h("input", {maxlength: longestReason, autocomplete: "off"});
    const close = () => dialog.close();
    const dialog = h(
      "dialog",
      {
        class: "help ask",
        "aria-label": "Stop the training",
        onclick: (event) => event.target === dialog && close()
      },
      h(
        "form",
        {method: "dialog", onsubmit: () => this.ask()},
        h("h2", null, "Ask this training to stop?"),
        h(
          "p",
          null,
          "The trainer hears it with its next heartbeat, within 3 s, and decides itself: a loop " +
            "that does not look at ",
          h("code", null, "run.should_stop()"),
          " goes on."
        ),
        h("label", null, "Why (may be empty)", this.reason),
        h(
          "p",
          {class: "choices"},
          h("button", {type: "button", onclick: close}, "Cancel"),
          h("button", {class: "sure"}, "Ask it to stop")
        )
      )
    );
    return dialog;
  }

  update({status, stop}) {
    const running = status === "running";
    this.stop = stop ?? null;
    renderOnChange(this.state, stop && wordsOf(stop, status), drawWords);
    this.button.hidden = !running;
    setText(this.button, this.stop ? "Take back" : "Stop the training…");
    if (!running && this.dialog.open) this.dialog.close();
    this.tick();
  }

  tick() {
    const now = Date.now() / 1000;
    for (const node of this.state.querySelectorAll("time")) {
      setText(node, formatAge(Number(node.dataset.time), now));
    }
  }

  press() {
    setText(this.note, "");
    if (this.stop === null) this.dialog.showModal();
    else this.send(async () => (await this.take(this.path), null));
  }

  ask() {
    const reason = this.reason.value.trim();
    this.reason.value = "";
    this.send(() => this.post(this.path, {by: "page", reason}));
  }

  async send(call) {
    this.button.disabled = true;
    try {
      this.onChange(await call());
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(this.note, `Not sent: ${error.message}`);
    } finally {
      this.button.disabled = false;
    }
  }
}

const drawWords = (words) =>
  words?.flatMap(({text, time, after}, i) => [
    `${i ? " · " : ""}${text} `,
    time && h("time", {"data-time": time, title: formatDate(time)}),
    after
  ]);
