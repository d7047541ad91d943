use std::time::Duration;

use tokio::time::Instant;

use crate::store::Gap;

/// The most holes that are remembered at once, twice what the server has under way by default. When there are more, the two with
/// the fewest messages between them become one, which then tells of more messages than are missing, never of fewer.
const MOST: usize = 16_384;

/// How many ack waits a hole may last: within one everything that was sent and not acked comes again.
const ACK_WAITS: u32 = 3;

/// Finds what a durable subscription of its own should have brought and did not.
///
/// First deliveries are dense: the server sends the messages of a channel in the order of their sequences. A sequence that is
/// skipped may still come (it was sent while the link was cut), so a hole counts as a gap only when it has lasted for three
/// ack waits of one connection. What this process drops for want of room has been seen and makes no hole. Members of a queue
/// group see holes all the time, so theirs are not tracked.
///
/// A sequence that is not past the last one is a copy, unless its time is later: then the channel began again at 1, which is no
/// gap; what comes before the first message that we get of its new life is one.
/// Times never fall within a channel, so a message belongs to a hole only when it is no later than the one that revealed it:
/// a number that a new life of the channel uses again fills no hole of the former one.
#[derive(Debug)]
pub(super) struct Gaps {
    patience: Duration,
    last: Option<(i64, i64)>,
    /// In the order in which they were revealed.
    holes: Vec<Hole>,
}

/// Sequences that were skipped.
#[derive(Debug, Clone, Copy)]
struct Hole {
    first: i64,
    last: i64,
    before_ns: i64,
    /// When it counts as a gap unless it is filled; `None` once it does.
    due: Option<Instant>,
}

impl Gaps {
    /// Starts after the last message that is known of the channel, its sequence and its time, with what was `missing` then.
    /// A hole is known before the message that revealed it, so it may be the last that is known.
    /// Without any the first delivery is the beginning, whatever its sequence: what limits discarded before anyone here read
    /// the channel is no loss.
    pub(super) fn new(ack_wait: Duration, last: Option<(i64, i64)>, missing: &[Gap], now: Instant) -> Self {
        let patience = ack_wait * ACK_WAITS;
        let hole = |gap: &Gap| Hole {
            first: gap.first,
            last: gap.last,
            before_ns: gap.before_ns,
            due: (!gap.lost).then(|| now + patience),
        };
        let ends = missing.iter().map(|gap| (gap.last, gap.before_ns));
        let last = ends.chain(last).max_by_key(|&(sequence, ns)| (ns, sequence));
        Self { patience, last, holes: missing.iter().map(hole).collect() }
    }

    /// A delivery has come, for the first time or again. `true` when that changes what is missing.
    pub(super) fn see(&mut self, sequence: i64, published_at_ns: i64, now: Instant) -> bool {
        let next = Some((sequence, published_at_ns));
        let Some((last, last_ns)) = self.last else {
            self.last = next;
            return false;
        };
        if sequence > last {
            self.last = next;
            self.skip(last + 1, sequence, published_at_ns, now)
        } else if published_at_ns > last_ns {
            self.last = next;
            self.skip(1, sequence, published_at_ns, now)
        } else {
            self.fill(sequence, published_at_ns)
        }
    }

    /// A message has come where `first` was to come; `false` when it is that one.
    fn skip(&mut self, first: i64, sequence: i64, before_ns: i64, now: Instant) -> bool {
        if sequence <= first {
            return false;
        }
        self.holes.push(Hole { first, last: sequence - 1, before_ns, due: Some(now + self.patience) });
        self.bound();
        true
    }

    /// The first and the last of those that have lasted too long; each is told once.
    pub(super) fn lost(&mut self, now: Instant) -> Vec<(i64, i64)> {
        let due = self.holes.iter_mut().filter(|hole| hole.due.is_some_and(|due| due <= now));
        due.map(|hole| {
            hole.due = None;
            (hole.first, hole.last)
        })
        .collect()
    }

