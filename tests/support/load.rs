//! What a run of `orderbox publish` sends, and what must have become of it.

use std::time::Duration;

use orderbox::sample::Options;

use super::{
    database::Database,
    expected::Expected,
    orderbox::Orderbox,
    process::Process,
    stan_server::{StanServer, eventually},
};

/// The share of the messages that is broken.
const BROKEN: f64 = 0.02;

/// How long a publisher may take after what disturbed it is over.
const LIMIT: Duration = Duration::from_secs(600);

/// Messages of one item each, 2 % of them broken; one seed makes the same ones each time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) seed: u64,
    pub(crate) count: usize,
    /// Messages a second; none is as fast as it goes.
    pub(crate) rate: Option<u32>,
}

impl Load {
    /// As fast as it goes.
    pub(crate) fn of(seed: u64, count: usize) -> Self {
        Self { seed, count, rate: None }
    }

    /// What is published.
    pub(crate) fn expected(self) -> Expected {
        let options = Options { items: Some(1), oversized: true, ..Options::default() };
        Expected::of(self.seed, self.count, BROKEN, options)
    }

    /// Publishes all of it and waits until the broker has it.
    pub(crate) fn publish(self, service: &Orderbox) {
        service.ok(&self.arguments().iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// Begins to publish.
    pub(crate) fn start(self, service: &Orderbox) -> Process {
        service.spawn("publish", &self.arguments().iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Begins to publish to a place of its own.
    pub(crate) fn start_to(self, service: &Orderbox, to: &str) -> Process {
        let arguments = self.arguments();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--to", to]).collect();
        service.spawn("publish-elsewhere", &arguments)
    }

    fn arguments(self) -> Vec<String> {
        let [count, broken, seed] = [self.count.to_string(), BROKEN.to_string(), self.seed.to_string()];
        let fixed = ["publish", "--count", &count, "--broken", &broken, "--items", "1", "--seed", &seed];
        let rate = self.rate.map(|rate| ["--rate".to_owned(), rate.to_string()]);
        fixed.into_iter().map(str::to_owned).chain(rate.into_iter().flatten()).collect()
    }
}

/// The publisher has had an ack for every message.
pub(crate) async fn published(publisher: &mut Process) {
    assert!(publisher.wait(LIMIT).await.success(), "{}", publisher.output());
}

/// How many messages have an outcome.
pub(crate) async fn settled(database: &Database) -> i64 {
    let sql = "SELECT CAST(coalesce(sum(messages), 0) AS bigint) FROM ledger WHERE outcome <> 'received'";
    database.number(sql).await
}

/// The promise: every sound order readable with its bytes, exactly the broken messages among the dead letters, every message
/// acked, an empty inbox, and a ledger that balances.
pub(crate) async fn all_is_well(
    database: &Database,
    server: &StanServer,
    service: &Orderbox,
    expected: &Expected,
) {
    eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
    all_is_settled(database, service, expected).await;
}

/// The same of what was acked already.
pub(crate) async fn all_is_settled(database: &Database, service: &Orderbox, expected: &Expected) {
    service.until_settled().await;
    assert_eq!(database.number("SELECT count(*) FROM inbox").await, 0);
    expected.are_served_by(service).await;
    expected.are_the_dead_letters_of(database).await;
    assert_eq!(database.number("SELECT count(*) FROM orders").await, expected.sound.len() as i64);
    service.ok(&["audit"]);
}

/// How many messages have had this outcome.
pub(crate) async fn outcomes(database: &Database, outcome: &str) -> i64 {
    let sum = "SELECT CAST(coalesce(sum(messages), 0) AS bigint) FROM ledger";
    database.number(&format!("{sum} WHERE outcome = '{outcome}'")).await
}
