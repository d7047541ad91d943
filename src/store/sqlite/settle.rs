use rusqlite::Connection;

use super::{
    orders::{self, PackedOrder},
    packed::Packed,
    record,
    session::SqliteSession,
};
use crate::store::{
    Decision, Message, Outcome, Settlement, SourceKind, cause::Cause, ledger::Tally, plan::Accepted,
};

/// Nothing more is asked of a message that becomes an order and replays nothing: a statement that returns rows costs twice as
/// much.
const TAKE: &str = "DELETE FROM inbox WHERE id = ?";
const TAKE_AND_TELL: &str = "DELETE FROM inbox WHERE id = ? RETURNING received_at, parent_id";
const INSERT_DEAD_LETTER: &str = "
    INSERT INTO dead_letters (message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors,
        payload, received_at, parent_id)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (message_id) DO NOTHING";
const WRITE_TO_PARENT: &str =
    "UPDATE dead_letters SET replay_outcome = ?2, replay_order_uid = ?3 WHERE id = ?1";

/// Messages of a batch with what is to become of them, ready for SQLite's thread.
#[derive(Debug)]
pub(super) struct Batch {
    rows: Vec<Row>,
    orders: Packed,
}

#[derive(Debug)]
struct Row {
    id: i64,
    message: Message,
    verdict: Verdict,
}

#[derive(Debug)]
enum Verdict {
    Accept { order_uid: String, order: PackedOrder },
    Reject { reason: String, errors: String, order_uid: Option<String> },
}

/// What the inbox knew of a message beside itself.
struct Taken {
    received_at: Option<String>,
    parent_id: Option<i64>,
}

/// A message that becomes a dead letter.
struct Rejected<'a> {
    index: usize,
    message: &'a Message,
    reason: &'a str,
    errors: &'a str,
    order_uid: Option<&'a str>,
    taken: Taken,
}

impl Batch {
    /// Takes time and needs no connection: while one batch is packed, another one is written.
    pub(super) fn of(batch: &[Settlement<'_>]) -> Self {
        let mut orders = Packed::default();
        let rows = batch
            .iter()
            .map(|Settlement { row, decision }| {
                let verdict = match decision {
                    Decision::Accept(order) => Verdict::Accept {
                        order_uid: order.order_uid.clone().into_owned(),
                        order: PackedOrder::of(order, &mut orders),
                    },
                    Decision::Reject(refusal) => Verdict::Reject {
                        reason: refusal.reason.to_owned(),
                        errors: refusal.errors.to_owned(),
                        order_uid: refusal.order_uid.map(str::to_owned),
                    },
                };
                Row { id: row.id, message: row.message.clone(), verdict }
            })
            .collect();
        Self { rows, orders }
    }
}

/// See [`Store::settle`](crate::store::Store::settle).
pub(super) async fn settle(
    session: &mut SqliteSession,
    batch: Batch,
    shard: i16,
) -> Result<Vec<Option<Outcome>>, Cause> {
    session.call(move |connection| write(connection, &batch, shard)).await
}

fn write(connection: &Connection, batch: &Batch, shard: i16) -> Result<Vec<Option<Outcome>>, Cause> {
    let mut outcomes = vec![None; batch.rows.len()];
    let mut accepted = Vec::with_capacity(batch.rows.len());
    let (mut rejected, mut replays) = (Vec::new(), Vec::new());
    for (index, (row, taken)) in batch.rows.iter().zip(take(connection, &batch.rows)?).enumerate() {
        let Some(taken) = taken else { continue };
        let Row { message, verdict, .. } = row;
        replays.extend(taken.parent_id.map(|parent_id| (parent_id, index)));
        match verdict {
            Verdict::Accept { order_uid, order } => {
                accepted.push(Accepted { index, message, order_uid, order: *order });
            }
            Verdict::Reject { reason, errors, order_uid } => {
                let order_uid = order_uid.as_deref();
                rejected.push(Rejected { index, message, reason, errors, order_uid, taken });
            }
        }
    }
    for (index, outcome) in orders::apply(connection, accepted, &batch.orders)? {
        outcomes[index] = Some(outcome);
    }
    for letter in rejected {
        outcomes[letter.index] = Some(bury(connection, &letter)?);
    }
    for (parent_id, index) in replays {
        let became = (parent_id, outcomes[index].map(Outcome::as_str), batch.rows[index].verdict.order_uid());
        connection.prepare_cached(WRITE_TO_PARENT)?.execute(became)?;
    }
    let mut tally = Tally::default();
    for (row, outcome) in batch.rows.iter().zip(&outcomes) {
        if let Some(outcome) = outcome {
            tally.count(&row.message, outcome.as_str());
        }
    }
    record::count(connection, &tally, shard)?;
    Ok(outcomes)
}

impl Verdict {
    /// The uid of the order that it is.
    fn order_uid(&self) -> Option<&str> {
        match self {
            Self::Accept { order_uid, .. } => Some(order_uid),
            Self::Reject { .. } => None,
        }
    }
}

/// Takes the rows out of the inbox, and answers in their order; `None`: somebody else has settled it, or it is named a second
/// time.
fn take(connection: &Connection, rows: &[Row]) -> Result<Vec<Option<Taken>>, Cause> {
    let mut take = connection.prepare_cached(TAKE)?;
    let mut take_and_tell = connection.prepare_cached(TAKE_AND_TELL)?;
    rows.iter()
        .map(|Row { id, message, verdict }| {
            // Only a replay has a parent, and only a dead letter tells when its message was received.
            if matches!(verdict, Verdict::Accept { .. }) && message.source != SourceKind::Replay {
                let there = take.execute([id])? > 0;
                return Ok(there.then_some(Taken { received_at: None, parent_id: None }));
            }
            let mut rows = take_and_tell.query([id])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let taken = Taken { received_at: row.get(0)?, parent_id: row.get(1)? };
            Ok(Some(taken))
        })
        .collect()
}

/// Inserts a dead letter, unless it is there.
fn bury(connection: &Connection, letter: &Rejected<'_>) -> Result<Outcome, Cause> {
    let Rejected { message, taken, .. } = letter;
    let new = connection.prepare_cached(INSERT_DEAD_LETTER)?.execute((
        &*message.message_id,
        message.source.as_str(),
        &*message.channel,
        message.sequence,
        message.published_at_ns,
        letter.order_uid,
        letter.reason,
        letter.errors,
        &*message.payload,
        &taken.received_at,
        taken.parent_id,
    ))?;
    Ok(if new > 0 { Outcome::Rejected } else { Outcome::Unchanged })
}
