// What speaks for a pool, in words and in bytes.

import { byteTable, textLine } from "./bytes.js";
import { el } from "./dom.js";
import { count, percent } from "./format.js";

export const RULES = {
  "tag+payout": "The coinbase carries the pool's tag and pays the pool's script.",
  tag: "The coinbase carries the pool's tag.",
  payout: "Most of the reward is paid to a script of the pool.",
  label: "Nothing in the block is at hand that names a pool; a published list does.",
  ambiguous: "Tags of several pools are equally strong, so no pool is named.",
  weak: "Only weak evidence was found, so no pool is named.",
  none: "Nothing in the block names a pool.",
};

const KINDS = { tag: "tag", payout: "payout", label: "list", elsewhere: "payout elsewhere" };
const STRENGTHS = {
  strong: "",
  weak: " It is weak: it names nobody by itself.",
  covered: " It is part of a longer match, so it does not count.",
};

const place = (field) => {
  const output = field.match(/^outputs\[(\d+)\]$/);
  return output ? `output ${output[1]}` : "the coinbase script";
};

function sentence(item) {
  if (item.kind === "label") {
    return `The list “${item.source}” gives this block to “${item.text}” (${item.name}).`;
  }
  if (item.kind === "elsewhere") {
    return `${percent(item.share)} of the reward goes to ${item.address ?? "another script"}: the block ${item.source} of ${item.name}, which its blocks always paid.`;
  }
  const end = STRENGTHS[item.strength] ?? "";
  const what = item.kind === "payout"
    ? `a payout script of ${item.name}${item.address ? ` (${item.address})` : ""}, which gets ${percent(item.share)} of the reward`
    : `a tag of ${item.name}`;
  return `${count(item.length)} bytes at byte ${count(item.offset)} of ${place(item.field)}: ${what}.${end}`;
}

const inScript = (item) => item.field === "script_sig";
export const marksIn = (evidence, field) => evidence
  .filter((item) => item.field === field && item.strength !== "covered")
  .map((item) => [item.offset, item.length]);

// The strongest evidence for the pool that was named, or whatever there is.
function best(block) {
  const rank = { strong: 0, weak: 1, covered: 2 };
  const order = [...block.evidence].sort((a, b) =>
    (a.pool !== block.pool) - (b.pool !== block.pool)
    || rank[a.strength] - rank[b.strength] || (b.kind === "tag") - (a.kind === "tag")
    || b.length - a.length);
  return order[0];
}

// A few words for a table cell: [kind, text].
export function brief(block) {
  const item = best(block);
  if (!item) return [block.script_sig === null ? "no coinbase" : "nothing", ""];
  return [block.rule === "tag+payout" ? "tag + payout" : KINDS[item.kind], item.kind === "payout" ? "reward paid to its script" : item.text];
}

// All evidence of a block. `coinbase` (with the outputs) shows payouts in their place.
export function evidencePanel(block, coinbase = null) {
  const parts = [el("p", {}, RULES[block.rule] ?? block.rule)];
  if (block.conflicts.length) {
    const others = [...new Set(block.conflicts.map((item) => item.name))].join(", ");
    parts.push(el("p", { class: "conflict" },
      `Some evidence speaks for another pool: ${others}. It is kept and counted.`));
  }
  if (block.evidence.length) {
    parts.push(el("ul", { class: "evidence" }, block.evidence.map((item) => el("li", {},
      el("span", { class: `kind ${item.strength}` }, KINDS[item.kind]), " ", sentence(item)))));
  }
  if (block.script_sig !== null) {
    const marks = marksIn(block.evidence, "script_sig");
    parts.push(textLine(block.script_sig, marks),
      byteTable(block.script_sig, marks, "Coinbase script: place, bytes, text. What matched is marked."));
  }
  for (const field of new Set(block.evidence.filter((e) => !inScript(e) && e.kind !== "label").map((e) => e.field))) {
    const items = block.evidence.filter((item) => item.field === field);
    const output = coinbase?.outputs[Number(field.match(/\d+/)?.[0])];
    const hex = output?.script ?? items[0].hex;
    const marks = output ? marksIn(block.evidence, field) : [[0, items[0].length]];
    parts.push(byteTable(hex, marks, `Script of ${place(field)}. What matched is marked.`));
  }
  return el("div", { class: "panel" }, parts);
}
