// All blocks, a page at a time, or those of one pool.

import { blockTable } from "./blocktable.js";
import { byId, setText } from "./dom.js";
import { fail, follow, load } from "./live.js";

const asked = new URLSearchParams(location.search);
const query = new URLSearchParams({ limit: "50" });
for (const name of ["pool", "before"]) if (asked.has(name)) query.set(name, asked.get(name));
if (asked.has("pool")) setText(byId("caption"), `Blocks of ${asked.get("pool")}, newest first.`);

const [box, show] = blockTable("Blocks, newest first");
byId("blocks").append(box);
const older = byId("older");
const blocks = [];
let next = `/api/v1/blocks?${query}`;

async function more() {
  older.disabled = true;
  try {
    const page = await load(next);
    blocks.push(...page.blocks);
    show(blocks);
    ({ next } = page);
    older.hidden = !next;
  } catch (error) {
    fail(error);
  }
  older.disabled = false;
}

older.addEventListener("click", more);
follow({});
more();
