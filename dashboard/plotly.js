// Only the page of a run needs Plotly, so only it loads the five megabytes.

import {h} from "./element.js";

const source = "/static/plotly.min.js";

let loading = null;

export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = h("script", {
      src: source,
      onload: () => resolve(window.Plotly),
      onerror: () => reject(new Error(`The curves cannot be drawn: ${source} did not load.`))
    });
    document.head.append(script);
  });
  loading.catch(() => (loading = null)); // the next page tries again
  return loading;
}
