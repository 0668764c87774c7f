// What this browser may do: what changes something is hidden from who may only read, and who came
// by the login page can leave.

import {ApiError, getJson, postJson} from "./api.js";
import {h, setText} from "./element.js";

const reason =
  "This token may only read. To stop a training or to answer an alert, log in with the write token.";

// Without an answer nothing is hidden: the server refuses what it must, and says why.
export async function readSession({get = getJson} = {}) {
  try {
    return await get("/api/session");
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return {role: "write", cookie: false};
  }
}

export class Session {
  // onLeave(): the browser is logged out
  constructor({onLeave}, {get = getJson, post = postJson} = {}) {
    Object.assign(this, {onLeave, get, post});
    this.note = h("span", {class: "tag", title: reason, hidden: true}, "read only");
    this.button = h(
      "button",
      {class: "quiet", onclick: () => this.leave(), hidden: true},
      "Log out"
    );
    this.root = h("span", {class: "session"}, this.note, this.button);
  }

  async start() {
    const {role, cookie} = await readSession(this);
    document.documentElement.dataset.role = role;
    this.note.hidden = role !== "read";
    this.button.hidden = !cookie;
  }

  async leave() {
    try {
      await this.post("/api/logout", {});
      this.onLeave();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setText(this.button, "Log out (failed, try again)");
    }
  }
}
