// Starts the page that the address names, and what all pages share: theme, help, keys.

import {loginPath, runOfPath} from "./api.js";
import {h} from "./element.js";
import {buildHelp} from "./help.js";
import {RunPage} from "./run.js";
import {RunsPage} from "./runs.js";
import {Session} from "./session.js";
import {Address} from "./state.js";
import {applyTheme, nextTheme, readTheme} from "./theme.js";

const root = document.documentElement;
const address = new Address({location, history});
const help = buildHelp();
const view = h("div", {class: "view"});
const crumb = h("span", {class: "crumb"});
const themeButton = h("button", {class: "quiet", onclick: () => setTheme(nextTheme(readTheme()))});
const session = new Session({onLeave: () => location.assign(loginPath(location))});
const handlers = {onHealth: setHealth, onTitle: setTitle, onGo: go};

let page = null;
let shownPath = null;

function show() {
  page?.stop();
  shownPath = location.pathname;
  const run = runOfPath(shownPath);
  page = run === null ? new RunsPage(address, handlers) : new RunPage(run, address, handlers);
  crumb.textContent = run ?? "";
  view.replaceChildren(page.root);
  scrollTo(0, 0);
  setTitle();
  page.start();
}

function go(path) {
  if (address.timer) address.write();
  history.pushState(null, "", path);
  address.read();
  show();
}

function setHealth({state}) {
  root.dataset.state = state;
  setTitle();
}

function setTitle() {
  const stale = root.dataset.state === "stale" ? "not live · " : "";
  if (page) document.title = `${stale}${page.title} · SQD`;
}

function setTheme(theme) {
  applyTheme(theme);
  themeButton.textContent = `Theme: ${theme}`;
  page?.redraw?.();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  const {key, target} = event;
  if (target.matches?.("input[type=search], input[type=password]")) return;
  if (target.matches?.("input[type=range]") && key.startsWith("Arrow")) return;
  if (key === "?") help.showModal();
  else if (key === "/" && page.filter) page.filter.focus();
  else if (!page.key(key)) return;
  event.preventDefault();
}

// Links within the page change the view without loading anything again.
function onClick(event) {
  const link = event.target.closest?.("a[href^='/']");
  const plain =
    event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (!link || !plain || link.download) return;
  event.preventDefault();
  go(link.getAttribute("href"));
}

function onBack() {
  if (location.pathname === shownPath) address.read();
  else {
    address.read();
    show();
  }
}

setTheme(readTheme());
document.body.append(
  h(
    "header",
    {class: "top"},
    h("a", {class: "brand", href: "/", title: "all runs"}, "SQD"),
    crumb,
    session.root,
    themeButton,
    h("button", {class: "quiet", "aria-label": "Help", onclick: () => help.showModal()}, "?")
  ),
  view,
  help
);
addEventListener("keydown", onKey);
addEventListener("click", onClick);
addEventListener("popstate", onBack);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(readTheme()));
show();
session.start();
