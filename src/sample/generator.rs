use bytes::Bytes;

use super::{
    broken::{self, BrokenKind},
    order::{self, Order},
    rng::Rng,
};

/// The most items that can be asked for: with them a sound order stays below 256 KiB, the default of MAX_MESSAGE_BYTES.
pub const MAX_ITEMS: usize = 500;

/// Broken messages are placed to a millionth of all.
const PARTS: u64 = 1_000_000;

/// What a [`Generator`] makes.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Options {
    /// The share of broken messages, 0 to 1; they lie evenly among the sound ones.
    pub broken: f64,
    /// Items in every order, at most [`MAX_ITEMS`]; without it mostly one, sometimes up to 200.
    pub items: Option<usize>,
    /// Whether messages above 256 KiB are among the broken ones.
    pub oversized: bool,
}

/// An endless sequence of messages, the same for the same seed and options.
///
/// No two messages have the same bytes, and no two sound orders the same uid.
#[derive(Debug)]
pub struct Generator {
    rng: Rng,
    /// A sequence of its own for the uids: its outputs are a bijection of a counter, so none comes twice.
    uids: Rng,
    items: Option<usize>,
    broken_per_million: u64,
    made: u64,
    kinds: Vec<&'static BrokenKind>,
    next_kind: usize,
}

/// One message.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The message as it is published.
    pub payload: Bytes,
    /// What it must become.
    pub kind: Kind,
}

/// What a message must become.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// An order.
    Sound {
        /// Its order_uid.
        uid: String,
    },
    /// A dead letter.
    Broken(&'static BrokenKind),
}

impl Generator {
    /// A sequence that begins anew. A share outside 0 to 1 and a number of items above [`MAX_ITEMS`] are cut to them.
    pub fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::new(seed, 0);
        let kinds: Vec<_> =
            BrokenKind::all().filter(|kind| options.oversized || !kind.is_oversized()).collect();
        Self {
            // A short run shows other kinds with another seed
            next_kind: rng.below(kinds.len() as u64) as usize,
            rng,
            uids: Rng::new(seed, 1),
            items: options.items.map(|items| items.min(MAX_ITEMS)),
            broken_per_million: (options.broken.clamp(0.0, 1.0) * PARTS as f64).round() as u64,
            made: 0,
            kinds,
        }
    }

    fn is_next_broken(&mut self) -> bool {
        let before = u128::from(self.made) * u128::from(self.broken_per_million) / u128::from(PARTS);
        self.made += 1;
        let after = u128::from(self.made) * u128::from(self.broken_per_million) / u128::from(PARTS);
        after > before
    }

    fn uid(&mut self) -> String {
        let unique = self.uids.next();
        match self.rng.below(64) {
            0 => format!("заказ-{unique:016x}"),
            1 => format!("ORD/2025 {unique:016X}#?&%"),
            _ => format!("{unique:016x}test"),
        }
    }

    fn broken(&mut self) -> Sample {
        let kind = self.kinds[self.next_kind];
        if kind.is_unique() {
            self.kinds.remove(self.next_kind);
        } else {
            self.next_kind += 1;
        }
        self.next_kind %= self.kinds.len();
        let uid = self.uid();
        // Every kind needs an item to break
        let items = self.items.unwrap_or_else(|| order::draw_items(&mut self.rng)).max(1);
        let payload = broken::write(kind, &mut self.rng, &Order { uid: &uid, items });
        Sample { payload: payload.into(), kind: Kind::Broken(kind) }
    }

    fn sound(&mut self) -> Sample {
        let uid = self.uid();
        let items = self.items.unwrap_or_else(|| order::draw_items(&mut self.rng));
        let payload = order::write(&mut self.rng, &Order { uid: &uid, items }, &[]);
        Sample { payload: payload.into(), kind: Kind::Sound { uid } }
    }
}

impl Iterator for Generator {
    type Item = Sample;

