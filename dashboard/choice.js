// Some buttons of which one is chosen.

import {h, setAttribute} from "./element.js";

// options: [[value, text]]. Returns {root, update(chosen, refused)}, refused being values that
// cannot be chosen now.
export function choice(label, options, onChoose) {
  const buttons = options.map(([value, text]) => ({
    value,
    button: h("button", {onclick: () => onChoose(value)}, text)
  }));
  return {
    root: h(
      "div",
      {class: "choice", role: "group", "aria-label": label},
      buttons.map(({button}) => button)
    ),
    update: (chosen, refused = []) => {
      for (const {value, button} of buttons) {
        setAttribute(button, "aria-pressed", String(value === chosen));
        button.disabled = refused.includes(value);
      }
    }
  };
}
