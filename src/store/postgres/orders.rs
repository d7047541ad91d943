use std::collections::{BTreeMap, HashSet};

use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};
use time::OffsetDateTime;

use super::{
    children::{self, with_children},
    column::{column, length, listed},
};
use crate::store::{
    Outcome,
    plan::{Accepted, Plan, plan},
    version::{Current, Fingerprint, Version},
};

const SELECT_ORDERS: &str = "
    SELECT id, order_uid, message_id, source, channel, sequence, published_at_ns, octet_length(document), sha256(document)
    FROM orders WHERE order_uid = ANY ($1) ORDER BY order_uid FOR UPDATE";
/// Takes rows out of the inbox.
const TAKE: &str = "
    WITH taken AS (DELETE FROM inbox WHERE id = ANY ($1) RETURNING id, received_at, parent_id)
    SELECT array_agg(id), array_agg(received_at), array_agg(parent_id), NULL::text[] FROM taken";
/// The same, and if all of the rows were there, inserts orders that may be new. Their ids come after the arrays of
/// [`bind_orders`].
const TAKE_AND_INSERT: &str = with_children!(
    "
    WITH taken AS (DELETE FROM inbox WHERE id = ANY ($48) RETURNING id, received_at, parent_id), written AS (
        INSERT INTO orders (order_uid, track_number, entry, locale, internal_signature, customer_id, delivery_service,
            shardkey, sm_id, date_created, oof_shard, document, message_id, source, channel, sequence, published_at_ns)
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::bigint[], $10::timestamptz[], $11::text[], $12::bytea[], $13::text[], $14::text[], $15::text[],
            $16::bigint[], $17::bigint[])
        WHERE (SELECT count(*) FROM taken) = cardinality($48)
        ON CONFLICT (order_uid) DO NOTHING RETURNING id, order_uid
    )",
    "
    SELECT array_agg(id), array_agg(received_at), array_agg(parent_id), (SELECT array_agg(order_uid) FROM written)
    FROM taken"
);
/// Overwrites orders whose children are gone.
const REPLACE_ORDERS: &str = with_children!(
    "
    WITH written AS (
        UPDATE orders SET track_number = new.track_number, entry = new.entry, locale = new.locale,
            internal_signature = new.internal_signature, customer_id = new.customer_id,
            delivery_service = new.delivery_service, shardkey = new.shardkey, sm_id = new.sm_id,
            date_created = new.date_created, oof_shard = new.oof_shard, document = new.document,
            message_id = new.message_id, source = new.source, channel = new.channel, sequence = new.sequence,
            published_at_ns = new.published_at_ns, updated_at = now()
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::bigint[], $10::timestamptz[], $11::text[], $12::bytea[], $13::text[], $14::text[], $15::text[],
            $16::bigint[], $17::bigint[])
            AS new (order_uid, track_number, entry, locale, internal_signature, customer_id, delivery_service, shardkey,
                sm_id, date_created, oof_shard, document, message_id, source, channel, sequence, published_at_ns)
        WHERE orders.order_uid = new.order_uid RETURNING orders.id, orders.order_uid
    )",
    "
    SELECT count(*) FROM written"
);
const FORWARD_ORDERS: &str = "
    UPDATE orders SET message_id = new.message_id, source = new.source, channel = new.channel, sequence = new.sequence,
        published_at_ns = new.published_at_ns
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
        AS new (id, message_id, source, channel, sequence, published_at_ns)
    WHERE orders.id = new.id";
/// A document that comes without its bytes is still in `orders`.
const INSERT_HISTORY: &str = "
    INSERT INTO order_history (order_uid, message_id, source, channel, sequence, published_at_ns, document)
    SELECT order_uid, message_id, source, channel, sequence, published_at_ns,
        coalesce(old.document, (SELECT orders.document FROM orders WHERE orders.id = old.order_id))
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bigint[])
        WITH ORDINALITY
        AS old (order_uid, message_id, source, channel, sequence, published_at_ns, document, order_id, place)
    ORDER BY place
    ON CONFLICT (message_id) DO NOTHING";

/// A row that was in the inbox.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) id: i64,
    pub(super) received_at: OffsetDateTime,
    pub(super) parent_id: Option<i64>,
}

