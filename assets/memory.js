// What outlives a reload: "localStorage" for good, "sessionStorage" for this tab. A browser may forbid both; then the
// page forgets, and works.

/** The text that was kept under `key`, or null. */
export function recall(area, key) {
  try {
    return window[area].getItem(key);
  } catch {
    return null;
  }
}

/** Keeps `text` under `key`; null removes what is there. */
export function remember(area, key, text) {
  try {
    if (text === null) window[area].removeItem(key);
    else window[area].setItem(key, text);
  } catch {
    // Forbidden or full: nothing on the page depends on it.
  }
}
