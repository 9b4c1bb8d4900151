// The overview.

import { bandChart } from "./bandchart.js";
import { blockTable } from "./blocktable.js";
import { agentCard, epochCard, riskCard, staleCard } from "./cards.js";
import { byId, choice, el, keyed, setText } from "./dom.js";
import {
  ago, axisNumber, axisPercent, between, chance, count, day, decimal, hashrate, moment, percent, plural, range, windowName, windowSpan,
} from "./format.js";
import { follow, load } from "./live.js";
import { scaleOf, shareRow, updateShareRow } from "./sharerow.js";

const FIRST = 12;
const NEWS_EVERY = 20_000;
// What a lens that is not of control must not be read as; the rest stands below the controls.
const CAVEATS = {
  coordination: "Pools of a group work together; nobody directs the work of all.",
  custody: "Who keeps rewards does not direct work.",
  jurisdiction: "Their miners may be anywhere.",
};
const GROUPS = { coordination: "group", custody: "group", jurisdiction: "listed country's" };
const MEASURES = {
  effective: {
    name: "Effective number",
    label: "Effective number over time",
    of: (p) => p.figures.effective_number,
    show: (v) => v.toFixed(1),
    scale: axisNumber,
  },
  hhi: {
    name: "HHI",
    label: "Herfindahl-Hirschman index over time",
    of: (p) => p.figures.hhi,
    show: (v) => v.toFixed(3),
    scale: axisNumber,
  },
  third: {
    name: "Chance of a third",
    label: "Probability that one holds more than a third, over time",
    of: (p) => p.figures.any_above_third,
    show: chance,
    scale: axisPercent,
    ofControl: true,
  },
};

const asked = new URLSearchParams(location.search);
const state = {
  overview: null, status: null, clock: 0, window: Number(asked.get("window") ?? 1008), lens: asked.get("lens") ?? "tag", all: false,
  measure: "effective", history: null, asked: "", told: 0, tip: 0,
};
const [blocksBox, showBlocks] = blockTable("The last blocks, newest first");
byId("blocks").append(blocksBox);

const now = () => Date.now() / 1000 + state.clock;
const lensOf = (overview) => overview.lenses.find(({ name }) => name === state.lens);
const isControl = () => !state.overview || lensOf(state.overview)?.kind === "control";
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const pick = (list) => list.find((w) => w.window === state.window && w.lens === state.lens) ?? list[0];

const chances = ({ least, most }) => between(least, most, chance);

// How probable the number shown is; of two, which is meant with which reading of unknown blocks.
function likely(figure) {
  if (figure.most === null) return "";
  if (figure.least !== figure.most) return `${figure.least} if unknown blocks are the largest's, ${figure.most} if of a miner each`;
  const [[size, p]] = Object.entries(figure.posterior).sort((a, b) => b[1] - a[1]);
  if (Number(size) !== figure.most) return `${size} is more probable: ${chance(p)}`;
  const read = [figure.posterior, figure.posterior_as_one, figure.posterior_of_largest].map((found) => found[size] ?? 0);
  return `${between(Math.min(...read), Math.max(...read), chance)} probable`;
}

function showLead(overview, shares, found) {
  const lens = lensOf(overview);
  const rate = overview.hashrates.find((r) => r.window === state.window)?.hashes_per_second;
  setText(byId("rate"), rate ? hashrate(rate.value) : "–");
  setText(byId("rate-note"), rate ? `${hashrate(rate.low)} to ${hashrate(rate.high)}` : "not enough blocks");
  const [largest] = shares.shares;
  if (shares.note || (!isControl() && !largest)) {
    setText(byId("sentence"), `${lens.title}: ${shares.note || "nothing is known of who found these blocks"}. The lens “By tag” shows who found them.`);
    return;
  }
  if (!largest) return;
  if (!isControl()) {
    const within = windowSpan(shares.window) && shares.blocks === shares.window ? ` (${windowSpan(shares.window)})` : "";
    setText(byId("sentence"), `${capital(largest.called)} found ${percent(largest.share.value)} of the last ${plural(shares.blocks, "block")}${within}: `
      + `more than any other ${GROUPS[lens.kind]}. ${CAVEATS[lens.kind]}`);
    return;
  }
  const { least, most } = found.nakamoto_half;
  const reach = between(least, most, String);
  const together = least !== most ? `Together ${reach} found more than half, as ${plural(shares.unknown, "unknown block")} may be anybody's.`
    : most === 1 ? "It alone found more than half." : most ? `The ${reach} largest found more than half.` : "";
  const span = shares.blocks < shares.window ? "all there are yet" : windowSpan(shares.window);
  const by = state.lens === "tag" ? "Of" : `${lensOf(overview).title}, of`;
  setText(byId("sentence"),
    `${by} the last ${count(shares.blocks)} blocks ${span ? ` (${span})` : ""}, ${largest.name} found the most: `
    + `${percent(largest.share.value)}. Its true share of the work is ${range(largest.share.low, largest.share.high)} (95\u202f% sure). ${together}`);
  setText(byId("half"), most === null ? "–" : reach);
  setText(byId("half-note"), likely(found.nakamoto_half));
  setText(byId("third"), chances(found.figures.any_above_third));
  setText(byId("third-note"), `one above half: ${chances(found.figures.any_above_half)}`);
}

