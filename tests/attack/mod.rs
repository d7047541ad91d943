//! Clients that mean no good, against the binary that users run: what they send is taken, refused with a reason, or cut off,
//! and meanwhile others are served. `make attack` runs all of it against the release binary.

mod addresses;
mod bodies;
mod flood;
mod heads;
mod idle;
mod strangers;

use crate::support::{database::Database, orderbox::Orderbox};

/// The sample order, which an empty store starts with.
const KNOWN: &str = "b563feb7b2b84b6test";

/// A service with the sample order in memory.
async fn start(settings: &[(&str, &str)]) -> Orderbox {
    with_the_known(Orderbox::start(settings).await).await
}

/// The same on this database.
async fn on(database: &Database, settings: &[(&str, &str)]) -> Orderbox {
    with_the_known(Orderbox::on(database, settings).await).await
}

async fn with_the_known(mut service: Orderbox) -> Orderbox {
    service.until_status(&format!("/order/{KNOWN}"), 200).await;
    service
}

/// How many messages were received.
async fn received(database: &Database) -> i64 {
    database
        .number("SELECT CAST(coalesce(sum(messages), 0) AS BIGINT) FROM ledger WHERE outcome = 'received'")
        .await
}

/// Asserts that the attack has changed nothing for others.
async fn assert_sound(service: &Orderbox) {
    assert_eq!(service.client().get(&format!("/order/{KNOWN}")).await.status, 200);
    assert_eq!(service.client().get("/healthz").await.status, 200);
    let log = service.log();
    assert!(!log.contains("panic") && !log.contains("bug"), "{log}");
}
