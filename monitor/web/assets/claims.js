// The claims: inputs that a reader can change, and the verdicts that follow.

import { byId, el, keyed, setText } from "./dom.js";
import { amount } from "./format.js";
import { fail, follow, load } from "./live.js";

const NUMBERS = [
  ["tariff", "Tariff", "USD/kWh"], ["efficiency", "Machines", "J/TH"], ["pue", "PUE", "ratio"],
  ["capital", "Machines cost", "USD/(TH/s)"], ["pool_fee", "Pool fee", "part of reward"], ["difficulty", "Difficulty", ""],
];
const KEPT = [...NUMBERS.map(([name]) => name), "opex", "life", "fees", "subsidy", "terms", "series", "market"];
const KINDS = { holds: "holds", "does not hold": "fails", "cannot be said": "open" };

const asked = new URLSearchParams(location.search);
const given = new Map(KEPT.filter((name) => asked.get(name)).map((name) => [name, asked.get(name)]));
let shipped = null;

const address = () => {
  const query = new URLSearchParams([...given]).toString();
  return query ? `?${query}` : "";
};

function change(name, value) {
  if (value) given.set(name, value);
  else given.delete(name);
  history.replaceState(null, "", location.pathname + address() + location.hash);
  refresh();
}

const field = (label, note, control) =>
  el("label", {}, el("span", {}, label, note ? el("span", { class: "muted" }, ` ${note}`) : null), control);

const number = ([name, label, unit]) => field(label, unit, el("input", {
  type: "number", min: "0", step: "any", inputmode: "decimal", placeholder: "as shipped", value: given.get(name),
  onchange: (event) => change(name, event.target.value),
}));

const pick = (name, label, options) => field(label, "", el("select", { onchange: (event) => change(name, event.target.value) },
  options.map(([value, text]) => el("option", { value, selected: value === (given.get(name) ?? "") }, text))));

function drawInputs(answer) {
  const named = (all, names) => [["", all], ...names.map((name) => [name, name])];
  const terms = [["", "April 2026, as shipped"], ["chain", "this agent's tip"]];
  byId("inputs").replaceChildren(...[
    ...NUMBERS.map(number),
    pick("series", "Country shares", named("every series", answer.series)),
    pick("market", "AI market", named("every market", answer.markets)),
    answer.chain ? pick("terms", "Difficulty and fees", terms) : null,
    el("button", { type: "button", class: "more", onclick: () => { location.href = location.pathname; } }, "Reset inputs"),
  ].filter(Boolean));
}

const quantity = ({ value, unit, text }) => (value === null ? text || "–" : `${amount(value)} ${unit}`.trim());
const span = (low, high) => (amount(low) === amount(high) ? "" : `${amount(low)} to ${amount(high)}`);
const between = (found) => (found.low === null ? "" : span(found.low, found.high));
const badge = (verdict) => el("span", { class: `verdict ${KINDS[verdict]}` }, verdict);
const cell = (item) => el("td", {}, item);

function moved(claim) {
  const before = shipped?.get(claim.slug);
  return before && before !== claim.verdict ? el("span", { class: "muted" }, ` as shipped: ${before}`) : null;
}

const asOf = (claim) => (claim.as_of ? el("span", { class: "muted" }, ` ${claim.as_of}`) : null);

function table(name, heads, rows) {
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, el("table", {},
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col" }, head)))),
    el("tbody", {}, rows.map((row) => el("tr", {},
      row.map((item, i) => (i ? cell(item) : el("th", { scope: "row" }, item))))))));
}

const lists = (items) => el("ul", {}, items.map((item) => el("li", {}, item)));

const PARTS = [
  ["Inputs", (claim) => claim.inputs, (inputs, name) => table(name, ["Input", "Value", "May be", "Unit", "As of", "Source"],
    inputs.map((i) => [i.name, amount(i.value), span(i.low, i.high), i.unit, i.date, i.source]))],
  ["Sensitivity", (claim) => claim.sensitivity, (swings, name) => table(name, ["If only this changes", "From", "To", "Unit", "Found from", "To"],
    swings.map((s) => [s.name, amount(s.input.low), amount(s.input.high), s.unit, amount(s.found.low), amount(s.found.high)]))],
  ["Cases", (claim) => claim.cases, (cases, name) => table(name, ["Case", "Found", "Interval", "Verdict", "Note"],
    cases.map((c) => [c.label, quantity(c.found), between(c.found), badge(c.verdict), c.note]))],
  ["Sources", (claim) => claim.sources, lists],
  ["What this cannot show", (claim) => claim.cannot_show, lists],
];

function update(section, claim) {
  const open = new Set([...section.querySelectorAll("details[open]")].map((node) => node.dataset.part));
  const found = [quantity(claim.found), between(claim.found)].filter(Boolean).join(", ");
  const facts = [["Claimed", quantity(claim.claimed)], ["Found", `${found} (${claim.measure})`],
    ["Because", claim.because], ["What would turn it", claim.turns], ["Said by", claim.said_by]];
  section.replaceChildren(
    el("h2", { id: claim.slug }, claim.claim),
    el("p", {}, badge(claim.verdict), asOf(claim), moved(claim)),
    el("dl", { class: "facts" }, facts.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)))),
    ...PARTS.filter(([, of]) => of(claim).length).map(([title, of, show]) =>
      el("details", { class: "why", "data-part": title, open: open.has(title) }, el("summary", {}, title), show(of(claim), `${title}: ${claim.claim}`))));
}

function draw(answer) {
  byId("verdicts").replaceChildren(...answer.claims.map((claim) => el("tr", {},
    el("th", { scope: "row" }, el("a", { href: `#${claim.slug}` }, claim.claim)),
    cell([badge(claim.verdict), asOf(claim), moved(claim)]),
    el("td", { class: "wide" }, quantity(claim.claimed)), cell([quantity(claim.found), el("span", { class: "note" }, ` ${claim.measure}`)]))));
  byId("overview").hidden = false;
  keyed(byId("claims"), answer.claims, (claim) => claim.slug,
    (claim) => el("section", { "aria-labelledby": claim.slug }), update);
  const turned = answer.claims.filter(moved).length;
  setText(byId("choice"), given.size
    ? `${turned || "No"} ${turned === 1 ? "verdict differs" : "verdicts differ"} from what ships. This page's address holds your inputs; what you give is taken as known.`
    : "Inputs as they ship: the same for everybody, from the tables and the pools' history of 2020 to 2026.");
}

let latest = 0;
async function refresh() {
  const turn = (latest += 1);
  try {
    const answer = await load(`/api/v1/claims${address()}`);
    if (turn !== latest) return;
    byId("problem").hidden = true;
    draw(answer);
  } catch (error) {
    if (turn === latest) fail(error);
  }
}

async function start() {
  try {
    const answer = await load("/api/v1/claims");
    shipped = new Map(answer.claims.map((claim) => [claim.slug, claim.verdict]));
    drawInputs(answer);
    if (given.size) await refresh();
    else draw(answer);
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  } catch (error) {
    fail(error);
  }
}

// Only the terms of the chain move by themselves.
follow({ onoverview: () => { if (given.get("terms") === "chain") refresh(); } });
start();
