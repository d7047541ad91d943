// What happened to a dead letter: where it came from, who dealt with it, and what its replay became.

import { element } from "./dom.js";
import { exchange } from "./exchange.js";
import { announce, viewLink } from "./frame.js";
import { codeText, moment, say, sayParts } from "./language.js";

// A replay is settled in milliseconds, or waits for a store that is away.
const [FIRST_LOOK_MS, LONGEST_PAUSE_MS] = [200, 5_000];

/** The steps in order; the last one follows the replay until it is settled. `again` draws the view anew when the token is refused. */
export function historySection(letter, signal, again) {
  const { parent, replay } = letter.lineage;
  const steps = [
    ...(parent === null ? [] : [parentStep(parent)]),
    step([say("letter.published")], letter.published_at),
    step([say("letter.received")], letter.received_at),
    step([say("letter.rejected")], letter.rejected_at),
    letter.resolution === "open" ? step([say("letter.open")]) : resolvedStep(letter),
  ];
  const note = letter.note === null ? [] : [element("blockquote", {}, letter.note)];
  if (replay !== null) {
    const end = element("li", { class: "became" }, ...became(replay));
    steps.push(end);
    if (replay.state === "pending") {
      follow(letter.id, signal, again, (settled) => {
        end.replaceChildren(...became(settled));
        announce(end.textContent);
      });
    }
  }
  return element("section", { class: "history" }, element("h3", {}, say("letter.history")), element("ol", {}, ...steps), ...note);
}

/** The address of a dead letter in the service. */
export function letterPath(id) {
  return `api/dead-letters/${encodeURIComponent(id)}`;
}

function parentStep(parent) {
  const link = letterLink(parent.id);
  return step(sayParts("letter.parent", { parent: link }), parent.rejected_at);
}

function resolvedStep({ resolution, resolved_at, resolved_by, lineage }) {
  const edited = lineage.replay?.edited ?? null;
  const how = edited === null ? [] : [`, ${say(edited ? "lineage.edited" : "lineage.as_is")}`];
  const by = resolved_by === null ? [] : [element("bdi", {}, `, ${say("letter.by", { who: resolved_by })}`)];
  return step([codeText("resolution", resolution), ...how, ...by], resolved_at);
}

function step(what, at = null) {
  return element("li", {}, element("span", {}, ...what), ...(at === null ? [] : [" ", timeOf(at)]));
}

function timeOf(at) {
  return element("time", { class: "quiet", datetime: at, title: at }, moment(new Date(at)));
}

function letterLink(id) {
  return viewLink({ dead_letter: id }, say("letter.name", { id: String(id) }));
}

function became({ state, order_uid: uid, dead_letter_id: id }) {
  const order = () => viewLink({ order_uid: uid }, element("bdi", { class: "code" }, uid));
  if (state === "order") return sayParts("lineage.order", { order: order() });
  if (state === "history") return sayParts("lineage.history", { order: order() });
  if (state === "dead_letter") return sayParts("lineage.dead_letter", { letter: letterLink(id) });
  return [state === "unchanged" ? say("lineage.unchanged") : say("lineage.pending")];
}

/** Looks at the letter until its replay is settled, and gives that to `show`; ends without a word when `signal` is aborted. */
async function follow(id, signal, again, show) {
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    await after(pause, signal);
    if (signal.aborted) return;
    const answer = await exchange(letterPath(id), { signal, admin: true });
    if (signal.aborted) return;
    if (answer.status === 401) return again();
    const replay = answer.status === 200 ? replayOf(answer) : null;
    if (replay !== null && replay.state !== "pending") return show(replay);
  }
}

/** The replay in an answer; null when the answer is something else. */
function replayOf(answer) {
  try {
    return JSON.parse(answer.text).lineage.replay;
  } catch {
    return null;
  }
}

function after(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
