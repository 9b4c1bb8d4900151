// A row of shares: name, bar with whiskers, share with its range, blocks.

import { el, setText, svg } from "./dom.js";
import { count, percent, range } from "./format.js";

const LEAST_SCALE = 0.36; // a third is always in view, as what shares are held against

export const scaleOf = (shares, marks = true) =>
  Math.min(1, Math.max(marks ? LEAST_SCALE : 0.05, ...shares.map((s) => 1.04 * s.share.high)));

function bar(share, scale, { plain, marks }) {
  const x = (ratio) => (100 * ratio) / scale;
  const { value, low: least, high: most } = share.share;
  const [low, high] = [x(least), x(most)];
  return svg("svg", { class: "bar", viewBox: "0 0 100 20", preserveAspectRatio: "none", "aria-hidden": "true" },
    [1 / 3, 1 / 2].filter((mark) => marks && mark <= scale).map((mark) =>
      svg("line", { class: "mark", x1: x(mark), x2: x(mark), y1: 0, y2: 20 })),
    svg("rect", { class: plain ? "fill plain" : "fill", x: 0, y: 4, width: x(value), height: 12 }),
    least === null ? null : [
      svg("line", { class: "whisker", x1: low, x2: high, y1: 10, y2: 10 }),
      svg("line", { class: "whisker", x1: low, x2: low, y1: 6, y2: 14 }),
      svg("line", { class: "whisker", x1: high, x2: high, y1: 6, y2: 14 })]);
}

export function shareRow(head) {
  return el("tr", {}, el("th", { scope: "row" }, head), el("td", { class: "bar-cell" }),
    el("td", { class: "num" }, el("span", { class: "big" }), el("span", { class: "range" })),
    el("td", { class: "num" }));
}

export function updateShareRow(row, share, scale, { plain = false, marks = true } = {}) {
  const [, drawn, figure, blocks] = row.children;
  drawn.replaceChildren(bar(share, scale, { plain, marks }));
  setText(figure.children[0], percent(share.share.value));
  setText(figure.children[1], range(share.share.low, share.share.high));
  setText(blocks, count(share.blocks));
}
