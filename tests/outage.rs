//! Outages of a minute or more under 200 messages a second, with the binary that users run: reads of what is cached go on all the
//! time, no sound message becomes a dead letter, and what has piled up is settled within a minute.
//!
//! `OUTAGE_SECONDS` says how long, 60 by default; `make outages` takes ten minutes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use orderbox::sample::Options;

use crate::support::{
    database::Database, expected::Expected, orderbox::Orderbox, postgres, process::Process,
    stan_server::StanServer,
};

/// Messages a second.
const RATE: usize = 200;

/// For so long, about, messages come before the outage, and as long after it.
const MARGIN: Duration = Duration::from_secs(5);

/// What has piled up must be settled this long after the end of the outage.
const CATCHES_UP: Duration = Duration::from_secs(60);

const SEED: u64 = 41;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: PostgreSQL is away for OUTAGE_SECONDS, 60 unless the environment says otherwise"]
async fn while_postgresql_is_away_cached_orders_are_read_and_what_piles_up_is_settled_within_a_minute() {
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let database = Database::Postgres(postgres.database().await);
    let (expected, length) = (expected(), length());
    let service =
        Orderbox::on(&database, &[("STAN_URL", server.url().as_str()), ("SAMPLE_ORDER", "false")]).await;
    let mut publisher = publish(&service);
    let cached = expected.some_read_from(&service, &database, RATE).await;

    postgres.stop().await;
    read_for(length, &service, &cached).await;
    postgres.start_again().await;
    settled_in_time(&service, &database, &mut publisher, &expected).await;
}

fn length() -> Duration {
    let seconds = std::env::var("OUTAGE_SECONDS").map_or(60, |value| value.parse().expect("a number"));
    Duration::from_secs(seconds)
}

fn count() -> usize {
    RATE * usize::try_from((length() + 2 * MARGIN).as_secs()).expect("it fits")
}

fn expected() -> Expected {
    let options = Options { items: Some(1), oversized: true, ..Options::default() };
    Expected::of(SEED, count(), 0.02, options)
}

fn publish(service: &Orderbox) -> Process {
    let (count, rate, seed) = (count().to_string(), RATE.to_string(), SEED.to_string());
    let args =
        ["publish", "--count", &count, "--broken", "0.02", "--items", "1", "--seed", &seed, "--rate", &rate];
    service.spawn("publish", &args)
}

/// Reads the orders in turn for so long; each is there each time.
async fn read_for(length: Duration, service: &Orderbox, orders: &[(String, Bytes)]) {
    let end = Instant::now() + length;
    for (uid, document) in orders.iter().cycle() {
        if Instant::now() >= end {
            break;
        }
        assert_eq!(service.order(uid).await.as_ref(), Ok(document), "{uid} during the outage");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until everything that came during the outage is settled and the rest as well, and looks whether anything is missing.
async fn settled_in_time(
    service: &Orderbox,
    database: &Database,
    publisher: &mut Process,
    expected: &Expected,
) {
    let end = Instant::now() + CATCHES_UP;
    assert!(publisher.wait(CATCHES_UP).await.success(), "{}", publisher.output());
    let total = i64::try_from(expected.sound.len() + expected.broken.len()).expect("it fits");
    let sql = "SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM dead_letters)";
    while database.number(sql).await < total {
        assert!(Instant::now() < end, "not within {CATCHES_UP:?} after the outage:\n{}", service.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    service.until_settled().await;
    expected.are_served_by(service).await;
    expected.are_the_dead_letters_of(database).await;
    service.ok(&["audit"]);
}
