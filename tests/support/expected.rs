//! What a run of `orderbox publish` must have left behind: the generator makes the same messages from the same seed.

use std::collections::BTreeMap;

use bytes::Bytes;
use orderbox::sample::{Generator, Kind, Options};

use super::{database::Database, orderbox::Orderbox};

/// The messages of one run.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// Documents of the sound ones by uid.
    pub(crate) sound: BTreeMap<String, Bytes>,
    /// Payloads of the broken ones.
    pub(crate) broken: Vec<Bytes>,
}

impl Expected {
    /// Those of `publish --seed SEED --count COUNT --broken BROKEN`.
    pub(crate) fn of(seed: u64, count: usize, broken: f64, options: Options) -> Self {
        let mut expected = Self::default();
        for sample in Generator::new(seed, Options { broken, ..options }).take(count) {
            match sample.kind {
                Kind::Sound { uid } => {
                    expected.sound.insert(uid, sample.payload);
                }
                Kind::Broken(_) => expected.broken.push(sample.payload),
            }
        }
        expected
    }

    /// Those of another run as well.
    pub(crate) fn add(&mut self, other: Self) {
        self.sound.extend(other.sound);
        self.broken.extend(other.broken);
    }

    /// Every sound order is served byte for byte.
    pub(crate) async fn are_served_by(&self, service: &Orderbox) {
        for (uid, document) in &self.sound {
            match service.order(uid).await {
                Ok(served) => assert_eq!(served, document, "{uid} is served with other bytes"),
                Err(status) => panic!("{uid} is missing: {status}"),
            }
        }
    }

    /// The dead letters are exactly the broken messages, byte for byte.
    pub(crate) async fn are_the_dead_letters_of(&self, database: &Database) {
        let hex = if database.is_postgres() { "encode(payload, 'hex')" } else { "lower(hex(payload))" };
        let rows = database.rows(&format!("SELECT {hex}, message_id FROM dead_letters")).await;
        let mut found: Vec<String> =
            rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        let mut expected: Vec<String> = self.broken.iter().map(|payload| hex_of(payload)).collect();
        found.sort();
        expected.sort();
        assert_eq!(found.len(), expected.len(), "the number of dead letters");
        assert!(found == expected, "the dead letters are not the broken messages");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
