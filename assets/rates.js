// The past of the flow: totals as they came, and the rates between them.

/** How far back the past reaches. */
export const SPAN_MS = 5 * 60_000;

// Between two events further apart than this there is no rate: nothing is known of when what came in between did.
const GAP_MS = 5_000;

/** The events of the last minutes, and what a second between two of them held. */
export class Past {
  #last;
  #rates = [];

  /** Takes a `flow` event; one of the same moment as the last, told again, is left out. */
  add(event) {
    const at = Date.parse(event.at);
    const before = this.#last;
    const elapsed = before === undefined ? 0 : at - Date.parse(before.at);
    if (before !== undefined && elapsed === 0) return;
    this.#last = event;
    // A clock that was set back has no past.
    if (elapsed < 0) this.#rates = [];
    if (elapsed > 0 && elapsed <= GAP_MS) {
      const joined = this.#rates.at(-1)?.at === at - elapsed;
      this.#rates.push({ at, joined, ...between(before, event, elapsed) });
    }
    this.#rates = this.#rates.filter((rate) => rate.at >= at - SPAN_MS);
  }

  /** The event that came last, or undefined. */
  last() {
    return this.#last;
  }

  /** The rate up to the last event; undefined where there is nothing to take the difference to. */
  current() {
    const rate = this.#rates.at(-1);
    return rate?.at === Date.parse(this.#last?.at) ? rate : undefined;
  }

  /** Each as { at, joined, received, applied, rejected }: milliseconds, whether it follows on the one before, messages a second or null. */
  rates() {
    return this.#rates;
  }
}

function between(before, event, elapsed) {
  const rate = (...names) => {
    if (names.some((name) => before[name] === null || event[name] === null)) return null;
    const difference = names.reduce((sum, name) => sum + event[name] - before[name], 0);
    // Totals that shrink belong to another store.
    return difference >= 0 ? (difference * 1000) / elapsed : null;
  };
  return { received: rate("received"), applied: rate("applied", "replaced"), rejected: rate("rejected") };
}