function showTip() {
  const { overview } = state;
  if (!overview?.tip) return;
  setText(byId("tip"), count(overview.tip.height));
  setText(byId("tip-note"), overview.synthetic
    ? moment(overview.tip.time) : ago(now() - overview.tip.time));
  byId("tip-note").title = moment(overview.tip.time);
}

function showShares(shares, found) {
  const list = shares.shares.map((share) => ({ ...share, key: share.pool }));
  const shown = state.all ? list : list.slice(0, FIRST);
  if (shares.unknown) {
    shown.push({
      key: "", pool: "", name: unknownName(), blocks: shares.unknown,
      share: { value: shares.unknown / shares.blocks, low: null, high: null },
    });
  }
  const marks = isControl();
  const scale = scaleOf(list, marks);
  keyed(byId("shares"), shown, (share) => share.key, (share) => shareRow(share.pool
    ? (state.lens === "tag" ? el("a", { href: `/pool/${encodeURIComponent(share.pool)}` }, share.name) : [share.name, weakMark()])
    : el("span", { class: "muted", title: "Blocks that nothing names a pool for, or whose pool this lens knows nothing of" }, share.name)),
  (row, share) => {
    updateShareRow(row, share, scale, { plain: !share.pool, marks });
    showWeak(row.querySelector(".weak"), share);
  });
  const young = shares.blocks < shares.window ? ` of ${count(shares.window)} asked for` : "";
  const lens = lensOf(state.overview);
  setText(byId("lens-note"), state.lens === "tag" ? "" : `${lens.description} ${lens.withheld}`.trim());
  showRows(lens);
  byId("shares-table").hidden = Boolean(shares.note);
  setText(byId("shares-caption"), shares.note ? `n = ${plural(shares.blocks, "block")}${young}. ${capital(shares.note)}.` : `n = ${plural(shares.blocks, "block")}${young}, ${state.lens === "tag" ? plural(found.entities, "pool") : plural(found.entities, "entity", "entities")}, `
    + `${plural(shares.unknown, "block")} ${unknownName().toLowerCase()}. ${!marks ? "" : scale < 0.5 ? "Dashed line: a third." : "Dashed lines: a third and a half."}`);
  const more = byId("shares-more");
  more.hidden = list.length <= FIRST;
  setText(more, state.all ? "Show fewer" : `Show all ${list.length}`);
}

const unknownName = () => {
  const rest = lensOf(state.overview)?.rest;
  return rest ? `Unknown or ${rest.toLowerCase()}` : "Unknown";
};

const weakMark = () => el("span", { class: "weak", hidden: true }, "weak source");
function showWeak(mark, share) {
  if (!mark) return;
  mark.hidden = !share.weak_source_blocks;
  mark.title = `${count(share.weak_source_blocks)} of ${plural(share.blocks, "block")} are here by lists that name no source of their own`;
}

// Who says so is asked for once, when somebody wants to know.
let lenses = null;
const moments = (row) => [
  row.since_time === null ? "" : `from ${day(row.since_time)}`, row.until_time === null ? "" : `before ${day(row.until_time)}`,
  row.first_height === null ? "" : `from block ${count(row.first_height)}`, row.last_height === null ? "" : `to block ${count(row.last_height)}`,
].filter(Boolean).join(", ");

