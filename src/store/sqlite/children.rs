//! The tables that hang on `orders`.

use sqlx::SqliteConnection;

use super::insert::Insert;
use crate::order::{Item, Order};

const DELETE: [&str; 3] = [
    "DELETE FROM items WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM payments WHERE order_id IN (SELECT value FROM json_each(?))",
    "DELETE FROM deliveries WHERE order_id IN (SELECT value FROM json_each(?))",
];
const INSERT_DELIVERIES: Insert = Insert {
    head: "INSERT INTO deliveries (order_id, name, phone, zip, city, address, region, email)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?)",
    tail: "",
};
const INSERT_PAYMENTS: Insert = Insert {
    head: "INSERT INTO payments (order_id, \"transaction\", request_id, currency, provider, amount, payment_dt, bank,
               delivery_cost, goods_total, custom_fee)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    tail: "",
};
const INSERT_ITEMS: Insert = Insert {
    head: "INSERT INTO items (order_id, position, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id,
               brand, status)",
    row: "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    tail: "",
};

/// Deletes the child rows of these orders.
pub(super) async fn delete(connection: &mut SqliteConnection, order_ids: &[i64]) -> sqlx::Result<()> {
    if order_ids.is_empty() {
        return Ok(());
    }
    let ids = serde_json::to_string(order_ids).expect("numbers are always JSON");
    for sql in DELETE {
        sqlx::query(sql).bind(&ids).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Inserts the child rows of these orders, which have none.
pub(super) async fn insert(
    connection: &mut SqliteConnection,
    orders: &[(i64, &Order<'_>)],
) -> sqlx::Result<()> {
    INSERT_DELIVERIES
        .rows(connection, orders, |row, (id, order)| {
            let delivery = &order.delivery;
            row.bind(*id)
                .bind(delivery.name.as_deref())
                .bind(delivery.phone.as_deref())
                .bind(delivery.zip.as_deref())
                .bind(delivery.city.as_deref())
                .bind(delivery.address.as_deref())
                .bind(delivery.region.as_deref())
                .bind(delivery.email.as_deref());
        })
        .await?;
    INSERT_PAYMENTS
        .rows(connection, orders, |row, (id, order)| {
            let payment = &order.payment;
            row.bind(*id)
                .bind(payment.transaction.as_deref())
                .bind(payment.request_id.as_deref())
                .bind(payment.currency.as_deref())
                .bind(payment.provider.as_deref())
                .bind(payment.amount)
                .bind(payment.payment_dt)
                .bind(payment.bank.as_deref())
                .bind(payment.delivery_cost)
                .bind(payment.goods_total)
                .bind(payment.custom_fee);
        })
        .await?;
    let items: Vec<(i64, i64, &Item<'_>)> = orders
        .iter()
        .flat_map(|(id, order)| (0_i64..).zip(&order.items).map(|(position, item)| (*id, position, item)))
        .collect();
    INSERT_ITEMS
        .rows(connection, &items, |row, (id, position, item)| {
            row.bind(*id)
                .bind(*position)
                .bind(item.chrt_id)
                .bind(item.track_number.as_deref())
                .bind(item.price.as_deref())
                .bind(item.rid.as_deref())
                .bind(item.name.as_deref())
                .bind(item.sale)
                .bind(item.size.as_deref())
                .bind(item.total_price.as_deref())
                .bind(item.nm_id)
                .bind(item.brand.as_deref())
                .bind(item.status);
        })
        .await
        .map(drop)
}
