// Builds DOM. Strings become text nodes, so nothing in a run's name is ever markup.

const svgNamespace = "http://www.w3.org/2000/svg";

// Properties whose name starts with "on" are listeners, all others attributes; null and false
// leave them out.
export const h = (tag, properties, ...children) =>
  build(document.createElement(tag), properties, children);

export const svg = (tag, properties, ...children) =>
  build(document.createElementNS(svgNamespace, tag), properties, children);

function build(node, properties, children) {
  for (const [key, value] of Object.entries(properties ?? {})) {
    if (value == null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

// Touches the page only for what changed, so that a selection in live text survives.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value == null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// Rebuilds a part only when its data changed: focus and hover stay where they are.
export function renderOnChange(node, data, draw) {
  const key = JSON.stringify(data);
  if (node.renderedFrom === key) return;
  node.renderedFrom = key;
  node.replaceChildren(...[draw(data)].flat().filter(Boolean));
}
