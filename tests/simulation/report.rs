//! What many seeds add up to.

use super::journal::Counts;

/// What must come up in any few hundred seeds, or the simulation does not try what it says.
const MUST_HAPPEN: &[&str] = &[
    "applied",
    "replaced",
    "unchanged",
    "outdated",
    "rejected",
    "settled by another",
    "expired",
    "recorded",
    "postponed",
    "taken",
    "joined",
    "dropped, no room",
    "delivered",
    "redelivered, flagged",
    "redelivered, not flagged",
    "acked",
    "burst",
    "broker: delivery lost",
    "broker: redelivered out of order",
    "broker: ack lost",
    "broker: ack slow",
    "broker: ack of a dead subscription",
    "broker: link cut",
    "broker: sequence reset",
    "store: refused",
    "store: connection lost before commit",
    "store: answer lost after commit",
    "store: batch refused for data",
    "store: row refused for data",
    "store: hangs",
    "store: commits, no answer in time",
    "store: commits after the time-out",
    "store: slow",
    "row: can't be stored",
    "row: refused for now",
    "row: silences the store",
    "process: crash",
    "process: stopped, drained",
    "process: stopped, cut off",
    "process: outlived by its settle",
    "two instances",
    "post: taken",
    "post: refused",
    "post: connection lost",
    "read: cached",
    "read: loaded",
    "read: joined a load",
    "read: absent",
    "read: store failed",
    "read: gave up",
    "cache: evictions",
];

/// Adds the counts of a run.
pub(crate) fn add(total: &mut Counts, run: &Counts) {
    for (name, count) in run {
        *total.entry(name).or_default() += count;
    }
}

/// One line a thing, for a person.
pub(crate) fn table(seeds: u64, total: &Counts) -> String {
    let lines = total.iter().map(|(name, count)| format!("{count:>12}  {name}\n"));
    format!("{seeds} seeds, every promise kept\n{}", lines.collect::<String>())
}

/// What never happened although it must.
pub(crate) fn missing(total: &Counts) -> Vec<&'static str> {
    MUST_HAPPEN.iter().filter(|name| total.get(**name).is_none_or(|count| *count == 0)).copied().collect()
}
