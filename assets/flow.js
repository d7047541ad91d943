// The live flow: what comes in, what becomes of it, what waits.

import { chart } from "./chart.js";
import { element } from "./dom.js";
import { announce, viewLink } from "./frame.js";
import { gapsLine } from "./gaps.js";
import { known, say, sayParts } from "./language.js";
import { Past } from "./rates.js";

// Outlives the view, so that the way back to it still has its past.
const past = new Past();

// The states in which the numbers are those of now.
const CURRENT = ["live", "partly", "failing"];

/** The section, and `show(event, data)` that takes what stream.js tells, until `signal` is aborted. */
export function flowSection(signal) {
  const state = element("p", { class: "state" });
  const figures = new Map();
  const list = element("dl", { class: "figures" });
  for (const name of ["received", "applied", "rejected", "pending", "lag", "open"]) {
    const [value, remark] = [element("dd", { class: "figure" }), element("dd", { class: "quiet" })];
    list.append(element("div", { class: name }, element("dt", {}, say(`flow.${name}`)), value, remark));
    figures.set(name, { value, remark });
  }
  figures.get("lag").remark.textContent = say("flow.lag_what");
  figures.get("open").remark.append(viewLink({ dead_letters: "" }, say("flow.to_desk")));
  const expired = element("p", { class: "expired quiet" });
  const rates = chart();
  const gaps = gapsLine(signal);
  const node = element(
    "section",
    { class: "flow", "aria-labelledby": "flow" },
    element("header", {}, element("h2", { id: "flow" }, say("nav.flow")), state),
    list,
    expired,
    gaps.node,
    rates.node,
  );

  // The kind of the state that was said last: only another kind is worth saying aloud.
  let said = null;

  /** Shows a state; one that is worth it is said aloud as `aloud`. */
  function tell(kind, parts, aloud = null) {
    const before = node.dataset.kind;
    node.dataset.kind = kind;
    const sentence = element("span", {}, ...parts);
    // A link in it must not be drawn anew under the pointer.
    if (state.textContent !== sentence.textContent) state.replaceChildren(sentence);
    if (before !== kind && past.last() !== undefined) draw();
    if (aloud === null || kind === said) return;
    // That all is well is news only after it was not.
    if (said !== null || kind !== "live") announce(aloud);
    said = kind;
  }

  function set(name, value, remark) {
    const figure = figures.get(name);
    figure.value.textContent = value;
    if (remark !== undefined) figure.remark.textContent = remark;
  }

  function draw() {
    const last = past.last();
    const current = CURRENT.includes(node.dataset.kind);
    const rate = (current ? past.current() : undefined) ?? {};
    const all = (value) => (value === null ? "" : say("flow.total", { n: value }));
    set("received", perSecond(rate.received), all(last.received));
    set("applied", perSecond(rate.applied), applied(last));
    set("rejected", perSecond(rate.rejected), all(last.rejected));
    set("pending", known(last.pending), waiting(last));
    if (last.lag === null && last.received !== null) set("lag", "—", say("flow.lag_none"));
    else set("lag", known(last.lag), lagging(last));
    set("open", known(last.dead_letters_open));
    expired.textContent = deleted(last);
    rates.show(past.rates(), new Date(last.at), current);
  }

  function show(event, data) {
    if (event === "connecting" && said !== "lost") tell(event, [say("flow.connecting")]);
    if (event === "paused") tell(event, [say("flow.paused")]);
    if (event === "lost") tell(event, lost(data), say("flow.lost"));
    if (event !== "flow") return;
    past.add(data);
    gaps.show(data.gaps_open);
    if (data.received === null) tell("failing", [say("flow.failing")], say("flow.failing"));
    else if (data.status !== "ok") tell("partly", partly(), say("flow.partly"));
    else tell("live", [say("flow.live")], say("flow.live"));
    draw();
  }

  tell("connecting", [say("flow.connecting")]);
  return { node, show };
}

function lost({ why, left }) {
  if (why === undefined) return [say("flow.lost_in", { seconds: left })];
  // In the words of the service, which speaks English.
  return sayParts("flow.refused_in", { why: element("span", { lang: "en" }, why), seconds: left });
}

function partly() {
  return [say("flow.partly"), " ", element("a", { href: "healthz" }, say("flow.health"))];
}

/** A rate; a dash where there is nothing to take the difference to. */
function perSecond(value) {
  if (value === undefined) return "—";
  return value === null ? say("value.unknown") : say("flow.rate", { n: value });
}

function applied(last) {
  if (last.applied === null) return "";
  if (last.replaced === 0) return say("flow.total", { n: last.applied });
  return say("flow.total_applied", { n: last.applied + last.replaced, replaced: last.replaced });
}

/** What the lag is; with more than one source, that of each. */
function lagging(last) {
  const sources = Object.entries(last.lag_by_source ?? {});
  if (sources.length < 2) return say("flow.lag_what");
  return say("flow.lag_each", { sources: sources.map(([source, lag]) => `${source} ${known(lag)}`).join(", ") });
}

/** What was deleted for its age; nothing where nothing was. */
function deleted(last) {
  const { orders = 0, dead_letters = 0, history = 0 } = last.expired ?? {};
  return orders + dead_letters + history === 0 ? "" : say("flow.expired", { orders, dead_letters, history });
}

function waiting(last) {
  if (last.pending === null || last.oldest_pending_seconds === null) return "";
  return last.pending === 0 ? say("flow.nothing_waits") : say("flow.oldest", { n: Math.ceil(last.oldest_pending_seconds * 10) / 10 });
}
