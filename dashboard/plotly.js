// Only the page of a run needs Plotly, so only it loads it; the page's head asks for it, so that it is
// read while the modules come.

import {h} from "./element.js";

const source = "/static/plotly-basic.min.js";
const patience = 20_000; // ms; one that failed before anybody listened is asked for again

let loading = null;

export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly);
    const add = () => document.head.append(listened(h("script", {src: source})));
    const listened = (script) => {
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => {
        script.remove();
        reject(new Error(`The curves cannot be drawn: ${source} did not load.`));
      };
      return script;
    };
    const early = document.querySelector(`script[src="${source}"]`);
    if (!early) return add();
    listened(early);
    setTimeout(() => window.Plotly || add(), patience);
  });
  loading.catch(() => (loading = null)); // the next page tries again
  return loading;
}
