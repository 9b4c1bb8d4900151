// One pool.

import { bandChart } from "./bandchart.js";
import { blockTable } from "./blocktable.js";
import { byId, el, setText } from "./dom.js";
import { axisPercent, percent, windowName } from "./format.js";
import { fail, follow, load } from "./live.js";
import { scaleOf, shareRow, updateShareRow } from "./sharerow.js";

const slug = decodeURIComponent(location.pathname.split("/")[2]);
const [box, showBlocks] = blockTable("The pool's last blocks, newest first", "own");
byId("blocks").append(box);
byId("all-blocks").href = `/blocks?pool=${encodeURIComponent(slug)}`;

function list(title, items, textOf) {
  if (!items.length) return null;
  return [el("h3", {}, title), el("ul", { class: "plain" }, items.map((item) => el("li", {},
    el("code", {}, textOf(item)), el("span", { class: "muted" },
      `${item.strength === "weak" ? " (weak: names nobody by itself)" : ""} from ${item.sources.join(", ")}`))))];
}

function about(pool) {
  const parts = [];
  if (/^https?:\/\//.test(pool.website)) {
    parts.push(el("a", { href: pool.website, rel: "noopener noreferrer nofollow" }, pool.website));
  }
  if (pool.aliases.length) parts.push(el("span", {}, `also: ${pool.aliases.join(", ")}`));
  return parts.flatMap((part, i) => (i ? [" · ", part] : [part]));
}

function show(pool) {
  setText(byId("name"), pool.name);
  document.title = `${pool.name} · poolscope`;
  byId("about-pool").replaceChildren(...about(pool));
  byId("share").hidden = !pool.windows.length;
  const scale = scaleOf(pool.windows.map((w) => w.share));
  byId("windows").replaceChildren(...pool.windows.map(({ window, share }) => {
    const row = shareRow(windowName(window));
    updateShareRow(row, share, scale);
    return row;
  }));
  const known = [list("Tags in the coinbase", pool.tags, (tag) => tag.text),
    list("Payout addresses", pool.payouts, (payout) => payout.address)].flat().filter(Boolean);
  byId("registry").replaceChildren(...(known.length ? known
    : [el("p", { class: "muted" }, "The registry has no tag or address for it.")]));
  byId("content").hidden = false;
}

function drawHistory(history) {
  bandChart(byId("history"), history.points.map((p) => ({ ...p, ...p.share })), {
    label: "Share of blocks over time", show: percent, scale: axisPercent, marks: [[1 / 3, "a third"], [1 / 2, "a half"]],
  });
}

let shownAt = null;
async function refresh() {
  try {
    const [pool, blocks] = await Promise.all([
      load(`/api/v1/pools/${encodeURIComponent(slug)}`),
      load(`/api/v1/blocks?pool=${encodeURIComponent(slug)}&limit=15`)]);
    show(pool);
    showBlocks(blocks.blocks);
    const history = await load(`/api/v1/concentration/history?window=1008&pool=${encodeURIComponent(slug)}`);
    drawHistory(history);
  } catch (error) {
    fail(error, `No pool is known here as “${slug}”. The overview links to those that found blocks.`);
  }
}

// A page of one pool looks again at most every 30 seconds, however fast blocks come.
follow({
  onoverview() {
    if (shownAt !== null && Date.now() - shownAt < 30_000) return;
    shownAt = Date.now();
    refresh();
  },
});
