// A line with its 95 % band over time; read by pointer, by finger and by arrow keys.

import { el, svg } from "./dom.js";
import { count, day } from "./format.js";

const HEIGHT = 220;
const EDGE = { left: 46, right: 12, top: 10, bottom: 26 };

function ticks(low, high) {
  const raw = (high - low) / 6 || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw) ?? raw;
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) {
    found.push(value);
  }
  return [found, step];
}

const path = (pairs) => pairs.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

// Neighbours that have a value; the line breaks where one has none.
const runs = (points) => points.reduce((found, p) => {
  if (p.value === null) found.push([]);
  else found[found.length - 1].push(p);
  return found;
}, [[]]);

// points: {height, time, value, low, high}, where value is null if only its ends are known; options: label, show(value), scale(value, step) for
// the axis, marks [[value, text]].
export function bandChart(box, points, { label, show, scale, marks = [] }) {
  box.replaceChildren();
  if (points.length < 2) {
    box.append(el("p", { class: "muted" }, "Not enough blocks yet to show a course over time."));
    return;
  }
  const width = Math.max(280, box.clientWidth);
  const lows = points.map((p) => p.low ?? p.value);
  const highs = points.map((p) => p.high ?? p.value);
  const [min, max] = [Math.min(...lows), Math.max(...highs)];
  const bottom = min < 0.4 * max ? 0 : min - 0.1 * (max - min);
  const top = max + 0.08 * (max - bottom || 1);
  const [first, last] = [points[0].height, points[points.length - 1].height];
  const x = (h) => EDGE.left + ((width - EDGE.left - EDGE.right) * (h - first)) / (last - first);
  const y = (v) => HEIGHT - EDGE.bottom - ((HEIGHT - EDGE.top - EDGE.bottom) * (v - bottom)) / (top - bottom);
  const band = [...points.map((p, i) => [x(p.height), y(highs[i])]),
    ...points.map((p, i) => [x(p.height), y(lows[i])]).reverse()];
  const [places, step] = ticks(bottom, top);
  const line = svg("line", { class: "cursor", y1: EDGE.top, y2: HEIGHT - EDGE.bottom, visibility: "hidden" });
  const dot = svg("circle", { class: "cursor-dot", r: 4, visibility: "hidden" });
  const middle = Math.floor(points.length / 2);
  const labelled = width < 520 ? [0, points.length - 1] : [0, middle, points.length - 1];
  const picture = svg("svg", { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, "aria-hidden": "true" },
    places.map((value) => [
      svg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
      svg("text", { class: "axis", x: EDGE.left - 8, y: y(value) + 4, "text-anchor": "end" }, scale(value, step))]),
    labelled.map((i) => svg("text", {
      class: "axis", x: x(points[i].height), y: HEIGHT - 6,
      "text-anchor": i === 0 ? "start" : i === points.length - 1 ? "end" : "middle",
    }, day(points[i].time))),
    marks.filter(([value]) => value > bottom && value < top).map(([value, text]) => [
      svg("line", { class: "mark", x1: EDGE.left, x2: width - EDGE.right, y1: y(value), y2: y(value) }),
      svg("text", { class: "axis", x: EDGE.left + 4, y: y(value) + 4 }, text)]),
    svg("path", { class: "band", d: `${path(band)}Z` }),
    svg("path", { class: "line", d: runs(points).map((run) => path(run.map((p) => [x(p.height), y(p.value)]))).join("") }), line, dot);
  const readout = el("p", { class: "readout" });
  const slider = el("div", {
    class: "plot", role: "slider", tabindex: "0", "aria-label": label, "aria-valuemin": first, "aria-valuemax": last,
  }, picture);
  let at = points.length - 1;
  const say = (index, cursor) => {
    at = index;
    const p = points[index];
    const between = p.low === null || p.low === undefined ? "" : `${show(p.low)} to ${show(p.high)}`;
    const text = p.value === null ? between : between ? `${show(p.value)} (${between})` : show(p.value);
    readout.replaceChildren(el("strong", {}, text), ` at block ${count(p.height)}, ${day(p.time)}`);
    slider.setAttribute("aria-valuenow", p.height);
    slider.setAttribute("aria-valuetext", `${text}, ${day(p.time)}`);
    for (const node of [line, dot]) node.setAttribute("visibility", cursor ? "visible" : "hidden");
    line.setAttribute("x1", x(p.height));
    line.setAttribute("x2", x(p.height));
    dot.setAttribute("cx", x(p.height));
    dot.setAttribute("cy", y(p.value ?? (lows[index] + highs[index]) / 2));
  };
  const near = (event) => {
    const height = first + ((event.clientX - slider.getBoundingClientRect().left - EDGE.left)
      * (last - first)) / (width - EDGE.left - EDGE.right);
    let best = 0;
    points.forEach((p, i) => {
      if (Math.abs(p.height - height) < Math.abs(points[best].height - height)) best = i;
    });
    say(best, true);
  };
  slider.addEventListener("pointermove", near);
  slider.addEventListener("pointerdown", near);
  slider.addEventListener("pointerleave", () => say(points.length - 1, false));
  slider.addEventListener("focus", () => say(at, true));
  slider.addEventListener("blur", () => say(points.length - 1, false));
  slider.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
    const to = event.key === "Home" ? 0 : event.key === "End" ? points.length - 1
      : event.key in moves ? at + moves[event.key] : null;
    if (to === null) return;
    event.preventDefault();
    say(Math.max(0, Math.min(points.length - 1, to)), true);
  });
  say(at, false);
  box.append(readout, slider);
}
