// The live connection and what every page shows of it.

import { byId, setText } from "./dom.js";
import { count } from "./format.js";

const SYNTHETIC = {
  sample: "Sample data: real blocks of the past, replayed as if they came now; most are named by a published list. This is not the live chain.",
  rehearsal: "Rehearsal: these blocks were made on this machine to try things out. This is not Bitcoin.",
};

function connection(state, text) {
  byId("live").dataset.state = state;
  setText(byId("live-text"), text);
}

export function showStatus(status) {
  const banner = byId("synthetic");
  banner.hidden = !status.synthetic;
  setText(banner, SYNTHETIC[status.synthetic] ?? `Not the live chain: ${status.synthetic}.`);
  const missing = byId("missing");
  missing.hidden = status.ready;
  setText(missing, `Not up to date: ${status.missing.join("; ")}`);
  setText(byId("about"), `· poolscope ${status.version} on ${status.network}, registry of ${count(status.registry_pools)} pools`);
}

// Follow the agent. A hidden page lets go of its connection (browsers allow only six to one
// host) and comes back when it is looked at.
export function follow({ onoverview = () => {}, onstatus = () => {} }) {
  let source = null;
  const open = () => {
    source = new EventSource("/api/v1/events");
    source.addEventListener("open", () => connection("live", "updating"));
    source.addEventListener("error", () => {
      connection("lost", "connection lost, trying again");
      if (source?.readyState === EventSource.CLOSED) setTimeout(reopen, 5000);
    });
    source.addEventListener("status", (event) => {
      const status = JSON.parse(event.data);
      showStatus(status);
      onstatus(status);
    });
    source.addEventListener("overview", (event) => onoverview(JSON.parse(event.data)));
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const reopen = () => {
    close();
    if (!document.hidden) open();
  };
  document.addEventListener("visibilitychange", reopen);
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) reopen(); });
  reopen();
}

for (const link of document.querySelectorAll("header nav a")) {
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
}

class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

export async function load(path) {
  const response = await fetch(path);
  const answer = await response.json();
  if (!response.ok) throw new Refusal(answer.error?.message ?? `the agent answered ${response.status}`, response.status);
  return answer;
}

// Say what went wrong; `missing` says it better where there is nothing at the address.
export function fail(error, missing = "") {
  const problem = byId("problem");
  problem.hidden = false;
  const gone = error.status === 404 && missing;
  if (gone) document.title = "Not found · poolscope";
  setText(problem, gone ? missing : error instanceof TypeError ? "The agent does not answer." : error.message);
}
