// Changes: each is sent once, since only a person can say whether to do it again.

import { detail, isNotNow } from "./answer.js";
import { element } from "./dom.js";
import { exchange } from "./exchange.js";
import { say } from "./language.js";

/**
 * Sends a change and gives its answer, as `exchange` does; the status is 0 when the answer was lost, and then the change may have been
 * made. A text as `body` is sent as it is, anything else as JSON. Leaving the view does not take it back.
 */
export function act(method, path, body) {
  if (body === undefined) return exchange(path, { method, admin: true });
  const [type, sent] = typeof body === "string" ? ["application/octet-stream", body] : ["application/json", JSON.stringify(body)];
  return exchange(path, { method, admin: true, body: sent, headers: { "Content-Type": type } });
}

/** Why nothing is known to have come of a change, and what to do: nodes and texts of a paragraph. */
export function whyNot(answer) {
  const why = detail(answer.text);
  // In the words of the service, which speaks English.
  const words = why === undefined ? [] : [" ", element("span", { lang: "en" }, `(${why})`)];
  return [reason(answer), ...words];
}

function reason(answer) {
  if (answer.status === 0) return say("act.silent", { host: location.host });
  if (answer.status === 413) return say("act.too_large");
  if (isNotNow(answer)) return say("act.not_now");
  return say("act.refused", { status: String(answer.status) });
}
