//! The tables that hang on `orders`.

use rusqlite::{CachedStatement, Connection};

use super::packed::{Packed, Unpacked};
use crate::{order::Order, store::cause::Cause};

const DELETE: [&str; 3] = [
    "DELETE FROM items WHERE order_id = ?",
    "DELETE FROM payments WHERE order_id = ?",
    "DELETE FROM deliveries WHERE order_id = ?",
];
const INSERT_DELIVERY: &str = "
    INSERT INTO deliveries (order_id, name, phone, zip, city, address, region, email)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT_PAYMENT: &str = "
    INSERT INTO payments (order_id, \"transaction\", request_id, currency, provider, amount, payment_dt, bank,
        delivery_cost, goods_total, custom_fee)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT_ITEM: &str = "
    INSERT INTO items (order_id, position, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand,
        status)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Packs the children of an order.
pub(super) fn pack(packed: &mut Packed, order: &Order<'_>) {
    let Order { delivery, payment, items, .. } = order;
    packed
        .text(delivery.name.as_deref())
        .text(delivery.phone.as_deref())
        .text(delivery.zip.as_deref())
        .text(delivery.city.as_deref())
        .text(delivery.address.as_deref())
        .text(delivery.region.as_deref())
        .text(delivery.email.as_deref())
        .text(payment.transaction.as_deref())
        .text(payment.request_id.as_deref())
        .text(payment.currency.as_deref())
        .text(payment.provider.as_deref())
        .integer(payment.amount)
        .integer(payment.payment_dt)
        .text(payment.bank.as_deref())
        .integer(payment.delivery_cost)
        .integer(payment.goods_total)
        .integer(payment.custom_fee);
    for item in items {
        packed
            .integer(item.chrt_id)
            .text(item.track_number.as_deref())
            .text(item.price.as_deref())
            .text(item.rid.as_deref())
            .text(item.name.as_deref())
            .integer(item.sale)
            .text(item.size.as_deref())
            .text(item.total_price.as_deref())
            .integer(item.nm_id)
            .text(item.brand.as_deref())
            .integer(item.status);
    }
}

/// Deletes the child rows of these orders.
pub(super) fn delete(
    connection: &Connection,
    order_ids: impl Iterator<Item = i64> + Clone,
) -> Result<(), Cause> {
    for sql in DELETE {
        let mut statement = connection.prepare_cached(sql)?;
        for id in order_ids.clone() {
            statement.execute([id])?;
        }
    }
    Ok(())
}

/// Inserts child rows.
pub(super) struct Insert<'c> {
    delivery: CachedStatement<'c>,
    payment: CachedStatement<'c>,
    item: CachedStatement<'c>,
}

impl<'c> Insert<'c> {
    pub(super) fn on(connection: &'c Connection) -> Result<Self, Cause> {
        Ok(Self {
            delivery: connection.prepare_cached(INSERT_DELIVERY)?,
            payment: connection.prepare_cached(INSERT_PAYMENT)?,
            item: connection.prepare_cached(INSERT_ITEM)?,
        })
    }

    /// Those of one order, which has none.
    pub(super) fn rows(
        &mut self,
        order_id: i64,
        items: i64,
        children: &mut Unpacked<'_>,
    ) -> Result<(), Cause> {
        for statement in [&mut self.delivery, &mut self.payment] {
            statement.raw_bind_parameter(1, order_id)?;
            children.bind(statement, 2)?;
            statement.raw_execute()?;
        }
        for position in 0..items {
            self.item.raw_bind_parameter(1, order_id)?;
            self.item.raw_bind_parameter(2, position)?;
            children.bind(&mut self.item, 3)?;
            self.item.raw_execute()?;
        }
        Ok(())
    }
}
