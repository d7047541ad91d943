use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

use super::SourceKind;

/// How long a closed gap is kept.
pub(super) const KEPT: Duration = Duration::days(30);

/// Sequences of a channel that were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The first of them.
    pub first: i64,
    /// The last of them.
    pub last: i64,
    /// When the message after them was published, in nanoseconds since the Unix epoch by the broker's clock.
    pub before_ns: i64,
    /// They did not come in time; before that they may only be late.
    pub lost: bool,
}

/// A lost gap as it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapReport {
    /// The source.
    pub source: SourceKind,
    /// Its channel.
    pub channel: String,
    /// The first sequence that was skipped.
    pub first: i64,
    /// The last one.
    pub last: i64,
    /// When this was noticed.
    pub seen_at: OffsetDateTime,
    /// When the messages came after all; `None` while they are missing.
    pub closed_at: Option<OffsetDateTime>,
}

/// A row as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) gap: Gap,
    pub(super) seen_at: OffsetDateTime,
    pub(super) closed_at: Option<OffsetDateTime>,
}

/// What tells the rows of a channel apart: `before_ns` and `first`.
pub(super) type Key = (i64, i64);

impl Gap {
    fn key(&self) -> Key {
        (self.before_ns, self.first)
    }
}

/// What is to be done so that exactly `wanted` is missing.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// The rows that go.
    pub(super) gone: Vec<Key>,
    /// The rows that come, or are other than before.
    pub(super) put: Vec<Row>,
    /// So many gaps are newly lost.
    pub(super) newly_lost: u64,
}

/// How the rows of a channel change when exactly `wanted` is missing now. `rows` are the open ones, and those closed ones that were
/// a part of the same gap as an open one. What is no longer missing of a lost gap is closed, and one row with what came beside it;
/// what was not lost yet leaves no trace.
pub(super) fn rewritten(rows: &[Row], wanted: &[Gap], now: OffsetDateTime) -> Rewritten {
    let (mut closed, open): (Vec<Row>, Vec<Row>) =
        rows.iter().copied().partition(|row| row.closed_at.is_some());
    let known: BTreeSet<Gap> = open.iter().map(|row| row.gap).collect();
    let still_wanted: BTreeSet<&Gap> = wanted.iter().collect();
    let (mut open, changed): (Vec<Row>, Vec<Row>) =
        open.into_iter().partition(|row| still_wanted.contains(&row.gap));
    let changed: BTreeMap<Key, Row> = changed.into_iter().map(|row| (row.gap.key(), row)).collect();
    let mut still: BTreeMap<Key, Vec<Gap>> = BTreeMap::new();
    let mut newly_lost = 0;
    for gap in wanted.iter().filter(|gap| !known.contains(gap)) {
        let (mut seen_at, mut was_lost) = (now, false);
        for (key, row) in parts(&changed, gap) {
            seen_at = seen_at.min(row.seen_at);
            was_lost |= row.gap.lost;
            still.entry(*key).or_default().push(*gap);
        }
        newly_lost += u64::from(gap.lost && !was_lost);
        open.push(Row { gap: *gap, seen_at, closed_at: None });
    }
    for (key, row) in changed.iter().filter(|(_, row)| row.gap.lost) {
        let came = without(row.gap, still.remove(key).unwrap_or_default());
        closed.extend(came.into_iter().map(|gap| Row { gap, closed_at: Some(now), ..*row }));
    }
    join_neighbours(&mut closed);

    let after: BTreeMap<Key, Row> = closed.into_iter().chain(open).map(|row| (row.gap.key(), row)).collect();
    let before: BTreeMap<Key, &Row> = rows.iter().map(|row| (row.gap.key(), row)).collect();
    let gone = before.keys().filter(|key| !after.contains_key(key)).copied().collect();
    let put = after.iter().filter(|(key, row)| before.get(key) != Some(row)).map(|(_, row)| *row).collect();
    Rewritten { gone, put, newly_lost }
}

/// The rows of which `gap` is made: one that it is the rest of, or those that were joined. Rows of one life of the channel are in
/// the order of their numbers, and those of the next one come after them, so these are neighbours.
fn parts<'a>(rows: &'a BTreeMap<Key, Row>, gap: &Gap) -> impl Iterator<Item = (&'a Key, &'a Row)> {
    let (first, last) = (gap.first, gap.last);
    rows.range(..=(gap.before_ns, last))
        .rev()
        .take_while(move |(_, row)| row.gap.first <= last && row.gap.last >= first)
}

