//! Outages of a minute or more under 200 messages a second, with the binary that users run: reads of what is cached go on all the
//! time, no sound message becomes a dead letter, and what has piled up is settled within a minute.
//!
//! `OUTAGE_SECONDS` says how long, 60 by default; `make outages` takes ten minutes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use orderbox::sample::Options;

use crate::support::{
    database::Database,
    expected::Expected,
    orderbox::{Orderbox, on_each_store},
    postgres,
    process::Process,
    stan_server::{StanServer, eventually},
};

/// Messages a second.
const RATE: usize = 200;

/// For so long, about, messages come before the outage, and as long after it.
const MARGIN: Duration = Duration::from_secs(5);

/// What has piled up must be settled this long after the end of the outage.
const CATCHES_UP: Duration = Duration::from_secs(60);

const SEED: u64 = 41;
const POSTED_SEED: u64 = 42;
const LATE_SEED: u64 = 43;

/// So many messages come as fast as STAN takes them, just before it goes away and when it is back.
const BURST: usize = 3000;

/// What the outage of the broker may cost in memory, however long it is and however much is posted meanwhile: the cache is full when
/// it begins.
const GROWS: u64 = 96 << 20;

on_each_store!(
    #[ignore = "long: STAN is away for OUTAGE_SECONDS, 60 unless the environment says otherwise"]
    while_stan_is_away_posts_become_orders_and_what_it_holds_is_settled_within_a_minute_of_its_return,
);

async fn while_stan_is_away_posts_become_orders_and_what_it_holds_is_settled_within_a_minute_of_its_return(
    database: Database,
) {
    let Some(mut server) = StanServer::builder().file_store().start().await else { return };
    let (stan, length) = (server.url(), length());
    let settings = [("STAN_URL", stan.as_str()), ("SAMPLE_ORDER", "false"), ("CACHE_BYTES", "1MiB")];
    let mut service = Orderbox::on(&database, &settings).await;
    service.until_status("/healthz", 200).await;
    let count = RATE * usize::try_from(length.as_secs()).expect("it fits");
    let mut expected = messages(SEED, BURST);
    let posted = posts(POSTED_SEED, count);
    let told = service.log().len();

    publish_at_once(&service, SEED, BURST);
    let held = server.backlog("orders").await;
    server.kill();
    eprintln!("STAN went away with {held} messages that were not acked");
    let read = expected.some_read_from(&service, &database, RATE).await;
    service.until_status("/healthz", 503).await;
    let (host, port) = service.address();
    let to = format!("http://{host}:{port}");
    let mut publisher = publish_at_rate(&service, POSTED_SEED, count, &["--to", &to]);
    eventually("the cache is full", || async {
        service.metric("orderbox_cache_evictions_total").await > Some(0.0)
    })
    .await;
    let memory = service.resident_bytes();
    tokio::join!(read_for(length, &service, &read), only_stan_is_down_for(length, &service));
    assert!(publisher.wait(CATCHES_UP).await.success(), "{}", publisher.output());
    service.until_settled().await;
    posted.are_served_by(&service).await;
    let grown = service.resident_bytes().saturating_sub(memory);
    eprintln!("{length:?} without STAN cost {} KiB of memory", grown >> 10);
    assert!(grown <= GROWS, "{grown} bytes");

    server.restart().await;
    let end = Instant::now() + CATCHES_UP;
    publish_at_once(&service, LATE_SEED, BURST);
    expected.add(posted);
    expected.add(messages(LATE_SEED, BURST));
    are_settled_by(end, &expected, &service, &database).await;
    eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
    let log = service.log();
    let log = log.get(told..).expect("a log only grows");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("orderbox::")).collect();
    assert_eq!(lines.len(), 2, "two lines an outage: {lines:#?}");
    assert!(lines[0].contains("stan does not work") && lines[1].contains("stan works again"), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: PostgreSQL is away for OUTAGE_SECONDS, 60 unless the environment says otherwise"]
async fn while_postgresql_is_away_cached_orders_are_read_and_what_piles_up_is_settled_within_a_minute() {
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let database = Database::Postgres(postgres.database().await);
    let length = length();
    let count = RATE * usize::try_from((length + 2 * MARGIN).as_secs()).expect("it fits");
    let expected = messages(SEED, count);
    let service =
        Orderbox::on(&database, &[("STAN_URL", server.url().as_str()), ("SAMPLE_ORDER", "false")]).await;
    let mut publisher = publish_at_rate(&service, SEED, count, &[]);
    let cached = expected.some_read_from(&service, &database, RATE).await;

    postgres.stop().await;
    read_for(length, &service, &cached).await;
    postgres.start_again().await;
    let end = Instant::now() + CATCHES_UP;
    assert!(publisher.wait(CATCHES_UP).await.success(), "{}", publisher.output());
    are_settled_by(end, &expected, &service, &database).await;
}

fn length() -> Duration {
    let seconds = std::env::var("OUTAGE_SECONDS").map_or(60, |value| value.parse().expect("a number"));
    Duration::from_secs(seconds)
}

fn messages(seed: u64, count: usize) -> Expected {
    messages_with(seed, count, Options { oversized: true, ..Options::default() })
}

/// What is posted: a message that is too large would be refused at once.
fn posts(seed: u64, count: usize) -> Expected {
    messages_with(seed, count, Options::default())
}

fn messages_with(seed: u64, count: usize, options: Options) -> Expected {
    Expected::of(seed, count, 0.02, Options { items: Some(1), ..options })
}

/// The arguments that publish [`messages`], or [`posts`].
fn publishing(seed: u64, count: usize) -> Vec<String> {
    let (seed, count) = (seed.to_string(), count.to_string());
    let args = ["publish", "--broken", "0.02", "--items", "1", "--seed", &seed, "--count", &count];
    args.map(str::to_owned).to_vec()
}

fn publish_at_rate(service: &Orderbox, seed: u64, count: usize, more: &[&str]) -> Process {
    let (publishing, rate) = (publishing(seed, count), RATE.to_string());
    let args: Vec<&str> = publishing.iter().map(String::as_str).chain(["--rate", &rate]).collect();
    service.spawn("publish", &[&args, more].concat())
}

fn publish_at_once(service: &Orderbox, seed: u64, count: usize) {
    service.ok(&publishing(seed, count).iter().map(String::as_str).collect::<Vec<_>>());
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

/// For so long /healthz says that STAN is away, and nothing else.
async fn only_stan_is_down_for(length: Duration, service: &Orderbox) {
    let end = Instant::now() + length;
    while Instant::now() < end {
        let answer = service.client().get("/healthz").await;
        assert_eq!(answer.status, 503, "{}", answer.text());
        for (part, health) in answer.json()["parts"].as_object().expect("parts") {
            let state = if part == "stan" { "down" } else { "up" };
            assert_eq!(health["state"], state, "{}", answer.text());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until as much is settled as was published, at the latest by `end`, and looks whether anything is missing.
async fn are_settled_by(end: Instant, expected: &Expected, service: &Orderbox, database: &Database) {
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
