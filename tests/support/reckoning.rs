use std::collections::BTreeMap;

use super::{database::Database, expected::Expected, orderbox::Orderbox};

/// What is wrong after a run, in messages; all 0 when the promise was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reckoning {
    /// Sound ones that are not stored, or not served byte for byte, and broken ones without a dead letter.
    pub(crate) lost: usize,
    /// Dead letters, orders and former documents beyond one a message.
    pub(crate) doubled: usize,
    /// Sound ones among the dead letters.
    pub(crate) misjudged: usize,
}

impl Reckoning {
    /// Holds what is served and stored against what was published. Everything must have been settled.
    pub(crate) async fn of(expected: &Expected, service: &Orderbox, database: &Database) -> Self {
        let mut missing = 0;
        for (uid, document) in &expected.sound {
            missing += usize::from(service.order(uid).await.as_ref() != Ok(document));
        }
        let orders = count(database, "SELECT count(*) FROM orders").await;
        let former = count(database, "SELECT count(*) FROM order_history").await;
        let mut letters: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
        for payload in database.dead_payloads().await {
            *letters.entry(payload).or_default() += 1;
        }
        let mut lost = missing.max(expected.sound.len().saturating_sub(orders));
        for payload in &expected.broken {
            match letters.get_mut(&payload[..]) {
                Some(left @ 1..) => *left -= 1,
                _ => lost += 1,
            }
        }
        let misjudged =
            expected.sound.values().map(|document| letters.remove(&document[..]).unwrap_or(0)).sum();
        let doubled = letters.values().sum::<usize>() + orders.saturating_sub(expected.sound.len()) + former;
        Self { lost, doubled, misjudged }
    }
}

async fn count(database: &Database, sql: &str) -> usize {
    usize::try_from(database.number(sql).await).expect("a count")
}
