//! `orders`, and the history of its documents.

use std::collections::HashSet;

use rusqlite::{Connection, Row, Statement};

use super::{
    children,
    column::blob,
    date::rfc3339,
    packed::{Packed, Place, Unpacked},
};
use crate::{
    order::Order,
    store::{
        Outcome,
        cause::Cause,
        plan::{Accepted, plan},
        version::{Current, Fingerprint, Version},
    },
};

const SELECT: &str = "
    SELECT id, order_uid, message_id, source, channel, sequence, published_at_ns, document
    FROM orders WHERE order_uid = ?";
const INSERT: &str = "
    INSERT INTO orders (order_uid, document, message_id, source, channel, sequence, published_at_ns,
        track_number, entry, locale, internal_signature, customer_id, delivery_service, shardkey, sm_id, date_created,
        oof_shard)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (order_uid) DO NOTHING";
const REPLACE: &str = "
    UPDATE orders SET document = ?2, message_id = ?3, source = ?4, channel = ?5, sequence = ?6, published_at_ns = ?7,
        track_number = ?8, entry = ?9, locale = ?10, internal_signature = ?11, customer_id = ?12, delivery_service = ?13,
        shardkey = ?14, sm_id = ?15, date_created = ?16, oof_shard = ?17,
        updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    WHERE id = ?1";
/// Of the parameters of both, the first that is packed.
const FIRST_PACKED: usize = 8;
const FORWARD: &str = "
    UPDATE orders SET message_id = ?2, source = ?3, channel = ?4, sequence = ?5, published_at_ns = ?6 WHERE id = ?1";
/// A document that comes without its bytes is still in `orders`.
const KEEP: &str = "
    INSERT INTO order_history (order_uid, message_id, source, channel, sequence, published_at_ns, document)
    VALUES (?, ?, ?, ?, ?, ?, coalesce(?, (SELECT document FROM orders WHERE id = ?)))
    ON CONFLICT (message_id) DO NOTHING";

/// An order on its way to the tables: where it lies in the [`Packed`] that it was packed into.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackedOrder {
    place: Place,
    items: i64,
}

impl PackedOrder {
    /// Everything of an order but its uid.
    pub(super) fn of(order: &Order<'_>, packed: &mut Packed) -> Self {
        let place = packed.place();
        packed
            .text(&*order.track_number)
            .text(order.entry.as_deref())
            .text(order.locale.as_deref())
            .text(order.internal_signature.as_deref())
            .text(order.customer_id.as_deref())
            .text(order.delivery_service.as_deref())
            .text(order.shardkey.as_deref())
            .integer(order.sm_id)
            .text(order.date_created.map(rfc3339).as_deref())
            .text(order.oof_shard.as_deref());
        children::pack(packed, order);
        Self { place, items: order.items.len() as i64 }
    }
}

/// Writes what the accepted messages change. Every uid is inserted as if it were new, which nearly all are, and only the rows
/// that were there are compared.
pub(super) fn apply(
    connection: &Connection,
    accepted: Vec<Accepted<'_, PackedOrder>>,
    packed: &Packed,
) -> Result<Vec<(usize, Outcome)>, Cause> {
    if accepted.is_empty() {
        return Ok(Vec::new());
    }
    let as_if_new = plan(accepted.clone(), &[]);
    let present = insert(connection, &as_if_new.inserts, packed)?;
    if present.is_empty() {
        keep(connection, &as_if_new.history)?;
        return Ok(as_if_new.outcomes);
    }
    let (known, new): (Vec<_>, Vec<_>) =
        accepted.into_iter().partition(|accepted| present.contains(accepted.order_uid));
    let current = current(connection, &known)?;
    // Its inserts are written already.
    let mut plan_of_all = plan(new, &[]);
    plan_of_all.extend(plan(known, &current));
    keep(connection, &plan_of_all.history)?;
    replace(connection, &plan_of_all.replacements, packed)?;
    forward(connection, &plan_of_all.forwards)?;
    Ok(plan_of_all.outcomes)
}

