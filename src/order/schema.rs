//! Which fields the objects of an order have, and of which kinds: the rules as four tables.

use std::borrow::Cow;

use super::{
    Delivery, ErrorCode, Item, Order, Payment,
    kind::{
        Amount, Integer, Kind, Leaf, List, Moment, Natural, Nested, Outcome, Text, TextOrNumber, Track, Uid,
    },
};

/// One known key of an object.
pub(super) struct Field {
    pub(super) key: &'static str,
    pub(super) required: bool,
    /// For a person, as in "expected …".
    pub(super) expected: &'static str,
}

impl Field {
    const fn of<K: Kind>(key: &'static str) -> Self {
        Self { key, required: K::REQUIRED, expected: K::EXPECTED }
    }
}

/// An object of the model. A field goes by its place in `FIELDS`, of which there are 32 at most.
pub(super) trait Object<'a> {
    const FIELDS: &'static [Field];

    /// The field with this key, case included.
    fn find(key: &str) -> Option<usize>;

    /// Reads a literal of the JSON grammar into a field. A field that holds a container has no literal: that is `wrong_type`.
    fn read(&mut self, field: usize, literal: &'a str) -> Outcome;
}

/// Some fields of one object.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FieldSet(u32);

impl FieldSet {
    pub(super) fn contains(self, field: usize) -> bool {
        self.0 & (1 << field) != 0
    }

    /// Adds a field and says whether it is new.
    pub(super) fn insert(&mut self, field: usize) -> bool {
        let new = !self.contains(field);
        self.0 |= 1 << field;
        new
    }
}

macro_rules! object {
    ($object:ident { $($leaf:ident: $kind:ident,)+ } $($container:ident: $container_kind:ident,)*) => {
        const _: () = {
            #[expect(non_camel_case_types, reason = "named as the keys that they number")]
            enum Key { $($leaf,)+ $($container,)* }

            impl<'a> Object<'a> for $object<'a> {
                const FIELDS: &'static [Field] = &[
                    $(Field::of::<$kind>(stringify!($leaf)),)+
                    $(Field::of::<$container_kind>(stringify!($container)),)*
                ];

                fn find(key: &str) -> Option<usize> {
                    match key {
                        $(stringify!($leaf) => Some(Key::$leaf as usize),)+
                        $(stringify!($container) => Some(Key::$container as usize),)*
                        _ => None,
                    }
                }

                fn read(&mut self, field: usize, literal: &'a str) -> Outcome {
                    $(if field == Key::$leaf as usize {
                        return <$kind as Leaf<'a>>::read(literal, &mut self.$leaf);
                    })+
                    Err(ErrorCode::WrongType)
                }
            }
        };
    };
}

object! {
    Order {
        order_uid: Uid,
        track_number: Track,
        entry: Text,
        locale: Text,
        internal_signature: Text,
        customer_id: Text,
        delivery_service: Text,
        shardkey: TextOrNumber,
        sm_id: Integer,
        date_created: Moment,
        oof_shard: TextOrNumber,
    }
    delivery: Nested,
    payment: Nested,
    items: List,
}

/// The containers of an order, by their place in its `FIELDS`.
pub(super) const DELIVERY: usize = ORDER_LEAVES;
pub(super) const PAYMENT: usize = ORDER_LEAVES + 1;
pub(super) const ITEMS: usize = ORDER_LEAVES + 2;
const ORDER_LEAVES: usize = 11;

object! {
    Delivery {
        name: Text,
        phone: Text,
        zip: TextOrNumber,
        city: Text,
        address: Text,
        region: Text,
        email: Text,
    }
}

object! {
    Payment {
        transaction: Text,
        request_id: Text,
        currency: Text,
        provider: Text,
        amount: Natural,
        payment_dt: Integer,
        bank: Text,
        delivery_cost: Natural,
        goods_total: Natural,
        custom_fee: Natural,
    }
}

object! {
    Item {
        chrt_id: Natural,
        track_number: Text,
        price: Amount,
        rid: Text,
        name: Text,
        sale: Integer,
        size: TextOrNumber,
        total_price: Amount,
        nm_id: Natural,
        brand: Text,
        status: Integer,
    }
}

/// An order in which nothing is read yet. It is no order until both required texts are.
pub(super) fn unread<'a>() -> Order<'a> {
    Order {
        order_uid: Cow::Borrowed(""),
        track_number: Cow::Borrowed(""),
        entry: None,
        delivery: Delivery::default(),
        payment: Payment::default(),
        items: Vec::new(),
        locale: None,
        internal_signature: None,
        customer_id: None,
        delivery_service: None,
        shardkey: None,
        sm_id: None,
        date_created: None,
        oof_shard: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys_are_found_where_they_stand<'a, T: Object<'a>>() {
        assert!(T::FIELDS.len() <= 32, "a FieldSet holds 32");
        for (place, field) in T::FIELDS.iter().enumerate() {
            assert_eq!(T::find(field.key), Some(place));
            assert_eq!(T::find(&field.key.to_uppercase()), None);
        }
    }

    #[test]
    fn every_key_is_found_where_it_stands_case_included() {
        keys_are_found_where_they_stand::<Order<'_>>();
        keys_are_found_where_they_stand::<Delivery<'_>>();
        keys_are_found_where_they_stand::<Payment<'_>>();
        keys_are_found_where_they_stand::<Item<'_>>();
    }

    #[test]
    fn the_containers_of_an_order_stand_where_their_names_say() {
        let key = |place: usize| Order::FIELDS[place].key;
        assert_eq!([key(DELIVERY), key(PAYMENT), key(ITEMS)], ["delivery", "payment", "items"]);
    }
}
