// A bulk: step after step over a set that was fixed when it began, until nothing is left or the reader stops it. The service keeps
// nothing of it, so this does; it outlives the view, and stopped also the page.

import { act } from "./act.js";
import { detail, isNotNow } from "./answer.js";
import { recall, remember } from "./memory.js";
import { countdown, pause } from "./retry.js";

const KEPT = "orderbox.bulk";

let current = recalled();
const watchers = new Set();

/**
 * The bulk that runs or was the last, or null: { action, total, done, passedOver, unsure, state, left, why }. `state` is
 * running, stopping, stopped, locked (the token was refused), failed (and why) or done; `left` the seconds until the next step, 0 when it
 * is under way. `unsure` says that more may have been done than was counted: a step whose answer was lost is safe to repeat, since what
 * it did is no longer open; but it was not counted.
 */
export function job() {
  return current;
}

/** Begins a bulk: `action` is replay or discard, `request` what each step sends beside where it goes on, `total` how many there are. */
export function startJob(action, request, total) {
  current = { action, request, total, after: undefined, done: 0, passedOver: 0, unsure: false, left: 0, why: "" };
  run(current);
}

/** Ends it after the step that is under way. */
export function stopJob() {
  current.state = "stopping";
  current.over.abort();
  tell();
}

/** Goes on where it stopped. */
export function goOn() {
  run(current);
}

/** One that stood still without a token has one now: it is for the reader to go on. */
export function unlockJob() {
  if (current?.state === "locked") current.state = "stopped";
}

/** Forgets one that does not run. */
export function closeJob() {
  current = null;
  remember("sessionStorage", KEPT, null);
}

/** Calls `show` whenever something changes, until `signal` is aborted. */
export function watchJob(signal, show) {
  watchers.add(show);
  signal.addEventListener("abort", () => watchers.delete(show));
}

/** The bulk of this tab before the page was loaded anew. */
function recalled() {
  try {
    const work = JSON.parse(recall("sessionStorage", KEPT));
    // Nobody waited for the answer of the step that was under way.
    return isUnderWay(work) ? { ...work, state: "stopped", left: 0, unsure: true } : work;
  } catch {
    return null;
  }
}

function isUnderWay(work) {
  return ["running", "stopping"].includes(work?.state);
}

function tell() {
  remember("sessionStorage", KEPT, JSON.stringify(current));
  for (const show of watchers) show();
}

async function run(work) {
  Object.assign(work, { state: "running", why: "", over: new AbortController() });
  for (let failures = 0; ; ) {
    tell();
    const answer = await act("POST", `api/dead-letters/${work.action}`, { ...work.request, after: work.after });
    const step = answer.status === 200 ? stepOf(answer) : null;
    failures = step === null ? failures + 1 : 0;
    if (step !== null) take(work, step);
    else if (answer.status === 401) work.state = "locked";
    else if (isNotNow(answer)) Object.assign(work, { unsure: true, why: detail(answer.text) ?? "" });
    else Object.assign(work, { state: "failed", why: detail(answer.text) ?? "" });
    if (work.state === "running") await rest(work, failures === 0 ? answer.retryAfter : pause(answer.retryAfter, failures));
    if (work.state === "stopping") work.state = "stopped";
    if (work.state !== "running") return tell();
  }
}

function take(work, step) {
  work.done += step.replayed ?? step.discarded;
  // What is discarded is not looked at first.
  work.passedOver += step.passed_over ?? 0;
  Object.assign(work, { after: step.after, why: "" });
  if (!step.more) work.state = "done";
}

async function rest(work, seconds) {
  if (seconds === 0) return;
  await countdown(seconds, work.over.signal, (left) => {
    work.left = left;
    tell();
  });
  work.left = 0;
}

/** The step that an answer tells of; null when it is no answer of the service. */
function stepOf(answer) {
  try {
    const step = JSON.parse(answer.text);
    const numbers = [step.replayed ?? step.discarded, step.passed_over ?? 0, step.after];
    return numbers.every(Number.isInteger) && typeof step.more === "boolean" ? step : null;
  } catch {
    return null;
  }
}

addEventListener("beforeunload", (event) => {
  if (isUnderWay(current)) event.preventDefault();
});