async function showRows(lens) {
  const box = byId("lens-rows");
  box.hidden = state.lens === "tag";
  if (!box.open || box.hidden) return;
  try {
    lenses ??= (await load("/api/v1/lenses")).lenses;
  } catch (error) {
    setText(byId("lens-sources"), `Not to be had: ${error.message}`);
    return;
  }
  const rows = lenses.find(({ name }) => name === lens.name)?.rows ?? [];
  byId("lens-sources").replaceChildren(...rows.map((row) => el("li", {},
    `${row.pool}: ${row.name}${moments(row) ? `, ${moments(row)}` : ""} (${row.source})`,
    row.weak ? el("span", { class: "weak" }, "weak source") : null)));
}

// Each number with its probability, by the readings of unknown blocks that bound it.
function posterior(figure) {
  const sizes = Object.keys({ ...figure.posterior, ...figure.posterior_of_largest })
    .map((n) => [n, figure.posterior[n] ?? 0, figure.posterior_of_largest[n] ?? 0]);
  return sizes.filter(([, ...ps]) => Math.max(...ps) >= 0.005)
    .sort((a, b) => Math.max(b[1], b[2]) - Math.max(a[1], a[2])).slice(0, 4)
    .map(([n, ...ps]) => `${n}: ${between(Math.min(...ps), Math.max(...ps), chance)}`).join(" · ");
}

const three = (value) => (value === null ? "–" : value.toFixed(3));
const fewest = ({ least, most }) => (most === null ? "–" : between(least, most, String));
// A single figure, or where too many blocks are unknown for one, what it lies between.
const figure = (found, show) => (found.value === null ? between(found.least, found.most, show) : show(found.value));

function showConcentration(found) {
  setText(byId("concentration-caption"), `In the same ${plural(found.blocks, "block")} as above. `
    + (found.withheld ? `${found.withheld}.` : found.unknown ? "Ranges hold whoever found the unknown blocks." : ""));
  const { effective_number: effective, hhi, cr3 } = found.figures;
  if (found.note) {
    byId("concentration").hidden = true;
    setText(byId("concentration-caption"), `${capital(found.note)}.`);
    return;
  }
  byId("concentration").hidden = false;
  const rows = [
    ["Effective number", figure(effective, decimal), `${decimal(effective.low)} to ${decimal(effective.high)}`],
    ["HHI", figure(hhi, three), `${three(hhi.low)} to ${three(hhi.high)}`],
    ["Largest three together", figure(cr3, percent), range(cr3.low, cr3.high)],
    ...(isControl() ? [
      ["Fewest that reach half", fewest(found.nakamoto_half), posterior(found.nakamoto_half)],
      ["Fewest that reach a third", fewest(found.nakamoto_third), posterior(found.nakamoto_third)],
      ["Chance of one above a quarter", chances(found.figures.any_above_quarter), `third: ${chances(found.figures.any_above_third)} · half: ${chances(found.figures.any_above_half)}`],
    ] : []),
  ];
  keyed(byId("concentration"), rows, ([name]) => name,
    ([name]) => el("div", {}, el("dt", {}, name), el("dd", {}), el("dd", { class: "note" })),
    (node, [, value, note]) => {
      setText(node.children[1], value);
      setText(node.children[2], note);
    });
}

// The band of a figure: its interval, and where it has none what unknown blocks leave open.
function banded({ value, low, high, least, most }) {
  return low === null ? { value, low: least, high: most } : { value, low, high };
}

function drawHistory() {
  if (MEASURES[state.measure].ofControl && !isControl()) state.measure = "effective";
  const measure = MEASURES[state.measure];
  const points = (state.history?.points ?? []).filter(measure.of).map((p) => ({ ...p, ...banded(measure.of(p)) }))
    .filter((p) => p.low !== null || p.value !== null);
  bandChart(byId("history"), points, measure);
}

