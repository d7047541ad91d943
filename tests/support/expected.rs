//! What a run of `orderbox publish` must have left behind: the generator makes the same messages from the same seed.

use std::collections::BTreeMap;
#[cfg(feature = "fail-points")]
use std::collections::HashSet;

use bytes::Bytes;
use orderbox::sample::{Generator, Kind, Options};

use super::{database::Database, orderbox::Orderbox, stan_server::eventually};

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

    /// Those of them that are stored in the channel, as often as they are: a publisher that lost its server does not know which
    /// arrived, and sends some again. A sound order that came twice is one order; a broken message is two dead letters.
    #[cfg(feature = "fail-points")]
    pub(crate) fn keep(&mut self, stored: &[Bytes]) {
        let stored_once: HashSet<&Bytes> = stored.iter().collect();
        self.sound.retain(|_, payload| stored_once.contains(payload));
        let broken: HashSet<Bytes> = self.broken.drain(..).collect();
        self.broken = stored.iter().filter(|payload| broken.contains(*payload)).cloned().collect();
        let sound: HashSet<&Bytes> = self.sound.values().collect();
        assert!(
            stored.iter().all(|payload| sound.contains(payload) || broken.contains(payload)),
            "the channel holds what was not published"
        );
    }

    /// Those of another run as well.
    pub(crate) fn add(&mut self, other: Self) {
        self.sound.extend(other.sound);
        self.broken.extend(other.broken);
    }

    /// So many of them, once that many are stored, each with its document; all of them have been read.
    pub(crate) async fn some_read_from(
        &self,
        service: &Orderbox,
        database: &Database,
        count: usize,
    ) -> Vec<(String, Bytes)> {
        let enough = i64::try_from(count).expect("it fits");
        eventually("the load has begun", || async {
            database.number("SELECT count(*) FROM orders").await >= enough
        })
        .await;
        let mut orders = Vec::new();
        let first = format!("SELECT order_uid FROM orders ORDER BY id LIMIT {count}");
        for uid in database.rows(&first).await.into_iter().flatten().flatten() {
            let document = self.sound[&uid].clone();
            assert_eq!(service.order(&uid).await.as_ref(), Ok(&document), "{uid} before anything happened");
            orders.push((uid, document));
        }
        orders
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
