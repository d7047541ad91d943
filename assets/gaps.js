// Messages that a channel should have had and that never came.

import { element } from "./dom.js";
import { exchange } from "./exchange.js";
import { announce } from "./frame.js";
import { moment, say } from "./language.js";

// So many are named; /api/status has more.
const MAX_NAMED = 5;
// One gap may close as another opens, and a question may fail: so old a list is asked for anew.
const RENEW_MS = 10_000;

/** The line as { node, show }: `show(open)` takes how many gaps are open; with 0 nothing is said, without a number it stays as it is. */
export function gapsLine(signal) {
  const node = element("div", { class: "gaps" });
  // How many there were when that was last known, and when they were asked for.
  let known;
  let asked;

  async function show(open) {
    if (!Number.isInteger(open)) return;
    const before = known;
    if (open === before && (open === 0 || performance.now() - asked < RENEW_MS)) return;
    [known, asked] = [open, performance.now()];
    if (open === 0) return node.replaceChildren();
    const said = say("gaps.open", { n: open });
    if (open !== before) node.replaceChildren(element("p", {}, said));
    // That there are some when the page opens is read in its turn.
    if (open > before) announce(said);
    const answer = await exchange("api/status", { signal });
    if (signal.aborted || open !== known) return;
    const rows = openGaps(answer).slice(0, MAX_NAMED).map(row);
    if (rows.length > 0) node.replaceChildren(element("p", {}, said), element("ul", {}, ...rows));
  }

  return { node, show };
}

/** The open gaps of an answer of /api/status, newest first; none when it has none or can't be read. */
function openGaps(answer) {
  try {
    return JSON.parse(answer.text).gaps.latest.filter((gap) => gap.closed_at === null);
  } catch {
    return [];
  }
}

function row(gap) {
  const place = gap.first === gap.last ? String(gap.first) : `${gap.first}–${gap.last}`;
  return element(
    "li",
    {},
    element("bdi", { class: "code" }, `${gap.source} ${gap.channel} ${place}`),
    ` ${say("gaps.messages", { n: gap.messages })}, `,
    element("time", { class: "quiet", datetime: gap.seen_at }, say("gaps.seen", { time: moment(new Date(gap.seen_at)) })),
  );
}
