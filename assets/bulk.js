// All dead letters of a filter at once: how many there are and would pass now, and the bulk that replays or discards them.

import { whyNot } from "./act.js";
import { confirm } from "./confirm.js";
import { button, element } from "./dom.js";
import { draft, dropDraft, keepDraft } from "./drafts.js";
import { exchange } from "./exchange.js";
import { selectionOf } from "./filter.js";
import { announce } from "./frame.js";
import { codeText, say } from "./language.js";
import { closeJob, goOn, job, startJob, stopJob, unlockJob, watchJob } from "./job.js";

const NOTE = "note of a bulk";

// What was done, and what was when answers were lost.
const DONE = {
  replay: ["bulk.replayed", "bulk.replayed_at_least"],
  discard: ["bulk.discarded", "bulk.discarded_at_least"],
};

/** The section, for a reader with a token; `again` draws the list anew. */
export function bulkSection(filter, signal, again) {
  const node = element("section", { class: "bulk", "aria-label": say("bulk.title") });
  unlockJob();
  if (job() !== null) showJob();
  else if (filter.resolution === "open") offer();
  return node;

  function offer() {
    const why = element("p", { class: "wrong", role: "alert" });
    const count = button(say("bulk.offer"), async () => {
      if (node.getAttribute("aria-busy") === "true") return;
      node.setAttribute("aria-busy", "true");
      const answer = await exchange(`api/dead-letters/selection?${new URLSearchParams(selectionOf(filter))}`, { signal, admin: true });
      node.removeAttribute("aria-busy");
      if (signal.aborted) return;
      const found = answer.status === 200 ? selection(answer) : null;
      if (found !== null) choose(found);
      else if (answer.status === 401) again();
      else why.replaceChildren(...(answer.status === 200 ? [say("answer.foreign_why")] : whyNot(answer)));
    });
    node.replaceChildren(element("p", { class: "tools" }, count), why);
  }

  /** What the set is, and what can be done with it. */
  function choose(found) {
    const { matching, up_to: upTo, checked, would_pass: passing } = found;
    const said = element("p", { tabindex: "-1" }, counted(found));
    const cancel = button(say("bulk.cancel"), () => {
      offer();
      node.querySelector("button").focus();
    });
    const tools = [cancel];
    if (matching > 0) {
      const all = { filter: selectionOf(filter), up_to: upTo };
      const some = checked === matching ? say("bulk.replay_passing", { n: passing }) : say("bulk.replay_some");
      const onlyPassing = button(some, () =>
        ask("replay", say("bulk.ask_passing", { n: matching }), some, { ...all, only_passing: true }, matching),
      );
      const everything = say("bulk.replay_all", { n: matching });
      const discarding = say("bulk.discard_all", { n: matching });
      tools.unshift(
        button(everything, () => ask("replay", say("bulk.ask_replay", { n: matching }), everything, all, matching)),
        // When all were tried and none would pass, there is nothing to replay.
        ...(passing === 0 && checked === matching ? [] : [onlyPassing]),
        button(say("bulk.discard", { n: matching }), () => ask("discard", say("bulk.ask_discard", { n: matching }), discarding, all, matching)),
      );
    }
    node.replaceChildren(said, element("p", { class: "tools" }, ...tools));
    said.focus();
  }

  function ask(action, title, label, request, total) {
    const note = { text: draft(NOTE) ?? "", keep: (text) => (text === "" ? dropDraft(NOTE) : keepDraft(NOTE, text)) };
    const discards = action === "discard";
    const lines = [scope(filter), say(discards ? "bulk.discard_why" : "bulk.replay_why")];
    confirm(node, { title, lines, label, note: discards ? note : null }, async (text) => {
      dropDraft(NOTE);
      startJob(action, text === "" ? request : { ...request, note: text }, total);
      showJob();
      node.querySelector("[tabindex]").focus();
      return null;
    });
  }

  function showJob() {
    const said = element("p", { tabindex: "-1" });
    const bar = element("progress", { "aria-label": say("bulk.progress"), max: job().total });
    const tools = element("p", { class: "tools" });
    node.replaceChildren(said, bar, tools);
    // Buttons are drawn anew with the state alone, so that none moves away from under the pointer or the focus.
    let drawn = null;
    const show = () => {
      const work = job();
      if (work === null) return;
      // What somebody else did meanwhile is in no step.
      bar.value = work.state === "done" ? work.total : work.done + work.passedOver;
      said.replaceChildren(...progress(work));
      if (work.state === drawn) return;
      const focused = tools.contains(document.activeElement);
      if (drawn !== null) announce(said.textContent);
      tools.replaceChildren(...toolsOf(work));
      if (focused) (tools.querySelector("button") ?? said).focus();
      const [before, now] = [drawn, work.state];
      drawn = now;
      // The list as it is after the bulk; the form, when the token was refused.
      if (before !== null && ["done", "stopped", "locked"].includes(now)) again();
    };
    watchJob(signal, show);
    show();
  }

  function toolsOf({ state }) {
    const close = button(say("bulk.close"), () => {
      closeJob();
      again();
    });
    if (state === "running") return [button(say("bulk.stop"), stopJob)];
    if (state === "stopping") return [];
    return state === "done" ? [close] : [button(say("bulk.go_on"), goOn), close];
  }
}

/** The selection that an answer tells of; null when it is no answer of the service. */
function selection(answer) {
  try {
    const found = JSON.parse(answer.text);
    return [found.matching, found.checked, found.would_pass].every(Number.isInteger) ? found : null;
  } catch {
    return null;
  }
}

function counted({ matching, checked, would_pass: passing }) {
  if (matching === 0) return say("bulk.none");
  const pass = say(checked === matching ? "bulk.pass" : "bulk.pass_some", { m: passing, n: checked });
  return `${say("bulk.matching", { n: matching })} ${pass}`;
}

/** The filter in words. */
function scope({ reason, code, uid, since, until }) {
  const parts = [
    reason === "" ? "" : codeText("reason", reason),
    code === "" ? "" : codeText("code", code),
    uid,
    since === "" ? "" : `${say("filter.since")}: ${since}`,
    until === "" ? "" : `${say("filter.until")}: ${until}`,
  ].filter((part) => part !== "");
  return parts.length === 0 ? say("bulk.everything") : say("bulk.scope", { filter: parts.join("; ") });
}

/** How far a bulk is, and what it waits for: nodes and texts. */
function progress(work) {
  const discards = work.action === "discard";
  const parts = [say(`bulk_state.${work.state}`), " "];
  const [surely, atLeast] = DONE[work.action];
  parts.push(say(work.unsure ? atLeast : surely, { n: work.done, m: work.total }));
  if (work.passedOver > 0) parts.push(", ", say("bulk.passed_over", { n: work.passedOver }));
  parts.push(".");
  if (work.state === "running" && work.left > 0) parts.push(" ", say("bulk.waits", { seconds: work.left }));
  // In the words of the service, which speaks English.
  if (work.why !== "") parts.push(" ", element("span", { lang: "en" }, `(${work.why})`));
  if (work.state === "done" && !discards) parts.push(" ", say("bulk.again"));
  return parts;
}