// History is asked for once a window and lens, and again after a day of blocks.
async function updateHistory() {
  const { overview } = state;
  if (!overview?.tip) return;
  const key = `${state.window} ${state.lens} ${Math.floor(overview.tip.height / 72)}`;
  if (key === state.asked) return;
  state.asked = key;
  try {
    const history = await load(`/api/v1/concentration/history?window=${state.window}&lens=${state.lens}`);
    if (key === state.asked) state.history = history;
    drawHistory();
  } catch (error) {
    byId("history").replaceChildren(el("p", { class: "muted" }, `No course over time: ${error.message}`));
  }
}

function tellNews(overview) {
  if (!overview.tip || overview.tip.height === state.tip) return;
  const first = state.tip === 0;
  state.tip = overview.tip.height;
  if (first || Date.now() - state.told < NEWS_EVERY) return;
  state.told = Date.now();
  setText(byId("news"), `New block ${count(overview.tip.height)}, ${overview.blocks[0]?.name ?? "unknown pool"}`);
}

function render() {
  const { overview } = state;
  byId("main").dataset.state = overview.tip ? "" : "empty";
  if (!overview.windows.length) {
    setText(byId("sentence"), "No block yet. Figures appear as soon as a source has sent one and the agent has proved it.");
    return;
  }
  const shares = pick(overview.windows);
  const found = pick(overview.concentration);
  showLead(overview, shares, found);
  showTip();
  showShares(shares, found);
  showConcentration(found);
  showBlocks(overview.blocks);
  epochCard(byId("epoch"), overview.epoch);
  riskCard(byId("risk"), overview.risk.find((r) => r.window === shares.window && r.lens === shares.lens));
  for (const node of document.querySelectorAll("[data-of-control]")) node.hidden = !isControl();
  showMeasures();
  staleCard(byId("stale"), overview);
  tellNews(overview);
  updateHistory();
}

// The address keeps what was chosen, so that it can be shared.
function choose(name, value) {
  state[name] = value;
  asked.set(name, value);
  history.replaceState(null, "", `?${asked}`);
  render();
}

function showControls(overview) {
  const windows = [...new Set(overview.windows.map((w) => w.window))];
  const lenses = [...new Set(overview.windows.map((w) => w.lens))];
  const box = byId("shares-controls");
  if (box.dataset.for === `${windows} ${lenses}` || !windows.length) return;
  box.dataset.for = `${windows} ${lenses}`;
  if (!windows.includes(state.window)) [state.window] = windows;
  if (!lenses.includes(state.lens)) [state.lens] = lenses;
  box.replaceChildren(choice("window", "Blocks looked at", windows.map((w) => [String(w), windowName(w)]),
    String(state.window), (value) => choose("window", Number(value))));
  if (lenses.length > 1) {
    box.append(el("label", { class: "lens" }, "Lens ",
      el("select", { onchange: (event) => choose("lens", event.target.value) },
        overview.lenses.filter(({ name }) => lenses.includes(name)).map(({ name, title, description }) =>
          el("option", { value: name, selected: name === state.lens, title: description }, title)))));
  }
}

byId("shares-more").addEventListener("click", () => { state.all = !state.all; render(); });
byId("lens-rows").addEventListener("toggle", () => showRows(lensOf(state.overview)));

// What only those who direct work can have is offered under their lenses alone.
function showMeasures() {
  const offered = Object.entries(MEASURES).filter(([, { ofControl }]) => !ofControl || isControl());
  const box = byId("history-controls");
  if (box.dataset.for === `${offered.length}`) return;
  box.dataset.for = `${offered.length}`;
  if (!offered.some(([key]) => key === state.measure)) state.measure = "effective";
  box.replaceChildren(choice("measure", "Figure over time", offered.map(([key, { name }]) => [key, name]), state.measure,
    (value) => { state.measure = value; drawHistory(); }));
}
let width = 0;
new ResizeObserver(([entry]) => {
  if (Math.abs(entry.contentRect.width - width) > 1) {
    width = entry.contentRect.width;
    if (state.history) drawHistory();
  }
}).observe(byId("history"));
setInterval(showTip, 1000);

let frame = 0;
follow({
  onoverview(overview) {
    state.overview = overview;
    if (!frame) {
      frame = requestAnimationFrame(() => {
        frame = 0;
        showControls(state.overview);
        render();
      });
    }
  },
  onstatus(status) {
    state.status = status;
    state.clock = status.now - Date.now() / 1000;
    agentCard(byId("agent"), status);
  },
});