/// The rows that the uids of these messages have now. SQLite has no hash function, so their documents pass through, one at a
/// time.
fn current(connection: &Connection, accepted: &[Accepted<'_, PackedOrder>]) -> Result<Vec<Current>, Cause> {
    let mut uids: Vec<&str> = accepted.iter().map(|accepted| accepted.order_uid).collect();
    uids.sort_unstable();
    uids.dedup();
    let mut statement = connection.prepare_cached(SELECT)?;
    let mut current = Vec::new();
    for uid in uids {
        let mut rows = statement.query([uid])?;
        if let Some(row) = rows.next()? {
            current.push(current_of(row)?);
        }
    }
    Ok(current)
}

fn current_of(row: &Row<'_>) -> Result<Current, Cause> {
    Ok(Current {
        id: row.get(0)?,
        order_uid: row.get(1)?,
        message_id: row.get(2)?,
        source: row.get(3)?,
        channel: row.get(4)?,
        sequence: row.get(5)?,
        published_at_ns: row.get(6)?,
        document: Fingerprint::of(blob(row, 7)?),
    })
}

/// Inserts orders with their children, and answers the uids that were there already.
fn insert<'a>(
    connection: &Connection,
    inserts: &[Accepted<'a, PackedOrder>],
    packed: &Packed,
) -> Result<HashSet<&'a str>, Cause> {
    let mut statement = connection.prepare_cached(INSERT)?;
    let mut children = children::Insert::on(connection)?;
    let mut present = HashSet::new();
    for accepted in inserts {
        statement.raw_bind_parameter(1, accepted.order_uid)?;
        let mut values = packed.from(accepted.order.place);
        if write(&mut statement, accepted, &mut values)? {
            children.rows(connection.last_insert_rowid(), accepted.order.items, &mut values)?;
        } else {
            present.insert(accepted.order_uid);
        }
    }
    Ok(present)
}

/// Overwrites rows, and their children.
fn replace(
    connection: &Connection,
    replacements: &[(i64, Accepted<'_, PackedOrder>)],
    packed: &Packed,
) -> Result<(), Cause> {
    if replacements.is_empty() {
        return Ok(());
    }
    children::delete(connection, replacements.iter().map(|(id, _)| *id))?;
    let mut statement = connection.prepare_cached(REPLACE)?;
    let mut children = children::Insert::on(connection)?;
    for (id, accepted) in replacements {
        statement.raw_bind_parameter(1, id)?;
        let mut values = packed.from(accepted.order.place);
        write(&mut statement, accepted, &mut values)?;
        children.rows(*id, accepted.order.items, &mut values)?;
    }
    Ok(())
}

/// Runs a statement whose first parameter is bound; the others are what `orders` says of a message. Tells whether it wrote a row.
fn write(
    statement: &mut Statement<'_>,
    Accepted { message, .. }: &Accepted<'_, PackedOrder>,
    values: &mut Unpacked<'_>,
) -> Result<bool, Cause> {
    statement.raw_bind_parameter(2, &*message.payload)?;
    statement.raw_bind_parameter(3, &*message.message_id)?;
    statement.raw_bind_parameter(4, message.source.as_str())?;
    statement.raw_bind_parameter(5, &*message.channel)?;
    statement.raw_bind_parameter(6, message.sequence)?;
    statement.raw_bind_parameter(7, message.published_at_ns)?;
    values.bind(statement, FIRST_PACKED)?;
    Ok(statement.raw_execute()? > 0)
}

/// Gives rows the identity of the newer message that said the same.
fn forward(connection: &Connection, forwards: &[(i64, Version<'_>)]) -> Result<(), Cause> {
    if forwards.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(FORWARD)?;
    for (id, to) in forwards {
        statement.execute((id, to.message_id, to.source, to.channel, to.sequence, to.published_at_ns))?;
    }
    Ok(())
}

/// Puts documents into the history.
fn keep(connection: &Connection, history: &[Version<'_>]) -> Result<(), Cause> {
    if history.is_empty() {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(KEEP)?;
    for version in history {
        statement.execute((
            version.order_uid,
            version.message_id,
            version.source,
            version.channel,
            version.sequence,
            version.published_at_ns,
            version.document.bytes(),
            version.document.row(),
        ))?;
    }
    Ok(())
}