/// Takes the rows of a batch, by their ids with their places in it, out of the inbox, and writes what the accepted messages of
/// those that were there change. Answers these rows and what became of the messages; `None` when an order that was in the way of
/// an insert has gone meanwhile.
///
/// Every uid is inserted as if it were new, which nearly all are, and only the rows that were there are locked and compared.
/// Each of the two goes by ascending uid, so no two sessions wait for each other: who waits for a locked row waits for a session
/// that has inserted all it will, and inserts wait for each other in one order, or for a session that has updated or deleted the
/// row and waits for no uid any more. A row that another session inserts meanwhile is waited for by the insert, and seen by the
/// statement that locks.
pub(super) async fn apply(
    connection: &mut PgConnection,
    places: &BTreeMap<i64, usize>,
    mut accepted: Vec<Accepted<'_>>,
) -> sqlx::Result<Option<(Vec<Taken>, Vec<(usize, Outcome)>)>> {
    let ids: Vec<i64> = places.keys().copied().collect();
    let mut as_if_new = plan(accepted.clone(), &[]);
    let (taken, mut new) = take_and_insert(connection, &ids, &as_if_new.inserts).await?;
    if taken.len() < ids.len() {
        // Somebody else has settled the others, and nothing was inserted.
        let there: HashSet<usize> = taken.iter().map(|row| places[&row.id]).collect();
        accepted.retain(|accepted| there.contains(&accepted.index));
        as_if_new = plan(accepted.clone(), &[]);
        (_, new) = take_and_insert(connection, &[], &as_if_new.inserts).await?;
    }
    if new.len() == as_if_new.inserts.len() {
        write(connection, &as_if_new).await?;
        return Ok(Some((taken, as_if_new.outcomes)));
    }
    let (new, known): (Vec<_>, Vec<_>) =
        accepted.into_iter().partition(|accepted| new.contains(accepted.order_uid));
    let current = lock(connection, &known).await?;
    let changes = plan(known, &current);
    if !changes.inserts.is_empty() {
        return Ok(None);
    }
    let mut plan_of_all = plan(new, &[]);
    plan_of_all.extend(changes);
    write(connection, &plan_of_all).await?;
    Ok(Some((taken, plan_of_all.outcomes)))
}

/// Writes what is to be done beside the inserts.
async fn write(connection: &mut PgConnection, plan: &Plan<'_>) -> sqlx::Result<()> {
    keep(connection, &plan.history).await?;
    replace(connection, &plan.replacements).await?;
    forward(connection, &plan.forwards).await
}

