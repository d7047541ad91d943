// One request to the service, and its answer.

import { retryAfter } from "./retry.js";
import { authorization, refuse, token } from "./token.js";

// The service gives its store 5 s; past four times that nobody is going to answer.
const ANSWER_LIMIT_MS = 20_000;

/**
 * Sends one request and gives its answer as { status, text, size, retryAfter }; the status is 0 when none came or `signal` was aborted.
 * `admin` sends the token, and forgets one that is refused. The rest is as fetch takes it.
 */
export async function exchange(path, { signal, admin = false, headers = {}, ...rest } = {}) {
  try {
    const limit = AbortSignal.any([AbortSignal.timeout(ANSWER_LIMIT_MS), ...(signal === undefined ? [] : [signal])]);
    const sent = admin ? token() : null;
    const response = await fetch(path, { ...rest, signal: limit, headers: admin ? { ...headers, ...authorization() } : headers });
    const bytes = await response.arrayBuffer();
    if (response.status === 401 && sent !== null && sent === token()) refuse();
    return {
      status: response.status,
      text: new TextDecoder().decode(bytes),
      size: bytes.byteLength,
      retryAfter: retryAfter(response),
    };
  } catch {
    return { status: 0, text: "", size: 0, retryAfter: 0 };
  }
}
