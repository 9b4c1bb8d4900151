// The small cards below: epoch, risk, stale blocks, the agent.

import { el, keyed, setText } from "./dom.js";
import { ago, count, day, hashrate, moment, percent, plural } from "./format.js";

const facts = (box, rows) => {
  if (!box.firstElementChild?.matches("dl")) box.replaceChildren(el("dl", { class: "facts" }), el("p", { class: "note" }));
  keyed(box.firstElementChild, rows, ([name]) => name,
    ([name]) => el("div", {}, el("dt", {}, name), el("dd", {})),
    (node, [, value]) => {
      if (value instanceof Node) node.children[1].replaceChildren(value);
      else setText(node.children[1], value);
    });
};
const note = (box, text) => setText(box.children[1], text);

const change = (factor) => {
  if (factor === null) return "–";
  const moved = 100 * (factor - 1);
  return `${moved < 0 ? "−" : "+"}${Math.abs(moved).toFixed(1)}\u202f%`;
};

export function epochCard(box, epoch) {
  if (!epoch) {
    box.replaceChildren(el("p", { class: "muted" }, "No forecast: the epoch has just begun, or this network does not retarget."));
    return;
  }
  facts(box, [
    ["Expected change", `${change(epoch.change.value)} (${change(epoch.change.low)} to ${change(epoch.change.high)})`],
    ["Expected at", moment(epoch.retarget_time.value)],
    ["Likely between", `${day(epoch.retarget_time.low)} and ${day(epoch.retarget_time.high)}`],
    ["Blocks found", `${count(epoch.blocks)}, ${count(epoch.blocks_left)} to go`],
  ]);
  note(box, "Every 2,016 blocks the difficulty is set anew, so that a block takes ten minutes on average.");
}

const wait = (blocks) => (blocks === null ? "no number is enough" : plural(blocks, "confirmation"));

export function riskCard(box, risk) {
  if (!risk) {
    box.replaceChildren(el("p", { class: "muted" }, "No pool is known, so there is no largest one."));
    return;
  }
  facts(box, [
    [`If ${risk.name} attacked`, wait(risk.confirmations.value)],
    ["If its true share is low", `${wait(risk.confirmations.low)} (at ${percent(risk.share.low)})`],
    ["If its true share is high", `${wait(risk.confirmations.high)} (at ${percent(risk.share.high)})`],
  ]);
  note(box, `Blocks to wait until the largest miner, with all of its hash rate, could undo a payment with a probability below ${percent(risk.risk)}. Nothing says that it would try.`);
}

export function staleCard(box, overview) {
  facts(box, [
    ["Stale blocks in the store", count(overview.stale_blocks)],
    ["Reorgs seen", count(overview.reorgs)],
    ["Deepest reorg", overview.deepest_reorg ? plural(overview.deepest_reorg, "block") : "–"],
    ["Latest stale", overview.stale.length ? el("span", {}, overview.stale.map((block, i) => [
      i ? ", " : "", el("a", { href: `/block/${block.hash}`, title: block.name ?? "unknown pool" }, count(block.height))])) : "none near the tip"],
    ...(overview.header_only_blocks ? [["Blocks known by the header alone", count(overview.header_only_blocks)]] : []),
  ]);
  note(box, "Two miners may find a block at the same height; one of them loses and becomes stale. A node only sees those that reached it.");
}

const health = ({ up }) => (up === null ? null
  : el("span", { class: `badge ${up ? "good" : "bad"}` }, up ? "up" : "down"));

export function agentCard(box, status) {
  const rows = status.sources.map((source) => [
    `Source ${source.name}`,
    el("span", {}, health(source),
      source.last_success ? ` answered ${ago(status.now - source.last_success)}`
        : source.requests ? " has not answered yet" : " not asked yet",
      source.failures ? `; ${count(source.failures)} of ${plural(source.requests, "request")} failed` : "")]);
  facts(box, [
    ...rows,
    ["Up to date", status.ready ? "yes" : "not yet"],
    ["This machine's hash rate", status.local_rate
      ? `${hashrate(status.local_rate.hashes_per_second)} on one thread${
        status.local_rate.kernel === "hashlib" ? ", in Python; faster once it is compiled" : ""}`
      : "not measured yet"],
    ["Registry", `${plural(status.registry_pools, "pool")}, ${status.registry_version.slice(0, 8)}${status.other_registry_blocks
      ? `; ${plural(status.other_registry_blocks, "block")} under another one` : ""}`],
  ]);
  note(box, "Sources hand over bytes; the agent believes only what the bytes prove.");
}
