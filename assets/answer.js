// How the service is asked, and what is said when it does not answer as hoped.

import { button, element } from "./dom.js";
import { exchange } from "./exchange.js";
import { busy, draw, message } from "./frame.js";
import { get, parse } from "./json.js";
import { say } from "./language.js";
import { countdown, pause } from "./retry.js";

// Answers that say "not now": the service's own, and those of a proxy before it.
const NOT_NOW = [429, 502, 503, 504];

/**
 * Asks for `path` until there is an answer other than "not now", and gives it to `show`; `outage` is the title of what is said
 * meanwhile. An answer is { status, text, size }; one that `show` throws at is said to be unreadable. Ends without a word when
 * `signal` is aborted. `admin` sends the token.
 */
export async function ask(path, outage, signal, show, admin = false) {
  const view = outageView(outage);
  for (let count = 1; ; count += 1) {
    busy(true);
    const answer = await exchange(path, { signal, admin });
    if (signal.aborted) return;
    if (isNotNow(answer)) await view.wait(answer, count, signal);
    else return shown(answer);
    if (signal.aborted) return;
  }

  function shown(answer) {
    try {
      show(answer);
    } catch (error) {
      // The reader learns that it failed, whoever mends it learns why.
      reportError(error);
      const [title, why] = [say("answer.foreign"), say("answer.foreign_why")];
      draw(title, `${title}: ${why}`, message(title, [why], button(say("answer.again"), () => ask(path, outage, signal, show, admin))));
    }
  }
}

/**
 * Says what is wrong. `wait` says it of an answer and resolves when to try again: after the pause that the service asks for, at once
 * when the network is back or the reader wants to. Later tries change its texts alone, so the focus stays where it is.
 */
function outageView(outage) {
  const [name, why, next] = [element("span"), element("p"), element("p", { class: "quiet" })];
  let now = new AbortController();
  const view = message(name, [why, next], button(say("answer.now"), () => now.abort()));

  async function wait(answer, count, signal) {
    const silent = answer.status === 0;
    const title = silent ? say("answer.silent") : outage;
    name.textContent = title;
    why.textContent = silent
      ? say("answer.silent_why", { host: location.host })
      : (detail(answer.text) ?? say("answer.not_now", { status: String(answer.status) }));
    // Said once: a screen reader need not hear every try.
    if (count === 1) draw(title, say("answer.retry_said", { title }), view);
    else busy(false);
    now = new AbortController();
    await countdown(pause(answer.retryAfter, count), AbortSignal.any([signal, now.signal]), (seconds) => {
      next.textContent = say("answer.retry_in", { seconds, attempt: count + 1 });
    });
  }

  return { wait };
}

/** Whether another time the answer may be a better one; no answer at all is one of those. */
export function isNotNow({ status }) {
  return status === 0 || NOT_NOW.includes(status);
}

/** The `detail` of a problem document, or undefined when the text is something else. */
export function detail(text) {
  try {
    return get(parse(text), "detail")?.text;
  } catch {
    return undefined;
  }
}

/** Says why there is nothing to show. */
export function showRefusal(title, answer, ...actions) {
  const why = detail(answer.text) ?? say("answer.no_reason");
  draw(title, `${title}: ${why}`, message(title, [why], ...actions));
}
