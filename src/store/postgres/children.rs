//! The tables that hang on `orders`.

use sqlx::PgConnection;

use super::decimal::written_out;
use crate::order::{Item, Order};

const DELETE: [&str; 3] = [
    "DELETE FROM items WHERE order_id = ANY ($1)",
    "DELETE FROM payments WHERE order_id = ANY ($1)",
    "DELETE FROM deliveries WHERE order_id = ANY ($1)",
];
const INSERT_DELIVERIES: &str = "
    INSERT INTO deliveries (order_id, name, phone, zip, city, address, region, email)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])";
const INSERT_PAYMENTS: &str = "
    INSERT INTO payments (order_id, transaction, request_id, currency, provider, amount, payment_dt, bank, delivery_cost,
        goods_total, custom_fee)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[],
        $8::text[], $9::bigint[], $10::bigint[], $11::bigint[])";
/// Prices come as text.
const INSERT_ITEMS: &str = "
    INSERT INTO items (order_id, position, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand,
        status)
    SELECT order_id, position, chrt_id, track_number, price::numeric, rid, name, sale, size, total_price::numeric, nm_id,
        brand, status
    FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
        $9::text[], $10::text[], $11::bigint[], $12::text[], $13::bigint[])
        AS item (order_id, position, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand, status)";

/// Deletes the child rows of these orders.
pub(super) async fn delete(connection: &mut PgConnection, order_ids: &[i64]) -> sqlx::Result<()> {
    if order_ids.is_empty() {
        return Ok(());
    }
    for sql in DELETE {
        sqlx::query(sql).bind(order_ids).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Inserts the child rows of these orders, which have none.
pub(super) async fn insert(connection: &mut PgConnection, orders: &[(i64, &Order<'_>)]) -> sqlx::Result<()> {
    if orders.is_empty() {
        return Ok(());
    }
    insert_deliveries(connection, orders).await?;
    insert_payments(connection, orders).await?;
    let items: Vec<(i64, i32, &Item<'_>)> = orders
        .iter()
        .flat_map(|(id, order)| (0_i32..).zip(&order.items).map(|(position, item)| (*id, position, item)))
        .collect();
    if items.is_empty() { Ok(()) } else { insert_items(connection, &items).await }
}

async fn insert_deliveries(connection: &mut PgConnection, orders: &[(i64, &Order<'_>)]) -> sqlx::Result<()> {
    macro_rules! column {
        ($field:ident) => {
            orders.iter().map(|(_, order)| order.delivery.$field.as_deref()).collect::<Vec<_>>()
        };
    }
    sqlx::query(INSERT_DELIVERIES)
        .bind(orders.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(column!(name))
        .bind(column!(phone))
        .bind(column!(zip))
        .bind(column!(city))
        .bind(column!(address))
        .bind(column!(region))
        .bind(column!(email))
        .execute(connection)
        .await
        .map(drop)
}

async fn insert_payments(connection: &mut PgConnection, orders: &[(i64, &Order<'_>)]) -> sqlx::Result<()> {
    macro_rules! text {
        ($field:ident) => {
            orders.iter().map(|(_, order)| order.payment.$field.as_deref()).collect::<Vec<_>>()
        };
    }
    macro_rules! number {
        ($field:ident) => {
            orders.iter().map(|(_, order)| order.payment.$field).collect::<Vec<_>>()
        };
    }
    sqlx::query(INSERT_PAYMENTS)
        .bind(orders.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(text!(transaction))
        .bind(text!(request_id))
        .bind(text!(currency))
        .bind(text!(provider))
        .bind(number!(amount))
        .bind(number!(payment_dt))
        .bind(text!(bank))
        .bind(number!(delivery_cost))
        .bind(number!(goods_total))
        .bind(number!(custom_fee))
        .execute(connection)
        .await
        .map(drop)
}

async fn insert_items(connection: &mut PgConnection, items: &[(i64, i32, &Item<'_>)]) -> sqlx::Result<()> {
    macro_rules! text {
        ($field:ident) => {
            items.iter().map(|(_, _, item)| item.$field.as_deref()).collect::<Vec<_>>()
        };
    }
    macro_rules! number {
        ($field:ident) => {
            items.iter().map(|(_, _, item)| item.$field).collect::<Vec<_>>()
        };
    }
    macro_rules! decimal {
        ($field:ident) => {
            items.iter().map(|(_, _, item)| item.$field.as_deref().map(written_out)).collect::<Vec<_>>()
        };
    }
    sqlx::query(INSERT_ITEMS)
        .bind(items.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
        .bind(items.iter().map(|(_, position, _)| *position).collect::<Vec<_>>())
        .bind(number!(chrt_id))
        .bind(text!(track_number))
        .bind(decimal!(price))
        .bind(text!(rid))
        .bind(text!(name))
        .bind(number!(sale))
        .bind(text!(size))
        .bind(decimal!(total_price))
        .bind(number!(nm_id))
        .bind(text!(brand))
        .bind(number!(status))
        .execute(connection)
        .await
        .map(drop)
}
