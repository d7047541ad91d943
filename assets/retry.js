// When to try again, and the wait until then.

const LONGEST_PAUSE_S = 30;

/** The seconds that an answer asks to wait for; 0 when it does not say. */
export function retryAfter(response) {
  const asked = Number(response.headers.get("Retry-After"));
  return Number.isFinite(asked) ? asked : 0;
}

/** How many seconds to wait after so many tries in vain: what the service asks for, and longer each time. */
export function pause(asked, count) {
  return Math.min(Math.max(asked, 2 ** (count - 1), 1), LONGEST_PAUSE_S);
}

/** Counts whole seconds down; ends early when the network comes back, the page is hidden or shown, or `signal` is aborted. */
export function countdown(seconds, signal, tick) {
  const early = [[window, "online"], [document, "visibilitychange"], [signal, "abort"]];
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      clearInterval(timer);
      over.abort();
      resolve();
    };
    let left = seconds;
    const timer = setInterval(() => {
      left -= 1;
      if (left === 0) end();
      else tick(left);
    }, 1000);
    for (const [target, event] of early) target.addEventListener(event, end, { signal: over.signal });
    tick(left);
  });
}
