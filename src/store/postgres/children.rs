//! The tables that hang on `orders`.

use sqlx::PgConnection;

use super::decimal::written_out;
use crate::order::{Item, Order};

const DELETE: [&str; 3] = [
    "DELETE FROM items WHERE order_id = ANY ($1)",
    "DELETE FROM payments WHERE order_id = ANY ($1)",
    "DELETE FROM deliveries WHERE order_id = ANY ($1)",
];
/// One statement for all three, for each statement is a wait for the server. Prices come as text.
const INSERT: &str = "
    WITH delivery AS (
        INSERT INTO deliveries (order_id, name, phone, zip, city, address, region, email)
        SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
    ), payment AS (
        INSERT INTO payments (order_id, transaction, request_id, currency, provider, amount, payment_dt, bank, delivery_cost,
            goods_total, custom_fee)
        SELECT * FROM unnest($1::bigint[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::bigint[],
            $15::text[], $16::bigint[], $17::bigint[], $18::bigint[])
    )
    INSERT INTO items (order_id, position, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand,
        status)
    SELECT order_id, position, chrt_id, track_number, price::numeric, rid, name, sale, size, total_price::numeric, nm_id,
        brand, status
    FROM unnest($19::bigint[], $20::integer[], $21::bigint[], $22::text[], $23::text[], $24::text[], $25::text[],
        $26::bigint[], $27::text[], $28::text[], $29::bigint[], $30::text[], $31::bigint[])
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
    let items: Vec<(i64, i32, &Item<'_>)> = orders
        .iter()
        .flat_map(|(id, order)| (0_i32..).zip(&order.items).map(|(position, item)| (*id, position, item)))
        .collect();
    macro_rules! column_of {
        (delivery, $field:ident) => {
            orders.iter().map(|(_, order)| order.delivery.$field.as_deref()).collect::<Vec<_>>()
        };
        (payment, $field:ident) => {
            orders.iter().map(|(_, order)| order.payment.$field.as_deref()).collect::<Vec<_>>()
        };
        (payment number, $field:ident) => {
            orders.iter().map(|(_, order)| order.payment.$field).collect::<Vec<_>>()
        };
        (item, $field:ident) => {
            items.iter().map(|(_, _, item)| item.$field.as_deref()).collect::<Vec<_>>()
        };
        (item number, $field:ident) => {
            items.iter().map(|(_, _, item)| item.$field).collect::<Vec<_>>()
        };
        (item decimal, $field:ident) => {
            items.iter().map(|(_, _, item)| item.$field.as_deref().map(written_out)).collect::<Vec<_>>()
        };
    }
    sqlx::query(INSERT)
        .bind(orders.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(column_of!(delivery, name))
        .bind(column_of!(delivery, phone))
        .bind(column_of!(delivery, zip))
        .bind(column_of!(delivery, city))
        .bind(column_of!(delivery, address))
        .bind(column_of!(delivery, region))
        .bind(column_of!(delivery, email))
        .bind(column_of!(payment, transaction))
        .bind(column_of!(payment, request_id))
        .bind(column_of!(payment, currency))
        .bind(column_of!(payment, provider))
        .bind(column_of!(payment number, amount))
        .bind(column_of!(payment number, payment_dt))
        .bind(column_of!(payment, bank))
        .bind(column_of!(payment number, delivery_cost))
        .bind(column_of!(payment number, goods_total))
        .bind(column_of!(payment number, custom_fee))
        .bind(items.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
        .bind(items.iter().map(|(_, position, _)| *position).collect::<Vec<_>>())
        .bind(column_of!(item number, chrt_id))
        .bind(column_of!(item, track_number))
        .bind(column_of!(item decimal, price))
        .bind(column_of!(item, rid))
        .bind(column_of!(item, name))
        .bind(column_of!(item number, sale))
        .bind(column_of!(item, size))
        .bind(column_of!(item decimal, total_price))
        .bind(column_of!(item number, nm_id))
        .bind(column_of!(item, brand))
        .bind(column_of!(item number, status))
        .execute(connection)
        .await
        .map(drop)
}
