// What the page says when there is nothing to show: the next step, or what happened and since when.

import {h} from "./element.js";
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
  if (status === 401 || status === 403) return notice("Token needed", reason);
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