/// Locks the rows that the uids of these messages have now.
async fn lock(connection: &mut PgConnection, accepted: &[Accepted<'_>]) -> sqlx::Result<Vec<Current>> {
    let mut uids: Vec<&str> = accepted.iter().map(|accepted| accepted.order_uid).collect();
    uids.sort_unstable();
    uids.dedup();
    sqlx::query(SELECT_ORDERS)
        .bind(uids)
        .fetch_all(connection)
        .await?
        .iter()
        .map(|row| {
            Ok(Current {
                id: column(row, 0)?,
                order_uid: column(row, 1)?,
                message_id: column(row, 2)?,
                source: column(row, 3)?,
                channel: column(row, 4)?,
                sequence: column(row, 5)?,
                published_at_ns: column(row, 6)?,
                document: Fingerprint { length: length(row, 7)?, sha256: column(row, 8)? },
            })
        })
        .collect()
}

/// Takes rows out of the inbox and inserts orders; answers the rows that were there and the uids that were new.
async fn take_and_insert(
    connection: &mut PgConnection,
    ids: &[i64],
    inserts: &[Accepted<'_>],
) -> sqlx::Result<(Vec<Taken>, HashSet<String>)> {
    // What is no order does not wait for who has locked the table of them.
    let query = if inserts.is_empty() { sqlx::query(TAKE) } else { bind_orders(TAKE_AND_INSERT, inserts) };
    let row = query.bind(ids).fetch_one(connection).await?;
    let ids: Vec<i64> = listed(&row, 0)?;
    let received: Vec<OffsetDateTime> = listed(&row, 1)?;
    let parents: Vec<Option<i64>> = listed(&row, 2)?;
    let taken = (ids.into_iter().zip(received).zip(parents))
        .map(|((id, received_at), parent_id)| Taken { id, received_at, parent_id })
        .collect();
    Ok((taken, listed(&row, 3)?.into_iter().collect()))
}

/// Overwrites locked rows and what hangs on them.
async fn replace(connection: &mut PgConnection, replacements: &[(i64, Accepted<'_>)]) -> sqlx::Result<()> {
    if replacements.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = replacements.iter().map(|(id, _)| *id).collect();
    children::delete(connection, &ids).await?;
    let orders: Vec<Accepted<'_>> = replacements.iter().map(|(_, accepted)| *accepted).collect();
    bind_orders(REPLACE_ORDERS, &orders).execute(connection).await.map(drop)
}

/// A statement with an array for each column of `orders` and of what hangs on them.
fn bind_orders(sql: &'static str, orders: &[Accepted<'_>]) -> Query<'static, Postgres, PgArguments> {
    macro_rules! text {
        ($field:ident) => {
            orders.iter().map(|accepted| accepted.order.$field.as_deref()).collect::<Vec<_>>()
        };
    }
    macro_rules! message {
        (|$message:ident| $value:expr) => {
            orders
                .iter()
                .map(|accepted| {
                    let $message = accepted.message;
                    $value
                })
                .collect::<Vec<_>>()
        };
    }
    let query = sqlx::query(sql)
        .bind(orders.iter().map(|accepted| accepted.order_uid).collect::<Vec<&str>>())
        .bind(orders.iter().map(|accepted| &*accepted.order.track_number).collect::<Vec<&str>>())
        .bind(text!(entry))
        .bind(text!(locale))
        .bind(text!(internal_signature))
        .bind(text!(customer_id))
        .bind(text!(delivery_service))
        .bind(text!(shardkey))
        .bind(orders.iter().map(|accepted| accepted.order.sm_id).collect::<Vec<_>>())
        .bind(orders.iter().map(|accepted| accepted.order.date_created).collect::<Vec<_>>())
        .bind(text!(oof_shard))
        .bind(message!(|message| &*message.payload))
        .bind(message!(|message| &*message.message_id))
        .bind(message!(|message| message.source.as_str()))
        .bind(message!(|message| &*message.channel))
        .bind(message!(|message| message.sequence))
        .bind(message!(|message| message.published_at_ns));
    children::bind(query, &orders.iter().map(|accepted| accepted.order).collect::<Vec<_>>())
}

/// Gives locked rows the identity of the newer message that said the same.
async fn forward(connection: &mut PgConnection, forwards: &[(i64, Version<'_>)]) -> sqlx::Result<()> {
    if forwards.is_empty() {
        return Ok(());
    }
    sqlx::query(FORWARD_ORDERS)
        .bind(forwards.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(forwards.iter().map(|(_, to)| to.message_id).collect::<Vec<_>>())
        .bind(forwards.iter().map(|(_, to)| to.source).collect::<Vec<_>>())
        .bind(forwards.iter().map(|(_, to)| to.channel).collect::<Vec<_>>())
        .bind(forwards.iter().map(|(_, to)| to.sequence).collect::<Vec<_>>())
        .bind(forwards.iter().map(|(_, to)| to.published_at_ns).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}

/// Keeps superseded documents, each message's once.
async fn keep(connection: &mut PgConnection, history: &[Version<'_>]) -> sqlx::Result<()> {
    if history.is_empty() {
        return Ok(());
    }
    sqlx::query(INSERT_HISTORY)
        .bind(history.iter().map(|version| version.order_uid).collect::<Vec<_>>())
        .bind(history.iter().map(|version| version.message_id).collect::<Vec<_>>())
        .bind(history.iter().map(|version| version.source).collect::<Vec<_>>())
        .bind(history.iter().map(|version| version.channel).collect::<Vec<_>>())
        .bind(history.iter().map(|version| version.sequence).collect::<Vec<_>>())
        .bind(history.iter().map(|version| version.published_at_ns).collect::<Vec<_>>())
        .bind(history.iter().map(|version| version.document.bytes()).collect::<Vec<_>>())
        .bind(history.iter().map(|version| version.document.row()).collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
}
