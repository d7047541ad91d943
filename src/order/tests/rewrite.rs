//! An order written as JSON from the model alone.

use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;

use crate::order::{Item, Order};

/// The JSON of an order: what it lacks is null, prices are their literals, the date is in UTC.
pub(super) fn rewritten(order: &Order<'_>) -> String {
    let date = order.date_created.map(|date| date.format(&Rfc3339).expect("the years are 1 to 9999"));
    let (delivery, payment) = (&order.delivery, &order.payment);
    let rest = json!({
        "order_uid": order.order_uid, "track_number": order.track_number, "entry": order.entry,
        "locale": order.locale, "internal_signature": order.internal_signature,
        "customer_id": order.customer_id, "delivery_service": order.delivery_service,
        "shardkey": order.shardkey, "sm_id": order.sm_id, "date_created": date, "oof_shard": order.oof_shard,
        "delivery": {
            "name": delivery.name, "phone": delivery.phone, "zip": delivery.zip, "city": delivery.city,
            "address": delivery.address, "region": delivery.region, "email": delivery.email,
        },
        "payment": {
            "transaction": payment.transaction, "request_id": payment.request_id,
            "currency": payment.currency, "provider": payment.provider, "amount": payment.amount,
            "payment_dt": payment.payment_dt, "bank": payment.bank, "delivery_cost": payment.delivery_cost,
            "goods_total": payment.goods_total, "custom_fee": payment.custom_fee,
        },
    });
    let items: Vec<String> = order.items.iter().map(item).collect();
    before(&format!("\"items\":[{}]", items.join(",")), &rest)
}

fn item(item: &Item<'_>) -> String {
    let literal = |price: &Option<_>| price.as_deref().unwrap_or("null").to_owned();
    let rest = json!({
        "chrt_id": item.chrt_id, "track_number": item.track_number, "rid": item.rid, "name": item.name,
        "sale": item.sale, "size": item.size, "nm_id": item.nm_id, "brand": item.brand, "status": item.status,
    });
    let prices = format!("\"price\":{},\"total_price\":{}", literal(&item.price), literal(&item.total_price));
    before(&prices, &rest)
}

/// An object with `members`, as text, before its own: a `Value` would round a price.
fn before(members: &str, object: &Value) -> String {
    let object = object.to_string();
    format!("{{{members},{}", object.strip_prefix('{').expect("it is an object"))
}
