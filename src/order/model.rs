use std::borrow::Cow;

use time::OffsetDateTime;

/// An accepted order. Text borrows from the payload unless it holds an escape;
/// an optional field that is missing or null is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Order<'a> {
    /// 1 to 255 characters, not blank, no control characters.
    pub order_uid: Cow<'a, str>,
    /// 1 to 255 characters, not blank.
    pub track_number: Cow<'a, str>,
    /// Where the order entered the delivery network.
    pub entry: Option<Cow<'a, str>>,
    /// Where it goes.
    pub delivery: Delivery<'a>,
    /// How it is paid.
    pub payment: Payment<'a>,
    /// In document order; may be empty.
    pub items: Vec<Item<'a>>,
    /// Language of the customer; any text.
    pub locale: Option<Cow<'a, str>>,
    /// Signature of the sender; usually empty.
    pub internal_signature: Option<Cow<'a, str>>,
    /// The customer, by the sender's own key.
    pub customer_id: Option<Cow<'a, str>>,
    /// The carrier.
    pub delivery_service: Option<Cow<'a, str>>,
    /// A number is kept as the literal written.
    pub shardkey: Option<Cow<'a, str>>,
    /// Any integer.
    pub sm_id: Option<i64>,
    /// UTC, cut to the microsecond.
    pub date_created: Option<OffsetDateTime>,
    /// A number is kept as the literal written.
    pub oof_shard: Option<Cow<'a, str>>,
}

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delivery<'a> {
    /// The receiver.
    pub name: Option<Cow<'a, str>>,
    /// As written; no shape is demanded.
    pub phone: Option<Cow<'a, str>>,
    /// A number is kept as the literal written.
    pub zip: Option<Cow<'a, str>>,
    /// Town or city.
    pub city: Option<Cow<'a, str>>,
    /// Street and house.
    pub address: Option<Cow<'a, str>>,
    /// State, county or the like.
    pub region: Option<Cow<'a, str>>,
    /// As written; no shape is demanded.
    pub email: Option<Cow<'a, str>>,
}

/// How an order is paid. Amounts are whole units of `currency`, 0 or more.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payment<'a> {
    /// The payment's own key; it need not be the `order_uid`.
    pub transaction: Option<Cow<'a, str>>,
    /// Usually empty.
    pub request_id: Option<Cow<'a, str>>,
    /// By convention an ISO 4217 code; any text.
    pub currency: Option<Cow<'a, str>>,
    /// Who handles the payment.
    pub provider: Option<Cow<'a, str>>,
    /// What is paid.
    pub amount: Option<i64>,
    /// Unix seconds by convention; any integer is accepted.
    pub payment_dt: Option<i64>,
    /// The paying bank.
    pub bank: Option<Cow<'a, str>>,
    /// The share of the delivery.
    pub delivery_cost: Option<i64>,
    /// The share of the goods; it need not be the sum of the items.
    pub goods_total: Option<i64>,
    /// The share of customs.
    pub custom_fee: Option<i64>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item<'a> {
    /// The article in one size, 0 or more.
    pub chrt_id: Option<i64>,
    /// The item's own; it need not be the order's.
    pub track_number: Option<Cow<'a, str>>,
    /// A decimal literal of JSON, exact: it may have an exponent.
    pub price: Option<Cow<'a, str>>,
    /// Key of the line; it may repeat.
    pub rid: Option<Cow<'a, str>>,
    /// The article in words.
    pub name: Option<Cow<'a, str>>,
    /// Discount in percent by convention; any integer.
    pub sale: Option<i64>,
    /// A number is kept as the literal written.
    pub size: Option<Cow<'a, str>>,
    /// A decimal literal of JSON, exact: it may have an exponent.
    pub total_price: Option<Cow<'a, str>>,
    /// The article, 0 or more.
    pub nm_id: Option<i64>,
    /// The maker.
    pub brand: Option<Cow<'a, str>>,
    /// Any integer.
    pub status: Option<i64>,
}
