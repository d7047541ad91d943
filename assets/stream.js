// The live events of the service, read as a stream so that the token can go along in a header, which an EventSource
// can't do.

import { detail } from "./answer.js";
import { countdown, pause, retryAfter } from "./retry.js";
import { authorization } from "./token.js";

// An event comes every second; so long without one, the connection is dead and does not know it.
const SILENCE_LIMIT_MS = 10_000;

// Cut, silent, hidden or no server at all: what follows is the same.
const CUT = { why: undefined, retryAfter: 0 };

/**
 * Follows /api/events until `signal` is aborted, and connects again whenever that ends; stands still while the page is hidden.
 * `on(event, data)` is called for each event of the service and for its own: `connecting`, `paused`, and `lost` with
 * { why, left }: the reason that the service gave, if it did, and the seconds until the next try.
 */
export async function follow(signal, on) {
  let failures = 0;
  while (!signal.aborted) {
    if (document.hidden) {
      on("paused");
      await shown(signal);
      continue;
    }
    on("connecting");
    const lost = await round(signal, (event, data) => {
      failures = 0;
      on(event, data);
    });
    if (signal.aborted || document.hidden) continue;
    failures += 1;
    await countdown(pause(lost.retryAfter, failures), signal, (left) => on("lost", { why: lost.why, left }));
  }
}

/** One connection, to its end: why it ended, as { why, retryAfter }. */
async function round(signal, on) {
  const over = new AbortController();
  let silence;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => over.abort(), SILENCE_LIMIT_MS);
  };
  const hide = () => document.hidden && over.abort();
  document.addEventListener("visibilitychange", hide);
  try {
    heard();
    const options = { headers: authorization(), signal: AbortSignal.any([signal, over.signal]), cache: "no-store" };
    const response = await fetch("api/events", options).catch(() => null);
    if (response === null) return CUT;
    if (!response.ok) return { why: detail(await response.text().catch(() => "")), retryAfter: retryAfter(response) };
    for await (const { event, data } of events(response.body, heard)) tell(on, event, data);
    return CUT;
  } finally {
    clearTimeout(silence);
    document.removeEventListener("visibilitychange", hide);
    // Lets go of the connection, however the round ended.
    over.abort();
  }
}

/** What can't be read or drawn is a fault of the page, not of the connection: it is reported, and the next event is heard. */
function tell(on, event, data) {
  try {
    on(event, JSON.parse(data));
  } catch (error) {
    reportError(error);
  }
}

/** The events of a stream in the form of the HTML standard, as { event, data }, until it ends or is cut; `heard` is called whenever bytes came. */
async function* events(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let [rest, event, data] = ["", "", []];
  for (;;) {
    const { done, value } = await reader.read().catch(() => ({ done: true }));
    if (done) return;
    heard();
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines.map((whole) => whole.replace(/\r$/, ""))) {
      const [, name, said] = /^([^:]*):? ?([^]*)$/.exec(line);
      if (name === "event") event = said;
      if (name === "data") data.push(said);
      if (line !== "") continue;
      if (data.length > 0) yield { event: event === "" ? "message" : event, data: data.join("\n") };
      [event, data] = ["", []];
    }
  }
}

/** Resolves when the page is shown again, or `signal` is aborted. */
function shown(signal) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      over.abort();
      resolve();
    };
    document.addEventListener("visibilitychange", end, { signal: over.signal });
    signal.addEventListener("abort", end, { signal: over.signal });
  });
}
