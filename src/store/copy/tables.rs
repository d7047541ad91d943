//! The tables, as both databases have them.

/// What a column holds, whatever the two databases call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    Integer,
    Text,
    Bytes,
    /// RFC 3339 in SQLite.
    Time,
    /// 0 or 1 in SQLite.
    Boolean,
    /// The literal of the document in SQLite.
    Decimal,
}

/// A column.
#[derive(Debug)]
pub(in crate::store) struct Column {
    pub(in crate::store) name: &'static str,
    pub(in crate::store) kind: Kind,
}

/// A table, with every column that it has.
#[derive(Debug)]
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    /// So many of the columns, the first, are its primary key.
    pub(in crate::store) key: usize,
    pub(in crate::store) columns: &'static [Column],
}

impl Table {
    /// Whether the database numbers its rows.
    pub(in crate::store) fn is_numbered(&self) -> bool {
        self.columns[0].name == "id"
    }

    pub(in crate::store) fn key_columns(&self) -> &'static [Column] {
        &self.columns[..self.key]
    }
}

macro_rules! table {
    ($name:ident, $key:literal, $($column:ident $kind:ident),+) => {
        Table {
            name: stringify!($name),
            key: $key,
            columns: &[$(Column { name: stringify!($column), kind: Kind::$kind }),+],
        }
    };
}

/// In an order in which no row comes before one that it refers to. (A dead letter refers to an older one.)
#[rustfmt::skip]
pub(in crate::store) const TABLES: &[Table] = &[
    table!(channels, 2, source Text, channel Text, last_sequence Integer, last_published_at_ns Integer),
    table!(gaps, 4, source Text, channel Text, before_ns Integer, first Integer, last Integer, lost Boolean,
        seen_at Time, closed_at Time),
    table!(ledger, 4, source Text, channel Text, shard Integer, outcome Text, messages Integer),
    table!(inbox, 1, id Integer, message_id Text, source Text, channel Text, sequence Integer,
        published_at_ns Integer, payload Bytes, received_at Time, attempts Integer, parent_id Integer),
    table!(dead_letters, 1, id Integer, message_id Text, source Text, channel Text, sequence Integer,
        published_at_ns Integer, order_uid Text, reason Text, errors Text, payload Bytes, received_at Time,
        rejected_at Time, resolution Text, resolved_at Time, resolved_by Text, note Text, parent_id Integer,
        replay_outcome Text, replay_order_uid Text, replay_edited Boolean),
    table!(orders, 1, id Integer, order_uid Text, track_number Text, entry Text, locale Text, internal_signature Text,
        customer_id Text, delivery_service Text, shardkey Text, sm_id Integer, date_created Time, oof_shard Text,
        document Bytes, message_id Text, source Text, channel Text, sequence Integer, published_at_ns Integer,
        updated_at Time),
    table!(deliveries, 1, order_id Integer, name Text, phone Text, zip Text, city Text, address Text, region Text,
        email Text),
    table!(payments, 1, order_id Integer, transaction Text, request_id Text, currency Text, provider Text,
        amount Integer, payment_dt Integer, bank Text, delivery_cost Integer, goods_total Integer, custom_fee Integer),
    table!(items, 2, order_id Integer, position Integer, chrt_id Integer, track_number Text, price Decimal, rid Text,
        name Text, sale Integer, size Text, total_price Decimal, nm_id Integer, brand Text, status Integer),
    table!(order_history, 1, id Integer, order_uid Text, message_id Text, source Text, channel Text, sequence Integer,
        published_at_ns Integer, document Bytes, replaced_at Time),
];
