// Dark and light: as the system says, or as chosen here.

const storageKey = "sqd-theme";
const choices = ["auto", "light", "dark"];
const systemIsDark = () => matchMedia("(prefers-color-scheme: dark)").matches;

export function readTheme(storage = window.localStorage) {
  try {
    const theme = storage.getItem(storageKey);
    return choices.includes(theme) ? theme : "auto";
  } catch {
    return "auto"; // a browser that keeps nothing
  }
}

export function applyTheme(theme, root = document.documentElement, isDark = systemIsDark) {
  if (!choices.includes(theme)) throw new Error(`invalid theme: ${theme}`);
  root.dataset.theme = theme === "auto" ? (isDark() ? "dark" : "light") : theme;
}

export function nextTheme(theme) {
  const next = choices[(choices.indexOf(theme) + 1) % choices.length];
  try {
    window.localStorage.setItem(storageKey, next);
  } catch {
    // it holds for this page
  }
  return next;
}
