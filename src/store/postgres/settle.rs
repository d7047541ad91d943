use std::collections::{BTreeMap, HashSet};

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{
    column::column,
    orders::{self, Taken},
    record,
};
use crate::store::{Decision, Outcome, Refusal, Settlement, ledger::Tally, plan::Accepted};

const INSERT_DEAD_LETTERS: &str = "
    INSERT INTO dead_letters (message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors, payload,
        received_at, parent_id)
    SELECT message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors::json, payload, received_at,
        parent_id
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
        $9::bytea[], $10::timestamptz[], $11::bigint[])
        AS letter (message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors, payload, received_at,
            parent_id)
    ON CONFLICT (message_id) DO NOTHING RETURNING message_id";
/// Locks in the order in which those who resolve dead letters do.
const WRITE_TO_PARENTS: &str = "
    WITH parent AS (SELECT id FROM dead_letters WHERE id = ANY ($1) ORDER BY id FOR NO KEY UPDATE)
    UPDATE dead_letters SET replay_outcome = replay.outcome, replay_order_uid = replay.order_uid
    FROM parent, unnest($1::bigint[], $2::text[], $3::text[]) AS replay (id, outcome, order_uid)
    WHERE dead_letters.id = parent.id AND parent.id = replay.id";

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Settled {
    /// It may be committed.
    Done(Vec<Option<Outcome>>),
    /// An order that was in the way of one of its inserts has been deleted for its age meanwhile: roll back and begin again.
    Overtaken,
}

/// See [`Store::settle`](crate::store::Store::settle). Locks are taken in one order (inbox rows by id, uids ascending, the
/// rest sorted), so two sessions never wait for each other.
pub(super) async fn settle(
    connection: &mut PgConnection,
    batch: &[Settlement<'_>],
    shard: i16,
) -> sqlx::Result<Settled> {
    // A row that is named twice counts once.
    let mut places = BTreeMap::new();
    for (place, settlement) in batch.iter().enumerate() {
        places.entry(settlement.row.id).or_insert(place);
    }
    let accepted = places
        .values()
        .filter_map(|&index| match batch[index].decision {
            Decision::Accept(order) => {
                let message = &batch[index].row.message;
                Some(Accepted { index, message, order_uid: &order.order_uid, order })
            }
            Decision::Reject(_) => None,
        })
        .collect();
    let Some((taken, applied)) = orders::apply(connection, &places, accepted).await? else {
        return Ok(Settled::Overtaken);
    };
    let mut outcomes = vec![None; batch.len()];
    for (index, outcome) in applied {
        outcomes[index] = Some(outcome);
    }
    let (mut rejected, mut replays) = (Vec::new(), Vec::new());
    for Taken { id, received_at, parent_id } in taken {
        let index = places[&id];
        let settlement = &batch[index];
        replays.extend(parent_id.map(|parent_id| (parent_id, index)));
        if let Decision::Reject(refusal) = settlement.decision {
            rejected.push(Rejected { index, settlement, refusal, received_at, parent_id });
        }
    }
    rejected.sort_by(|a, b| a.settlement.row.message.message_id.cmp(&b.settlement.row.message.message_id));
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
    Ok(Settled::Done(outcomes))
}

/// A message that becomes a dead letter.
struct Rejected<'a> {
    index: usize,
    settlement: &'a Settlement<'a>,
    refusal: Refusal<'a>,
    received_at: OffsetDateTime,
    parent_id: Option<i64>,
}

/// Inserts the dead letters and answers the message_ids of those that were not there.
async fn bury(connection: &mut PgConnection, rejected: &[Rejected<'_>]) -> sqlx::Result<HashSet<String>> {
    if rejected.is_empty() {
        return Ok(HashSet::new());
    }
    macro_rules! column_of {
        (|$letter:ident, $message:ident| $value:expr) => {
            rejected
                .iter()
                .map(|$letter| {
                    let $message = &$letter.settlement.row.message;
                    $value
                })
                .collect::<Vec<_>>()
        };
    }
    sqlx::query(INSERT_DEAD_LETTERS)
        .bind(column_of!(|_letter, message| &*message.message_id))
        .bind(column_of!(|_letter, message| message.source.as_str()))
        .bind(column_of!(|_letter, message| &*message.channel))
        .bind(column_of!(|_letter, message| message.sequence))
        .bind(column_of!(|_letter, message| message.published_at_ns))
        .bind(rejected.iter().map(|letter| letter.refusal.order_uid).collect::<Vec<_>>())
        .bind(rejected.iter().map(|letter| letter.refusal.reason).collect::<Vec<_>>())
        .bind(rejected.iter().map(|letter| letter.refusal.errors).collect::<Vec<_>>())
        .bind(column_of!(|_letter, message| &*message.payload))
        .bind(rejected.iter().map(|letter| letter.received_at).collect::<Vec<_>>())
        .bind(rejected.iter().map(|letter| letter.parent_id).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| column(row, 0))
        .collect()
}

/// Writes to dead letters what their replays became: outcome and uid.
async fn write_to_parents(
    connection: &mut PgConnection,
    became: Vec<(i64, Option<&str>, Option<&str>)>,
) -> sqlx::Result<()> {
    if became.is_empty() {
        return Ok(());
    }
    sqlx::query(WRITE_TO_PARENTS)
        .bind(became.iter().map(|(parent_id, ..)| *parent_id).collect::<Vec<_>>())
        .bind(became.iter().map(|(_, outcome, _)| *outcome).collect::<Vec<_>>())
        .bind(became.iter().map(|(.., order_uid)| *order_uid).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}
