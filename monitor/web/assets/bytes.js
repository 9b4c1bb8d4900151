// Bytes as hex and text, with what matched marked in both.

import { el } from "./dom.js";

const narrow = matchMedia("(max-width: 640px)");

export const fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));

const printable = (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·");

// Return runs [start, end, marked] that cover start..end; marks are [offset, length].
function runs(start, end, marks) {
  const marked = (at) => marks.some(([offset, length]) => at >= offset && at < offset + length);
  const found = [];
  for (let at = start; at < end; at += 1) {
    const last = found[found.length - 1];
    if (last && last[2] === marked(at)) last[1] = at + 1;
    else found.push([at, at + 1, marked(at)]);
  }
  return found;
}

const painted = (bytes, start, end, marks, show) =>
  runs(start, end, marks).map(([from, to, marked]) =>
    el(marked ? "mark" : "span", {}, show(bytes.subarray(from, to))));

const asText = (bytes) => Array.from(bytes, printable).join("");
const asHex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");

// One line of text with the matched part marked.
export function textLine(hex, marks) {
  const bytes = fromHex(hex);
  return el("code", { class: "text-line" }, painted(bytes, 0, bytes.length, marks, asText));
}

export function byteTable(hex, marks, label) {
  const bytes = fromHex(hex);
  const step = narrow.matches ? 8 : 16;
  const rows = [];
  for (let start = 0; start < bytes.length; start += step) {
    const end = Math.min(start + step, bytes.length);
    rows.push(el("tr", {},
      el("th", { scope: "row" }, String(start)),
      el("td", { class: "hex" }, painted(bytes, start, end, marks, (part) => `${asHex(part)} `)),
      el("td", { class: "text" }, painted(bytes, start, end, marks, asText))));
  }
  return el("table", { class: "bytes" },
    el("caption", {}, label),
    el("thead", { class: "visually-hidden" }, el("tr", {},
      el("th", { scope: "col" }, "Byte"), el("th", { scope: "col" }, "Hex"),
      el("th", { scope: "col" }, "Text"))),
    el("tbody", {}, rows));
}