    /// Deliveries were held up, or come over a new connection, on which what was not acked comes again: holes wait anew.
    pub(super) fn wait_anew(&mut self, now: Instant) {
        for due in self.holes.iter_mut().filter_map(|hole| hole.due.as_mut()) {
            *due = now + self.patience;
        }
    }

    /// All that is missing.
    pub(super) fn missing(&self) -> Vec<Gap> {
        let gap = |hole: &Hole| Gap {
            first: hole.first,
            last: hole.last,
            before_ns: hole.before_ns,
            lost: hole.due.is_none(),
        };
        self.holes.iter().map(gap).collect()
    }

    fn fill(&mut self, sequence: i64, published_at_ns: i64) -> bool {
        let belongs =
            |hole: &Hole| (hole.first..=hole.last).contains(&sequence) && published_at_ns <= hole.before_ns;
        let Some(place) = self.holes.iter().position(belongs) else { return false };
        let hole = self.holes[place];
        let before = (sequence > hole.first).then(|| Hole { last: sequence - 1, ..hole });
        let after = (sequence < hole.last).then(|| Hole { first: sequence + 1, ..hole });
        self.holes.splice(place..=place, before.into_iter().chain(after));
        self.bound();
        true
    }

    /// A lost hole is never joined with one that is not, nor holes of two lives of the channel, while others can be: only
    /// neighbours whose numbers rise.
    fn bound(&mut self) {
        while self.holes.len() > MOST {
            let cost = |pair: &[Hole]| {
                let between = pair[1].first.checked_sub(pair[0].last).filter(|between| *between >= 0);
                (pair[0].due.is_none() != pair[1].due.is_none(), between.unwrap_or(i64::MAX))
            };
            let place = (0..self.holes.len() - 1)
                .min_by_key(|&place| cost(&self.holes[place..place + 2]))
                .expect("there are two holes at least");
            let second = self.holes.remove(place + 1);
            let first = &mut self.holes[place];
            // The later of both times: none of its messages may be called lost too early.
            let due = first.due.max(second.due);
            let joined = Hole {
                first: first.first.min(second.first),
                last: first.last.max(second.last),
                due,
                ..second
            };
            *first = joined;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const WAIT: Duration = Duration::from_secs(1);
    const PATIENCE: Duration = Duration::from_secs(3);

    fn after(last: i64) -> Gaps {
        Gaps::new(WAIT, Some((last, last)), &[], Instant::now())
    }

    #[test]
    fn a_hole_is_lost_after_three_ack_waits_and_told_once() {
        let (mut gaps, now) = (after(2), Instant::now());
        assert!(gaps.see(19, 19, now));
        assert!(gaps.lost(now + PATIENCE - Duration::from_nanos(1)).is_empty());
        assert_eq!(gaps.lost(now + PATIENCE), [(3, 18)]);
        assert!(gaps.lost(now + 2 * PATIENCE).is_empty());
        assert!(gaps.see(5, 5, now), "late");
    }

    #[test]
    fn what_is_delivered_late_and_out_of_order_is_not_lost() {
        let (mut gaps, now) = (after(2), Instant::now());
        for sequence in [6, 4, 4, 2, 7, 3, 5] {
            gaps.see(sequence, sequence, now);
        }
        assert!(gaps.lost(now + PATIENCE).is_empty());
    }

    #[test]
    fn a_channel_that_begins_again_leaves_no_gap_and_fills_none_of_its_former_life() {
        let (mut gaps, now) = (after(2), Instant::now());
        gaps.see(9, 9, now);
        assert!(!gaps.see(1, 100, now));
        for sequence in 2..=9 {
            assert!(!gaps.see(sequence, 100 + sequence, now));
        }
        assert_eq!(gaps.lost(now + PATIENCE), [(3, 8)]);
    }

    #[test]
    fn what_a_channel_that_began_again_dropped_before_its_first_delivery_is_lost() {
        let (mut gaps, now) = (after(100), Instant::now());
        assert!(gaps.see(16, 200, now));
        gaps.see(17, 201, now);
        assert_eq!(gaps.lost(now + PATIENCE), [(1, 15)]);
    }

    #[test]
    fn the_first_message_is_the_beginning_only_where_nothing_was_read_before() {
        let now = Instant::now();
        assert!(!Gaps::new(WAIT, None, &[], now).see(700, 700, now));
        assert!(after(600).see(700, 700, now));
    }

    #[test]
    fn a_new_process_goes_on_with_what_was_missing() {
        let (mut gaps, now) = (after(2), Instant::now());
        gaps.see(5, 5, now);
        gaps.lost(now + PATIENCE);
        gaps.see(8, 8, now);
        let mut next = Gaps::new(WAIT, Some((8, 8)), &gaps.missing(), now);
        assert_eq!(next.missing(), gaps.missing());
        assert_eq!(next.lost(now + PATIENCE), [(6, 7)], "3 and 4 have been told");
    }

    #[test]
    fn a_hole_that_outlived_the_message_behind_it_is_filled_and_seen_once() {
        let now = Instant::now();
        let hole = Gap { first: 3, last: 18, before_ns: 19, lost: false };
        let mut late = Gaps::new(WAIT, Some((2, 2)), &[hole], now);
        for sequence in 3..=19 {
            late.see(sequence, sequence, now);
        }
        assert!(late.missing().is_empty());
        let mut lost = Gaps::new(WAIT, Some((2, 2)), &[hole], now);
        assert!(!lost.see(19, 19, now));
        assert_eq!(lost.lost(now + PATIENCE), [(3, 18)]);
    }

    #[test]
    fn a_new_connection_gives_holes_their_whole_time() {
        let (mut gaps, now) = (after(1), Instant::now());
        gaps.see(3, 3, now);
        gaps.wait_anew(now + PATIENCE);
        assert!(gaps.lost(now + PATIENCE).is_empty());
        assert_eq!(gaps.lost(now + 2 * PATIENCE), [(2, 2)]);
    }

    #[test]
    fn however_many_holes_there_are_the_memory_is_bounded_and_none_is_forgotten() {
        let (mut gaps, now) = (after(1), Instant::now());
        for sequence in (3..40_000).step_by(2) {
            gaps.see(sequence, sequence, now);
        }
        assert_eq!(gaps.holes.len(), MOST);
        let lost = gaps.lost(now + PATIENCE);
        let covered = |sequence| lost.iter().any(|&(first, last)| (first..=last).contains(&sequence));
        assert!((2..39_999).step_by(2).all(covered));
    }

    #[test]
    fn a_lost_hole_stays_lost_however_many_come_after_it() {
        let (mut gaps, now) = (after(1), Instant::now());
        for sequence in (3..40_000).step_by(2) {
            gaps.see(sequence, sequence, now);
        }
        let lost = gaps.lost(now + PATIENCE).len();
        let later = now + 2 * PATIENCE;
        for sequence in (40_001..40_201).step_by(2) {
            gaps.see(sequence, sequence, later);
        }
        let told_again = gaps.lost(later + PATIENCE);
        assert_eq!(lost, MOST);
        assert!(told_again.iter().all(|&(first, _)| first >= 40_000), "{:?}", told_again.first());
    }

    proptest! {
        #[test]
        fn exactly_what_never_came_is_lost(deliveries in prop::collection::vec(1..60_i64, 0..120)) {
            let (mut gaps, now) = (after(0), Instant::now());
            for &sequence in &deliveries {
                gaps.see(sequence, sequence, now);
            }
            let came: BTreeSet<i64> = deliveries.iter().copied().collect();
            let end = came.last().copied().unwrap_or(0);
            let missing: Vec<i64> = (1..end).filter(|sequence| !came.contains(sequence)).collect();
            let mut lost: Vec<i64> =
                gaps.lost(now + PATIENCE).iter().flat_map(|&(first, last)| first..=last).collect();
            lost.sort_unstable();
            prop_assert_eq!(lost, missing);
        }
    }
}
