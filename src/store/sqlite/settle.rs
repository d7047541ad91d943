use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use super::{
    children,
    date::rfc3339,
    insert::{Insert, column},
    record,
};
use crate::store::{
    Decision, Outcome, Refusal, Settlement,
    ledger::Tally,
    plan::{Accepted, plan},
    version::{Current, Fingerprint, Version},
};

const TAKE: &str =
    "DELETE FROM inbox WHERE id IN (SELECT value FROM json_each(?)) RETURNING id, received_at, parent_id";
const SELECT_ORDERS: &str = "
    SELECT id, order_uid, message_id, source, channel, sequence, published_at_ns, document
    FROM orders WHERE order_uid IN (SELECT value FROM json_each(?))";
/// New rows come without an id; rows with one are there already.
const WRITE_ORDERS: Insert = Insert {
    head: "INSERT INTO orders (id, order_uid, track_number, entry, locale, internal_signature, customer_id,
               delivery_service, shardkey, sm_id, date_created, oof_shard,
               document, message_id, source, channel, sequence, published_at_ns)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    tail: "ON CONFLICT (id) DO UPDATE SET
               track_number = excluded.track_number, entry = excluded.entry, locale = excluded.locale,
               internal_signature = excluded.internal_signature, customer_id = excluded.customer_id,
               delivery_service = excluded.delivery_service, shardkey = excluded.shardkey, sm_id = excluded.sm_id,
               date_created = excluded.date_created, oof_shard = excluded.oof_shard,
               document = excluded.document, message_id = excluded.message_id, source = excluded.source,
               channel = excluded.channel, sequence = excluded.sequence, published_at_ns = excluded.published_at_ns,
               updated_at = excluded.updated_at
           RETURNING id, order_uid",
};
const FORWARD: &str = "
    UPDATE orders SET message_id = new.value ->> 1, source = new.value ->> 2, channel = new.value ->> 3,
        sequence = new.value ->> 4, published_at_ns = new.value ->> 5
    FROM json_each(?) AS new WHERE orders.id = new.value ->> 0";
/// A document that comes without its bytes is still in `orders`.
const INSERT_HISTORY: Insert = Insert {
    head: "INSERT INTO order_history (order_uid, message_id, source, channel, sequence, published_at_ns, document)",
    row: "(?, ?, ?, ?, ?, ?, coalesce(?, (SELECT document FROM orders WHERE id = ?)))",
    tail: "ON CONFLICT (message_id) DO NOTHING",
};
const INSERT_DEAD_LETTERS: Insert = Insert {
    head: "INSERT INTO dead_letters (message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors,
               payload, received_at, parent_id)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    tail: "ON CONFLICT (message_id) DO NOTHING RETURNING message_id",
};
const WRITE_TO_PARENTS: &str = "
    UPDATE dead_letters SET replay_outcome = replay.value ->> 1, replay_order_uid = replay.value ->> 2
    FROM json_each(?) AS replay WHERE dead_letters.id = replay.value ->> 0";

/// See [`Store::settle`](crate::store::Store::settle).
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    batch: &[Settlement<'_>],
    shard: i16,
) -> sqlx::Result<Vec<Option<Outcome>>> {
    let mut taken = take(connection, batch).await?;
    let mut outcomes = vec![None; batch.len()];
    let mut accepted = Vec::with_capacity(batch.len());
    let (mut rejected, mut replays) = (Vec::new(), Vec::new());
    for (index, settlement) in batch.iter().enumerate() {
        // Removing it makes sure that a row which is named twice counts once.
        let Some(row) = taken.remove(&settlement.row.id) else { continue };
        let parent_id: Option<i64> = column(&row, 2)?;
        replays.extend(parent_id.map(|parent_id| (parent_id, index)));
        match settlement.decision {
            Decision::Accept(order) => {
                accepted.push(Accepted { index, message: &settlement.row.message, order });
            }
            Decision::Reject(refusal) => rejected.push(Rejected {
                index,
                settlement,
                refusal,
                received_at: column(&row, 1)?,
                parent_id,
            }),
        }
    }
    for (index, outcome) in apply(connection, accepted).await? {
        outcomes[index] = Some(outcome);
    }
    let buried = bury(connection, &rejected).await?;
    for Rejected { index, settlement, .. } in &rejected {
        let new = buried.contains(&*settlement.row.message.message_id);
        outcomes[*index] = Some(if new { Outcome::Rejected } else { Outcome::Unchanged });
    }
    let became = replays
        .into_iter()
        .map(|(parent_id, index)| (parent_id, outcomes[index].map(Outcome::as_str), batch[index].order_uid()))
        .collect();
    write_to_parents(connection, became).await?;
    let mut tally = Tally::default();
    for (settlement, outcome) in batch.iter().zip(&outcomes) {
        if let Some(outcome) = outcome {
            tally.count(&settlement.row.message, outcome.as_str());
        }
    }
    record::count(connection, &tally, shard).await?;
    Ok(outcomes)
}

/// A message that becomes a dead letter.
struct Rejected<'a> {
    index: usize,
    settlement: &'a Settlement<'a>,
    refusal: Refusal<'a>,
    received_at: String,
    parent_id: Option<i64>,
}