/// What is left of `gap` without those that are `still` missing.
fn without(gap: Gap, mut still: Vec<Gap>) -> Vec<Gap> {
    still.sort_unstable_by_key(|still| still.first);
    let mut left = Vec::new();
    let mut next = gap.first;
    for still in still {
        left.push(Gap { first: next, last: still.first - 1, ..gap });
        next = next.max(still.last + 1);
    }
    left.push(Gap { first: next, ..gap });
    left.retain(|gap| gap.first <= gap.last);
    left
}

/// Messages that came one by one would be a row each.
fn join_neighbours(closed: &mut Vec<Row>) {
    closed.sort_unstable_by_key(|row| row.gap.key());
    closed.dedup_by(|next, row| {
        let neighbours = next.gap.before_ns == row.gap.before_ns && next.gap.first <= row.gap.last + 1;
        if neighbours {
            row.gap.last = row.gap.last.max(next.gap.last);
            row.seen_at = row.seen_at.min(next.seen_at);
            row.closed_at = row.closed_at.max(next.closed_at);
        }
        neighbours
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const THEN: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH.saturating_add(Duration::DAY);

    fn gap(first: i64, last: i64, lost: bool) -> Gap {
        Gap { first, last, before_ns: 19, lost }
    }

    fn row(gap: Gap) -> Row {
        Row { gap, seen_at: THEN, closed_at: None }
    }

    /// First, last, and whether it is closed.
    fn shown(rows: &[Row]) -> Vec<(i64, i64, bool)> {
        rows.iter().map(|row| (row.gap.first, row.gap.last, row.closed_at.is_some())).collect()
    }

    #[test]
    fn what_came_of_a_lost_gap_is_closed_and_the_rest_stays_as_old_as_it_is() {
        let Rewritten { gone, put, newly_lost } =
            rewritten(&[row(gap(3, 18, true))], &[gap(3, 9, true), gap(11, 18, true)], NOW);
        assert_eq!(shown(&put), [(3, 9, false), (10, 10, true), (11, 18, false)]);
        assert!(put.iter().all(|row| row.seen_at == THEN));
        assert_eq!((gone, newly_lost), (Vec::new(), 0));
    }

    #[test]
    fn a_suspected_gap_leaves_no_trace_or_is_lost_where_it_is() {
        let suspected = [row(gap(3, 18, false))];
        let Rewritten { gone, put, .. } = rewritten(&suspected, &[], NOW);
        assert_eq!((gone, put), (vec![(19, 3)], Vec::new()));
        let Rewritten { gone, put, newly_lost } = rewritten(&suspected, &[gap(3, 18, true)], NOW);
        assert_eq!((gone, put, newly_lost), (Vec::new(), vec![row(gap(3, 18, true))], 1));
    }

    #[test]
    fn what_stays_as_it_is_is_not_written_again() {
        let rows = [row(gap(3, 5, true)), row(gap(7, 7, true))];
        let Rewritten { gone, put, newly_lost } = rewritten(&rows, &[gap(3, 5, true), gap(9, 9, true)], NOW);
        assert_eq!((gone, newly_lost), (Vec::new(), 1));
        assert_eq!(shown(&put), [(7, 7, true), (9, 9, false)]);
    }

    #[test]
    fn what_comes_one_by_one_is_one_closed_row() {
        let mut rows: BTreeMap<Key, Row> = BTreeMap::from([((19, 3), row(gap(3, 18, true)))]);
        let mut missing: BTreeSet<i64> = (3..=18).collect();
        for came in [3, 18, 5, 4, 9, 8, 17, 10, 6, 7, 11, 16, 12, 15, 13, 14] {
            missing.remove(&came);
            let wanted: Vec<Gap> = missing.iter().map(|&only| gap(only, only, true)).collect();
            let present: Vec<Row> = rows.values().copied().collect();
            let Rewritten { gone, put, newly_lost } = rewritten(&present, &wanted, NOW);
            assert_eq!(newly_lost, 0);
            rows.retain(|key, _| !gone.contains(key));
            rows.extend(put.into_iter().map(|row| (row.gap.key(), row)));
        }
        assert_eq!(shown(&rows.into_values().collect::<Vec<_>>()), [(3, 18, true)]);
    }

    #[test]
    fn lost_gaps_that_become_one_are_neither_closed_nor_told_again() {
        let of = |first, last, before_ns| Gap { first, last, before_ns, lost: true };
        let rows = [row(of(3, 4, 5)), row(of(6, 7, 8)), row(of(20, 21, 22))];
        let Rewritten { gone, put, newly_lost } = rewritten(&rows, &[of(3, 7, 8), of(20, 21, 22)], NOW);
        assert_eq!((gone, newly_lost), (vec![(5, 3), (8, 6)], 0));
        assert_eq!(put, [row(of(3, 7, 8))]);
    }
}
