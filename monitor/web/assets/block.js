// One block.

import { byId, el, setText } from "./dom.js";
import { evidencePanel } from "./evidence.js";
import { bitcoin, count, moment, significant } from "./format.js";
import { fail, follow, load } from "./live.js";

const asked = location.pathname.split("/")[2];
const SURENESS = {
  sure: "sure: tag and payout agree",
  likely: "likely: tag or payout, the other is silent",
  doubtful: "doubtful: the tag's pool is not paid, though its scripts are known",
  disputed: "disputed: something else speaks for another pool",
  listed: "listed: by somebody else's list alone",
  unknown: "unknown",
};

const PROOFS = {
  coinbase: "header and coinbase: the coinbase belongs to the header",
  header: "header only: work, links and difficulty",
};

let height = 0;
let tip = 0;

const fact = (name, value) => (value === null ? null : el("div", {}, el("dt", {}, name), el("dd", {}, value)));
const code = (text) => el("code", {}, text);

function sentence({ block }) {
  const pool = el("a", { href: `/pool/${encodeURIComponent(block.pool)}` }, block.name);
  const who = !block.pool ? ["Nothing names its miner."]
    : block.rule === "label" ? ["A published list says that ", pool, " mined it; nothing at hand here proves it."]
      : [pool, " mined it."];
  return [...who, ` Its header says ${moment(block.time)}.`,
    block.stale ? " It is stale: the chain went on without it." : ""];
}

function coinbaseParts(coinbase) {
  if (!coinbase) return [el("p", { class: "muted" }, "The coinbase is not at hand; only the header is proved.")];
  const parts = [];
  if (coinbase.runs.length) {
    parts.push(el("h3", {}, "Text in it"), el("p", { class: "caption" },
      "Miners write what they like. Bytes that are not plain text are shown as \\xNN."),
    el("ul", { class: "plain" }, coinbase.runs.map((run) => el("li", {}, code(run.text)))));
  }
  if (coinbase.miners.length) {
    parts.push(el("p", {}, `A miner in the pool calls himself: ${coinbase.miners.map((m) => m.text).join(", ")}`));
  }
  if (coinbase.software.length) parts.push(el("p", {}, `Software (a hint): ${coinbase.software.join(", ")}`));
  parts.push(el("h3", {}, "Outputs"), el("div", { class: "scroll" }, el("table", { class: "outputs" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "num" }, "No."),
      el("th", { scope: "col", class: "num" }, "Value"), el("th", { scope: "col" }, "Paid to"))),
    el("tbody", {}, coinbase.outputs.slice(0, 50).map((output, i) => el("tr", {},
      el("th", { scope: "row", class: "num" }, String(i)), el("td", { class: "num" }, bitcoin(output.value)),
      el("td", { class: "long" }, code(output.address ?? output.script))))))));
  if (coinbase.outputs.length > 50) parts.push(el("p", { class: "muted" }, `and ${coinbase.outputs.length - 50} more`));
  parts.push(el("details", { class: "why" }, el("summary", {}, "The whole transaction as bytes"),
    el("p", { class: "caption" }, "Transaction id ", code(coinbase.txid)),
    el("p", { class: "long" }, code(coinbase.hex))));
  return parts;
}

function show(detail) {
  const { block, header } = detail;
  setText(byId("name"), `Block ${count(block.height)}`);
  document.title = `Block ${count(block.height)} · poolscope`;
  byId("sentence").replaceChildren(...sentence(detail));
  byId("neighbours").replaceChildren(
    el("a", { href: `/block/${header.prev_hash}` }, "← the block before"),
    block.stale ? el("a", { href: `/block/${block.height}` }, "the block that took its place →")
      : el("a", { href: `/block/${block.height + 1}`, id: "after", hidden: true }, "the block after →"));
  height = block.height;
  showAfter();
  byId("evidence").replaceChildren(evidencePanel(block, detail.coinbase));
  byId("facts").replaceChildren(...[
    fact("Hash", code(block.hash)),
    fact("Proved", PROOFS[block.proof] ?? block.proof),
    fact("From", block.source),
    fact("First seen", block.first_seen === null ? null : moment(block.first_seen)),
    fact("Transactions", block.tx_count === null ? null : count(block.tx_count)),
    fact("Size", block.size === null ? null : `${count(block.size)} bytes`),
    fact("Attribution", SURENESS[detail.sureness] ?? detail.sureness),
    fact("A published list", detail.label === null ? null : `${detail.label_source}: “${detail.label}”`),
    fact("Difficulty", significant(header.difficulty)),
    fact("nBits", code(header.nbits)),
    fact("Version", code(`0x${(header.version >>> 0).toString(16).padStart(8, "0")}`)),
    fact("Nonce", count(header.nonce)),
    fact("Merkle root", code(header.merkle_root)),
    fact("Header", code(header.hex)),
    fact("Registry version", code(detail.registry_version.slice(0, 16)))].filter(Boolean));
  byId("coinbase").replaceChildren(...coinbaseParts(detail.coinbase));
  byId("content").hidden = false;
}

// The tip has no block after it; the link appears when there is one.
function showAfter() {
  const after = byId("after");
  if (after) after.hidden = height >= tip;
}

follow({
  onoverview(overview) {
    tip = overview.tip?.height ?? 0;
    showAfter();
  },
});
load(`/api/v1/blocks/${asked}`).then(show, (error) =>
  fail(error, `Block ${asked} is not in this agent's store. It may be older than the store, or not mined yet.`));
