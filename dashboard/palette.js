// One colour for one thing, everywhere: the names of the style sheet's Okabe–Ito variables.

const fixed = {G: "--blue", D: "--vermillion"};
const others = ["--sky", "--orange", "--grey"];
const quality = "--green";
const diversity = "--purple";

// The network a metric speaks of: S.G, S.G@epoch, loss.G and grad.G are all of G.
export function networkOf(metric) {
  if (/^[QD](\.|$)/.test(metric)) return null;
  return metric.replace(/@epoch$/, "").replace(/^[^./]*[./]/, "");
}

// metrics: all of the run, so that a colour does not depend on what is shown.
export function paletteOf(metrics) {
  const names = [...new Set(metrics.map(networkOf))].filter((name) => name && !fixed[name]).sort();
  return (metric) => {
    if (/^Q(\.|$)/.test(metric)) return quality;
    if (/^D(\.|$)/.test(metric)) return diversity;
    const name = networkOf(metric);
    return fixed[name] ?? others[Math.max(0, names.indexOf(name)) % others.length];
  };
}
