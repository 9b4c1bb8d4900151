// Making nodes. Text only ever becomes a text node, so nothing from the chain can be markup.

const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

export const el = (tag, attributes = {}, ...children) =>
  fill(document.createElement(tag), attributes, children);

export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Bring the children of `parent` to `items`, keeping the nodes of those that stay, so that
// focus and what is opened survive a new block. `make(item)` returns a node, `update(node,
// item)` is called for all.
export function keyed(parent, items, keyOf, make, update = () => {}) {
  const kept = new Map([...parent.children].map((node) => [node.dataset.key, node]));
  items.forEach((item, place) => {
    const key = String(keyOf(item));
    let node = kept.get(key);
    kept.delete(key);
    if (!node) {
      node = make(item);
      node.dataset.key = key;
    }
    update(node, item);
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
  });
  for (const node of kept.values()) node.remove();
}

// A group of radio buttons that looks like one control.
export function choice(name, label, options, chosen, onchange) {
  return el("fieldset", { class: "choice" },
    el("legend", { class: "visually-hidden" }, label),
    options.map(([value, text]) => el("label", {},
      el("input", {
        type: "radio", name, value, checked: value === chosen,
        onchange: () => onchange(value),
      }),
      el("span", {}, text))));
}
