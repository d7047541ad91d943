//! The tables that hang on `orders`.

use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};

use super::decimal::written_out;
use crate::order::{Item, Order};

const DELETE: [&str; 3] = [
    "DELETE FROM items WHERE order_id = ANY ($1)",
    "DELETE FROM payments WHERE order_id = ANY ($1)",
    "DELETE FROM deliveries WHERE order_id = ANY ($1)",
];
/// A statement that writes orders with all that hangs on them, for each statement is a wait for the server. `$orders` makes
/// `written`, the ids and the uids of the orders it has written, of the arrays $1 to $17, the first of which is that of the uids;
/// `$answer` is what the whole answers. Prices come as text.
///
/// Each join is of two lists that the planner knows nothing of, so it hashes one, however long they are.
macro_rules! with_children {
    ($orders:literal, $answer:literal) => {
        concat!(
            $orders,
            ", delivery AS (
        INSERT INTO deliveries (order_id, name, phone, zip, city, address, region, email)
        SELECT written.id, name, phone, zip, city, address, region, email
        FROM unnest($1::text[], $18::text[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[])
            AS delivery (order_uid, name, phone, zip, city, address, region, email) JOIN written USING (order_uid)
    ), payment AS (
        INSERT INTO payments (order_id, transaction, request_id, currency, provider, amount, payment_dt, bank, delivery_cost,
            goods_total, custom_fee)
        SELECT written.id, transaction, request_id, currency, provider, amount, payment_dt, bank, delivery_cost, goods_total,
            custom_fee
        FROM unnest($1::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::bigint[], $30::bigint[],
            $31::text[], $32::bigint[], $33::bigint[], $34::bigint[])
            AS payment (order_uid, transaction, request_id, currency, provider, amount, payment_dt, bank, delivery_cost,
                goods_total, custom_fee) JOIN written USING (order_uid)
    ), item AS (
        INSERT INTO items (order_id, position, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id,
            brand, status)
        SELECT written.id, position, chrt_id, track_number, price::numeric, rid, name, sale, size, total_price::numeric,
            nm_id, brand, status
        FROM unnest($35::text[], $36::integer[], $37::bigint[], $38::text[], $39::text[], $40::text[], $41::text[],
            $42::bigint[], $43::text[], $44::text[], $45::bigint[], $46::text[], $47::bigint[])
            AS item (order_uid, position, chrt_id, track_number, price, rid, name, sale, size, total_price, nm_id, brand,
                status) JOIN written USING (order_uid)
    )",
            $answer
        )
    };
}
pub(super) use with_children;

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

/// Binds $18 to $47 of [`with_children!`].
pub(super) fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    orders: &[&Order<'_>],
) -> Query<'q, Postgres, PgArguments> {
    let items: Vec<(&str, i32, &Item<'_>)> = orders
        .iter()
        .flat_map(|order| {
            (0_i32..).zip(&order.items).map(|(position, item)| (&*order.order_uid, position, item))
        })
        .collect();
    macro_rules! column_of {
        (delivery, $field:ident) => {
            orders.iter().map(|order| order.delivery.$field.as_deref()).collect::<Vec<_>>()
        };
        (payment, $field:ident) => {
            orders.iter().map(|order| order.payment.$field.as_deref()).collect::<Vec<_>>()
        };
        (payment number, $field:ident) => {
            orders.iter().map(|order| order.payment.$field).collect::<Vec<_>>()
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
    query
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
        .bind(items.iter().map(|(order_uid, _, _)| *order_uid).collect::<Vec<_>>())
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
}
