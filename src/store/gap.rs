use std::collections::BTreeSet;

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
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) gap: Gap,
    pub(super) seen_at: OffsetDateTime,
    pub(super) closed_at: Option<OffsetDateTime>,
}

/// What is to be done so that exactly `wanted` is missing.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// These rows go.
    pub(super) gone: Vec<Row>,
    /// These come.
    pub(super) new: Vec<Row>,
    /// So many gaps are newly lost.
    pub(super) newly_lost: u64,
}

/// How the rows of a channel that are not closed change when exactly `wanted` is missing now. What is no longer missing of a lost
/// gap becomes a closed row; what was not lost yet leaves no trace.
pub(super) fn rewritten(rows: &[Row], wanted: &[Gap], now: OffsetDateTime) -> Rewritten {
    let kept: BTreeSet<Gap> = {
        let wanted: BTreeSet<&Gap> = wanted.iter().collect();
        rows.iter().map(|row| row.gap).filter(|gap| wanted.contains(gap)).collect()
    };
    let gone: Vec<Row> = rows.iter().filter(|row| !kept.contains(&row.gap)).copied().collect();
    let (mut new, mut newly_lost) = (Vec::new(), 0);
    for gap in wanted.iter().filter(|gap| !kept.contains(gap)) {
        let parent = gone.iter().find(|row| {
            row.gap.before_ns == gap.before_ns && row.gap.first <= gap.last && row.gap.last >= gap.first
        });
        newly_lost += u64::from(gap.lost && !parent.is_some_and(|row| row.gap.lost));
        new.push(Row { gap: *gap, seen_at: parent.map_or(now, |row| row.seen_at), closed_at: None });
    }
    for row in gone.iter().filter(|row| row.gap.lost) {
        let mut next = row.gap.first;
        let mut missing: Vec<&Gap> = wanted.iter().filter(|gap| gap.before_ns == row.gap.before_ns).collect();
        missing.sort_unstable_by_key(|gap| gap.first);
        let mut came = |first: i64, last: i64| {
            if first <= last {
                new.push(Row { gap: Gap { first, last, ..row.gap }, closed_at: Some(now), ..*row });
            }
        };
        for gap in missing {
            came(next, (gap.first - 1).min(row.gap.last));
            next = next.max(gap.last + 1);
        }
        came(next, row.gap.last);
    }
    Rewritten { gone, new, newly_lost }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_a_lost_gap_is_closed_and_the_rest_stays_as_old_as_it_is() {
        let (then, now) = (OffsetDateTime::UNIX_EPOCH, OffsetDateTime::UNIX_EPOCH + Duration::DAY);
        let gap = |first, last, lost| Gap { first, last, before_ns: 19, lost };
        let row = |gap, closed_at| Row { gap, seen_at: then, closed_at };
        let rows = [row(gap(3, 18, true), None)];
        let Rewritten { new: after, newly_lost, .. } =
            rewritten(&rows, &[gap(3, 9, true), gap(11, 18, true)], now);
        let shown: Vec<_> =
            after.iter().map(|row| (row.gap.first, row.gap.last, row.closed_at.is_some())).collect();
        assert_eq!(shown, [(3, 9, false), (11, 18, false), (10, 10, true)]);
        assert!(after.iter().all(|row| row.seen_at == then));
        assert_eq!(newly_lost, 0);
        let suspected = [row(gap(3, 18, false), None)];
        assert!(rewritten(&suspected, &[], now).new.is_empty());
        assert_eq!(rewritten(&suspected, &[gap(3, 18, true)], now).newly_lost, 1);
    }
    #[test]
    fn what_stays_as_it_is_is_not_written_again() {
        let gap = |first, last| Gap { first, last, before_ns: 19, lost: true };
        let row = |gap| Row { gap, seen_at: OffsetDateTime::UNIX_EPOCH, closed_at: None };
        let rows = [row(gap(3, 5)), row(gap(7, 7))];
        let Rewritten { gone, new, newly_lost } =
            rewritten(&rows, &[gap(3, 5), gap(9, 9)], OffsetDateTime::UNIX_EPOCH);
        let firsts = |rows: &[Row]| rows.iter().map(|row| row.gap.first).collect::<Vec<_>>();
        assert_eq!((firsts(&gone), firsts(&new), newly_lost), (vec![7], vec![9, 7], 1));
    }
}