/// Takes the rows out of the inbox; those that somebody else has settled are not among the answers.
async fn take(
    connection: &mut SqliteConnection,
    batch: &[Settlement<'_>],
) -> sqlx::Result<HashMap<i64, SqliteRow>> {
    let ids: Vec<i64> = batch.iter().map(|settlement| settlement.row.id).collect();
    sqlx::query(TAKE)
        .bind(json(&ids))
        .fetch_all(connection)
        .await?
        .into_iter()
        .map(|row| Ok((column(&row, 0)?, row)))
        .collect()
}

/// Writes what the accepted messages change.
async fn apply(
    connection: &mut SqliteConnection,
    accepted: Vec<Accepted<'_>>,
) -> sqlx::Result<Vec<(usize, Outcome)>> {
    if accepted.is_empty() {
        return Ok(Vec::new());
    }
    let current = current(connection, &accepted).await?;
    let plan = plan(accepted, &current);

    INSERT_HISTORY
        .rows(connection, &plan.history, |row, version| {
            row.bind(version.order_uid)
                .bind(version.message_id)
                .bind(version.source)
                .bind(version.channel)
                .bind(version.sequence)
                .bind(version.published_at_ns)
                .bind(version.document.bytes())
                .bind(version.document.row());
        })
        .await?;
    let replaced: Vec<i64> = plan.replacements.iter().map(|(id, _)| *id).collect();
    children::delete(connection, &replaced).await?;
    let mut written: Vec<(Option<i64>, Accepted<'_>)> =
        plan.inserts.iter().map(|accepted| (None, *accepted)).collect();
    written.extend(plan.replacements.iter().map(|(id, accepted)| (Some(*id), *accepted)));
    let ids = write_orders(connection, &written).await?;
    let orders = written
        .iter()
        .map(|(_, accepted)| {
            let id = ids.get(&*accepted.order.order_uid).ok_or(sqlx::Error::RowNotFound)?;
            Ok((*id, accepted.order))
        })
        .collect::<sqlx::Result<Vec<_>>>()?;
    children::insert(connection, &orders).await?;

    forward(connection, &plan.forwards).await?;
    Ok(plan.outcomes)
}

/// The rows that the uids of these messages have now. SQLite has no hash function, so their documents pass through, a few
/// at a time.
async fn current(connection: &mut SqliteConnection, accepted: &[Accepted<'_>]) -> sqlx::Result<Vec<Current>> {
    let uids: Vec<&str> = accepted.iter().map(|accepted| &*accepted.order.order_uid).collect();
    sqlx::query(SELECT_ORDERS)
        .bind(json(&uids))
        .fetch(connection)
        .and_then(async |row| {
            Ok(Current {
                id: column(&row, 0)?,
                order_uid: column(&row, 1)?,
                message_id: column(&row, 2)?,
                source: column(&row, 3)?,
                channel: column(&row, 4)?,
                sequence: column(&row, 5)?,
                published_at_ns: column(&row, 6)?,
                document: Fingerprint::of(column(&row, 7)?),
            })
        })
        .try_collect()
        .await
}

/// Writes the rows of `orders` and answers their ids by uid.
async fn write_orders(
    connection: &mut SqliteConnection,
    orders: &[(Option<i64>, Accepted<'_>)],
) -> sqlx::Result<HashMap<String, i64>> {
    WRITE_ORDERS
        .rows(connection, orders, |row, (id, Accepted { message, order, .. })| {
            row.bind(*id)
                .bind(&*order.order_uid)
                .bind(&*order.track_number)
                .bind(order.entry.as_deref())
                .bind(order.locale.as_deref())
                .bind(order.internal_signature.as_deref())
                .bind(order.customer_id.as_deref())
                .bind(order.delivery_service.as_deref())
                .bind(order.shardkey.as_deref())
                .bind(order.sm_id)
                .bind(order.date_created.map(rfc3339))
                .bind(order.oof_shard.as_deref())
                .bind(&*message.payload)
                .bind(&*message.message_id)
                .bind(message.source.as_str())
                .bind(&*message.channel)
                .bind(message.sequence)
                .bind(message.published_at_ns);
        })
        .await?
        .iter()
        .map(|row| Ok((column(row, 1)?, column(row, 0)?)))
        .collect()
}

/// Gives rows the identity of the newer message that said the same.
async fn forward(connection: &mut SqliteConnection, forwards: &[(i64, Version<'_>)]) -> sqlx::Result<()> {
    if forwards.is_empty() {
        return Ok(());
    }
    let rows: Vec<_> = forwards
        .iter()
        .map(|(id, to)| (id, to.message_id, to.source, to.channel, to.sequence, to.published_at_ns))
        .collect();
    sqlx::query(FORWARD).bind(json(&rows)).execute(connection).await.map(drop)
}

/// Inserts the dead letters and answers the message_ids of those that were not there.
async fn bury(connection: &mut SqliteConnection, rejected: &[Rejected<'_>]) -> sqlx::Result<HashSet<String>> {
    INSERT_DEAD_LETTERS
        .rows(connection, rejected, |row, letter| {
            let Rejected { settlement, refusal, .. } = letter;
            let message = &settlement.row.message;
            row.bind(&*message.message_id)
                .bind(message.source.as_str())
                .bind(&*message.channel)
                .bind(message.sequence)
                .bind(message.published_at_ns)
                .bind(refusal.order_uid)
                .bind(refusal.reason)
                .bind(refusal.errors)
                .bind(&*message.payload)
                .bind(&letter.received_at)
                .bind(letter.parent_id);
        })
        .await?
        .iter()
        .map(|row| column(row, 0))
        .collect()
}

/// Writes to dead letters what their replays became: outcome and uid.
async fn write_to_parents(
    connection: &mut SqliteConnection,
    became: Vec<(i64, Option<&str>, Option<&str>)>,
) -> sqlx::Result<()> {
    if became.is_empty() {
        return Ok(());
    }
    sqlx::query(WRITE_TO_PARENTS).bind(json(&became)).execute(connection).await.map(drop)
}

/// An array for `json_each`.
pub(super) fn json<T: serde::Serialize>(values: &T) -> String {
    serde_json::to_string(values).expect("numbers and strings are always JSON")
}
