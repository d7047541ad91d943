//! Messages and orders, made by hand.

use std::{borrow::Cow, collections::BTreeMap};

use bytes::Bytes;
use orderbox::{
    order::{Delivery, Item, Order, Payment},
    store::{Decision, InboxRow, Message, Outcome, Refusal, Result, Settlement, SourceKind, Store},
};
use serde_json::value::RawValue;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(crate) type Object = BTreeMap<String, Box<RawValue>>;

/// A message of a STAN channel.
pub(crate) fn message(sequence: i64, published_at_ns: i64, payload: &str) -> Message {
    Message {
        message_id: format!("stan:cluster/orders/{sequence}@{published_at_ns}").into(),
        source: SourceKind::Stan,
        channel: "orders".into(),
        sequence,
        published_at_ns,
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// The smallest document of a uid; documents with another `variant` have other bytes.
pub(crate) fn small(order_uid: &str, variant: impl std::fmt::Display) -> String {
    format!(
        r#"{{"order_uid":"{order_uid}","track_number":"T{variant}","delivery":{{"name":"N"}},"payment":{{"amount":1}},"items":[{{"chrt_id":1,"price":2}}]}}"#
    )
}

/// What validation will say of a document that it accepts.
pub(crate) fn order(document: &[u8]) -> Order<'static> {
    let order: Object = serde_json::from_slice(document).unwrap();
    let delivery: Object = object(&order, "delivery");
    let payment: Object = object(&order, "payment");
    let items: Vec<Object> = serde_json::from_str(order["items"].get()).unwrap();
    Order {
        order_uid: text(&order, "order_uid").unwrap(),
        track_number: text(&order, "track_number").unwrap(),
        entry: text(&order, "entry"),
        delivery: Delivery {
            name: text(&delivery, "name"),
            phone: text(&delivery, "phone"),
            zip: text(&delivery, "zip"),
            city: text(&delivery, "city"),
            address: text(&delivery, "address"),
            region: text(&delivery, "region"),
            email: text(&delivery, "email"),
        },
        payment: Payment {
            transaction: text(&payment, "transaction"),
            request_id: text(&payment, "request_id"),
            currency: text(&payment, "currency"),
            provider: text(&payment, "provider"),
            amount: integer(&payment, "amount"),
            payment_dt: integer(&payment, "payment_dt"),
            bank: text(&payment, "bank"),
            delivery_cost: integer(&payment, "delivery_cost"),
            goods_total: integer(&payment, "goods_total"),
            custom_fee: integer(&payment, "custom_fee"),
        },
        items: items
            .iter()
            .map(|item| Item {
                chrt_id: integer(item, "chrt_id"),
                track_number: text(item, "track_number"),
                price: text(item, "price"),
                rid: text(item, "rid"),
                name: text(item, "name"),
                sale: integer(item, "sale"),
                size: text(item, "size"),
                total_price: text(item, "total_price"),
                nm_id: integer(item, "nm_id"),
                brand: text(item, "brand"),
                status: integer(item, "status"),
            })
            .collect(),
        locale: text(&order, "locale"),
        internal_signature: text(&order, "internal_signature"),
        customer_id: text(&order, "customer_id"),
        delivery_service: text(&order, "delivery_service"),
        shardkey: text(&order, "shardkey"),
        sm_id: integer(&order, "sm_id"),
        date_created: text(&order, "date_created")
            .map(|date| OffsetDateTime::parse(&date, &Rfc3339).unwrap()),
        oof_shard: text(&order, "oof_shard"),
    }
}

pub(crate) fn object(of: &Object, key: &str) -> Object {
    serde_json::from_str(of[key].get()).unwrap()
}

/// The text of a string, the literal of anything else, `None` for null and for what is missing.
pub(crate) fn text(of: &Object, key: &str) -> Option<Cow<'static, str>> {
    let literal = of.get(key)?.get();
    match literal.as_bytes()[0] {
        b'"' => Some(Cow::Owned(serde_json::from_str(literal).unwrap())),
        b'n' => None,
        _ => Some(Cow::Owned(literal.to_owned())),
    }
}

fn integer(of: &Object, key: &str) -> Option<i64> {
    text(of, key).map(|literal| literal.parse().unwrap())
}

/// Records messages and reads them back as rows, in their order.
pub(crate) async fn recorded(store: &dyn Store, messages: &[Message]) -> Vec<InboxRow> {
    let ids: Vec<i64> = store.record(messages).await.unwrap().iter().map(|recorded| recorded.id).collect();
    let rows = store.load(&ids).await.unwrap();
    ids.iter().map(|id| rows.iter().find(|row| row.id == *id).unwrap().clone()).collect()
}

/// Settles rows: payloads that are objects are accepted, all others rejected as `not_json`.
pub(crate) async fn try_settle(store: &dyn Store, rows: &[InboxRow]) -> Result<Vec<Option<Outcome>>> {
    let orders: Vec<Option<Order<'static>>> = rows
        .iter()
        .map(|row| row.message.payload.starts_with(b"{").then(|| order(&row.message.payload)))
        .collect();
    let batch: Vec<Settlement<'_>> = rows
        .iter()
        .zip(&orders)
        .map(|(row, order)| {
            let refusal = Refusal { reason: "not_json", errors: "[]", order_uid: None };
            let decision = order.as_ref().map_or(Decision::Reject(refusal), Decision::Accept);
            Settlement { row, decision }
        })
        .collect();
    store.settle(&batch).await
}

/// Settles rows that a sound store takes.
pub(crate) async fn settle(store: &dyn Store, rows: &[InboxRow]) -> Vec<Option<Outcome>> {
    try_settle(store, rows).await.unwrap()
}

/// Records and settles messages in one batch.
pub(crate) async fn ingest(store: &dyn Store, messages: &[Message]) -> Vec<Outcome> {
    let rows = recorded(store, messages).await;
    settle(store, &rows).await.into_iter().map(|outcome| outcome.expect("the row was there")).collect()
}