    /// Never `None`.
    fn next(&mut self) -> Option<Sample> {
        Some(if self.is_next_broken() { self.broken() } else { self.sound() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use serde_json::Value;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::order::{Verdict, WarningCode, validate};

    const MIXED: Options = Options { broken: 0.2, items: None, oversized: true };

    fn parsed(sample: &Sample) -> Value {
        serde_json::from_slice(&sample.payload).expect("a sound order is JSON")
    }

    /// The sum changes when a table of words or kinds does, and must never change otherwise: people keep seeds.
    #[test]
    fn a_seed_means_the_same_bytes_everywhere() {
        let mut sum = Sha256::new();
        for sample in Generator::new(42, MIXED).take(5000) {
            sum.update(sample.payload);
        }
        insta::assert_snapshot!(format!("{:x}", sum.finalize()), @"524ebd27cae3fae38eb04e07fa7ae5bfc645d45d4892b721d0d1d754bc2bd764");
    }

    #[test]
    fn another_seed_means_other_bytes() {
        let of =
            |seed| Generator::new(seed, MIXED).take(50).map(|sample| sample.payload).collect::<HashSet<_>>();
        assert!(of(1).is_disjoint(&of(2)));
    }

    #[test]
    fn no_message_comes_twice() {
        let mut seen = HashSet::new();
        for (position, sample) in Generator::new(3, Options { broken: 0.5, ..MIXED }).take(20_000).enumerate()
        {
            assert!(seen.insert(sample.payload.clone()), "message {position} came before: {:?}", sample.kind);
        }
    }

    #[test]
    fn the_broken_share_is_exact_and_every_kind_comes_in_turn() {
        let broken: Vec<_> = Generator::new(5, Options { broken: 0.05, ..MIXED })
            .take(20_000)
            .filter_map(|sample| match sample.kind {
                Kind::Broken(kind) => Some(kind.name()),
                Kind::Sound { .. } => None,
            })
            .collect();
        assert_eq!(broken.len(), 1000);
        let all = BrokenKind::all().count();
        let first_turn: HashSet<_> = broken.iter().take(all).collect();
        assert_eq!(first_turn.len(), all);
    }

    #[test]
    fn sound_orders_are_accepted_and_show_every_oddity_that_is() {
        let mut warned = HashSet::new();
        let options = [Options::default(), Options { items: Some(0), ..Options::default() }];
        for sample in options.into_iter().flat_map(|options| Generator::new(17, options).take(3000)) {
            match validate(&sample.payload, broken::MAX_MESSAGE_BYTES) {
                Verdict::Accept(accepted) => warned.extend(accepted.warnings.iter().map(|(code, _)| code)),
                Verdict::Reject(rejection) => {
                    panic!("{rejection:?}: {}", String::from_utf8_lossy(&sample.payload))
                }
            }
        }
        for code in WarningCode::ALL {
            assert!(warned.contains(code), "none warns of {code}");
        }
    }

    #[test]
    fn totals_of_a_sound_order_are_those_of_its_parts() {
        let integer = |value: &Value| value.as_f64().map(|number| number as i64);
        for sample in Generator::new(7, Options::default()).take(2000) {
            let order = parsed(&sample);
            let payment = &order["payment"];
            let parts =
                [&payment["goods_total"], &payment["delivery_cost"], &payment["custom_fee"]].map(integer);
            if let (Some(amount), [Some(goods), Some(delivery), Some(fee)]) =
                (integer(&payment["amount"]), parts)
            {
                assert_eq!(amount, goods + delivery + fee, "{order}");
            }
            let items = order["items"].as_array().expect("items");
            for item in items {
                if let [Some(price), Some(sale), Some(total)] =
                    ["price", "sale", "total_price"].map(|key| integer(&item[key]))
                {
                    assert_eq!(total, price * (100 - sale) / 100, "{item}");
                }
            }
            let totals: Option<Vec<i64>> = items.iter().map(|item| integer(&item["total_price"])).collect();
            if let (Some(goods), Some(totals)) = (integer(&payment["goods_total"]), totals) {
                assert_eq!(goods, totals.iter().sum::<i64>(), "{order}");
            }
        }
    }

    #[test]
    fn a_sound_order_holds_the_uid_it_says_and_fits_a_message() {
        let mut most = 0;
        for options in [Options::default(), Options { items: Some(MAX_ITEMS), ..Options::default() }] {
            for sample in Generator::new(11, options).take(300) {
                most = most.max(sample.payload.len());
                let order = parsed(&sample);
                let Kind::Sound { uid } = sample.kind else { panic!("none was to be broken") };
                assert_eq!(order["order_uid"], uid.as_str());
            }
        }
        assert!(most < broken::MAX_MESSAGE_BYTES, "{most} bytes");
    }

    #[test]
    fn the_number_of_items_can_be_fixed_and_has_a_tail_when_it_is_not() {
        let items = |items| {
            Generator::new(13, Options { items, ..Options::default() })
                .take(3000)
                .map(|sample| parsed(&sample)["items"].as_array().map_or(0, Vec::len))
                .collect::<Vec<_>>()
        };
        assert!(items(Some(3)).iter().all(|count| *count == 3));
        let free = items(None);
        assert!(free.iter().filter(|count| **count == 1).count() > 1500);
        assert!(free.iter().any(|count| *count > 60));
    }
}
