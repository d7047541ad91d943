use std::{
    collections::{HashMap, HashSet},
    future::pending,
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use crate::inbox::Held;

/// The first pause of a row that fails alone, doubled with each attempt.
const FIRST: Duration = Duration::from_secs(1);

/// So many rows are named; more help nobody.
const NAMED: usize = 20;

/// The longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// Rows that fail alone while the store takes others. They stay in the inbox and in the budget, so that an endless stream of
/// them stops the sources rather than filling memory, and each is tried again after its pause.
#[derive(Debug, Default)]
pub(super) struct Postponed {
    rows: Vec<Row>,
    /// Ids of those that are being tried again.
    tried: HashSet<i64>,
    /// When the first of them failed.
    since: Option<Instant>,
}

/// A row that fails alone, by its place in the batch.
#[derive(Debug)]
pub(super) struct Failing {
    pub(super) place: usize,
    /// 0 means that the row is gone from the inbox, so the next try will find it settled.
    pub(super) attempts: i32,
    /// What the store said.
    pub(super) error: String,
}

#[derive(Debug)]
struct Row {
    due: Instant,
    attempts: i32,
    held: Held,
}

impl Postponed {
    /// Keeps the rows of `batch` that fail. The first to fail is logged with its reason, and that none does any more; in
    /// between /healthz names them.
    pub(super) fn hold(&mut self, batch: Vec<Held>, failing: &[Failing]) {
        let now = Instant::now();
        if let (None, [first, ..]) = (self.since, failing) {
            self.since = Some(now);
            let message_id = &batch[first.place].row.message.message_id;
            tracing::warn!(%message_id, reason = first.error, "a row of the inbox fails alone for now; /healthz names all that do");
        }
        let attempts: HashMap<usize, i32> =
            failing.iter().map(|failing| (failing.place, failing.attempts)).collect();
        for (place, held) in batch.into_iter().enumerate() {
            self.tried.remove(&held.row.id);
            if let Some(&attempts) = attempts.get(&place) {
                self.rows.push(Row { due: now + pause(attempts), attempts, held });
            }
        }
        if self.rows.is_empty()
            && self.tried.is_empty()
            && let Some(since) = self.since.take()
        {
            tracing::info!(after_s = since.elapsed().as_secs(), "no row of the inbox fails alone any more");
        }
    }

    /// The rows whose pause is over; waits for the first. Cancel safe.
    pub(super) async fn due(&mut self) -> Vec<Held> {
        match self.rows.iter().map(|row| row.due).min() {
            Some(first) => sleep_until(first).await,
            None => pending().await,
        }
        let now = Instant::now();
        let due: Vec<Held> = self.rows.extract_if(.., |row| row.due <= now).map(|row| row.held).collect();
        self.tried.extend(due.iter().map(|held| held.row.id));
        due
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The message ids and attempts of the first rows, for a person.
    pub(super) fn names(&self) -> Vec<String> {
        self.rows
            .iter()
            .take(NAMED)
            .map(|row| format!("{} ({} attempts)", row.held.row.message.message_id, row.attempts))
            .collect()
    }
}

fn pause(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use crate::{
        inbox::Budget,
        store::{InboxRow, Message, SourceKind},
    };

    use super::*;

    fn held(id: i64) -> Held {
        let message = Message {
            message_id: format!("stan:test/orders/{id}@1").into(),
            source: SourceKind::Stan,
            channel: "orders".into(),
            sequence: id,
            published_at_ns: 1,
            payload: bytes::Bytes::new(),
        };
        let permit = Budget::new(1 << 20).take(0).expect("there is room");
        Held { row: InboxRow { id, message }, permit }
    }

    #[tokio::test(start_paused = true)]
    async fn rows_fail_until_the_last_that_is_tried_again_does_not() {
        let mut postponed = Postponed::default();
        let failing = [0, 1].map(|place| Failing { place, attempts: 1, error: "refused".to_owned() });
        postponed.hold(vec![held(1), held(2)], &failing);
        let mut due = postponed.due().await;
        assert_eq!((due.len(), postponed.is_empty()), (2, true));
        postponed.hold(vec![held(3)], &[]);
        assert!(postponed.since.is_some(), "no word of the two");
        postponed.hold(vec![due.remove(0)], &[]);
        assert!(postponed.since.is_some(), "no word of the other");
        postponed.hold(due, &[]);
        assert!(postponed.since.is_none());
    }

    #[test]
    fn a_pause_doubles_with_each_attempt_up_to_a_minute() {
        let seconds: Vec<u64> =
            [0, 1, 2, 3, 7, 1_000].into_iter().map(|attempts| pause(attempts).as_secs()).collect();
        assert_eq!(seconds, [1, 1, 2, 4, 60, 60]);
    }
}
