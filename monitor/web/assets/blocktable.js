// The table of blocks: who, when, and on what evidence.

import { el, keyed, setText } from "./dom.js";
import { brief, evidencePanel } from "./evidence.js";
import { clock, count, day, moment } from "./format.js";

const hover = matchMedia("(hover: hover)");
const peek = el("div", { class: "peek", "aria-hidden": "true", hidden: true });

let anchor = null;

function placePeek() {
  const at = anchor.getBoundingClientRect();
  const box = peek.getBoundingClientRect();
  const left = Math.min(at.left, innerWidth - box.width - 12);
  const below = at.bottom + 6 + box.height < innerHeight;
  peek.style.left = `${Math.max(12, left)}px`;
  peek.style.top = `${below ? at.bottom + 6 : Math.max(6, at.top - 6 - box.height)}px`;
}

function showPeek(button, block) {
  if (!hover.matches || button.getAttribute("aria-expanded") === "true") return;
  anchor = button;
  peek.replaceChildren(evidencePanel(block));
  peek.hidden = false;
  if (!peek.isConnected) document.body.append(peek);
  placePeek();
}

const hidePeek = () => { peek.hidden = true; };
addEventListener("scroll", () => {
  if (peek.hidden) return;
  if (anchor.matches(":hover, :focus-visible")) placePeek();
  else hidePeek();
}, { passive: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") hidePeek(); });

function toggle(button, body, block) {
  hidePeek();
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  body.querySelector(".opened")?.remove();
  if (open) {
    body.append(el("tr", { class: "opened", id: button.getAttribute("aria-controls") },
      el("td", { colspan: "4" }, evidencePanel(block))));
  }
}

function row(block) {
  const body = el("tbody", { class: block.stale ? "stale" : null });
  const [kind, text] = brief(block);
  const strength = block.rule === "label" || !block.pool ? "weak" : "strong";
  const button = el("button", {
    type: "button", class: "chip", "aria-expanded": "false", "aria-controls": `e-${block.hash}`,
    onclick: () => toggle(button, body, block),
    onpointerenter: () => showPeek(button, block),
    onpointerleave: hidePeek,
    onblur: hidePeek,
  }, el("span", { class: `kind ${strength}` }, kind), el("span", { class: "matched" }, text),
  el("span", { class: "visually-hidden" }, ` evidence of block ${count(block.height)}`));
  button.addEventListener("focus", () => {
    if (button.matches(":focus-visible")) showPeek(button, block);
  });
  body.append(el("tr", {},
    el("th", { scope: "row" },
      el("a", { href: `/block/${block.stale ? block.hash : block.height}` }, count(block.height)),
      block.stale ? el("span", { class: "badge" }, "stale") : null,
      block.conflicts.length ? el("span", { class: "badge" }, "conflict") : null),
    el("td", { class: "who" }, block.pool
      ? el("a", { href: `/pool/${encodeURIComponent(block.pool)}` }, block.name)
      : el("span", { class: "muted" }, "unknown")),
    el("td", { class: "when", title: moment(block.time) },
      el("time", { datetime: new Date(block.time * 1000).toISOString() },
        el("span", { class: "date" }, day(block.time)), el("span", { class: "comma" }, ", "), clock(block.time))),
    el("td", { class: "how" }, button)));
  return body;
}

// Return a table and a function that shows blocks in it; `own` if all are of one pool.
export function blockTable(label, own = "") {
  const table = el("table", { class: `blocks ${own}` },
    el("caption", { class: "visually-hidden" }, label),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Height"),
      el("th", { scope: "col" }, "Pool"), el("th", { scope: "col" }, "Time (UTC)"),
      el("th", { scope: "col" }, "Evidence"))));
  const box = el("div", { class: "scroll" }, table);
  const none = el("p", { class: "muted", hidden: true });
  const show = (blocks) => {
    // The head is the first child and stays: bodies are keyed behind it.
    keyed(table, [null, undefined, ...blocks], (block) =>
      block === null ? "caption" : block === undefined ? "head" : block.hash, row);
    table.hidden = blocks.length === 0;
    none.hidden = blocks.length > 0;
    setText(none, "No block yet.");
  };
  table.children[0].dataset.key = "caption";
  table.children[1].dataset.key = "head";
  box.append(none);
  return [box, show];
}
