// What the page says when there is nothing to show: the next step, or what happened and since when.

import {ApiError, login} from "./api.js";
import {h, setText} from "./element.js";
import {formatClock} from "./format.js";

const lines = `from trainer_hooks import push_weights, push_samples

push_weights(step, G=netG, D=netD)
push_samples(step, lambda n: netG(torch.randn(n, 100, 1, 1, device=dev)))`;

export const emptyList = (origin) =>
  h(
    "section",
    {class: "notice"},
    h("h1", null, "No runs yet"),
    h("p", null, "Put these lines into the training loop, after the optimizer steps:"),
    h("pre", {tabindex: 0}, h("code", null, lines)),
    h(
      "p",
      null,
      "A training of the same user on this machine finds the monitor by itself. Elsewhere set ",
      h("code", null, "SQD_REDIS_URL"),
      " to the address of this monitor's Redis. The run then appears here, at ",
      h("code", null, origin),
      "."
    )
  );

// health: of a connection in state error.
export function errorNotice({status, since, reason}, run) {
  if (status === 401 || status === 403) return loginForm();
  if (status === 404) {
    return notice(`No run “${run}”`, "It was removed, or never was here.", homeLink());
  }
  const title = status === 503 ? "The store is away" : "The monitor does not answer";
  return notice(
    title,
    reason,
    h("p", null, `Since ${formatClock(since)}; trying again.`),
    h(
      "p",
      null,
      "Trainings go on: the hooks reconnect by themselves and count what they had to drop."
    )
  );
}

const notice = (title, text, ...more) =>
  h("section", {class: "notice", role: "alert"}, h("h1", null, title), h("p", null, text), ...more);

const homeLink = () => h("p", null, h("a", {href: "/"}, "All runs"));

export function loginForm({send = login, done = () => location.reload()} = {}) {
  const field = h("input", {
    type: "password",
    autocomplete: "current-password",
    required: true,
    autofocus: true,
    "aria-label": "Token"
  });
  const message = h("p", {class: "note", role: "status"});
  return h(
    "form",
    {
      class: "notice",
      onsubmit: async (event) => {
        event.preventDefault();
        try {
          await send(field.value);
          done();
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          setText(message, error.message);
          field.select();
        }
      }
    },
    h("h1", null, "Token needed"),
    h(
      "p",
      null,
      "This monitor is protected. Its owner set the token with ",
      h("code", null, "--token"),
      " or ",
      h("code", null, "SQD_TOKEN"),
      "."
    ),
    h("p", {class: "field"}, field, h("button", null, "Open")),
    message
  );
}
