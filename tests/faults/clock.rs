//! A wall clock that is set back and forward by hours while messages come. PostgreSQL goes by the same clock, as on one machine.

use crate::support::{
    clock::Clock,
    database::Database,
    load::{Load, all_is_well, published, settled},
    orderbox::Orderbox,
    postgres,
    stan_server::{StanServer, eventually},
};

use super::{post, service_at};

/// Hours by which the clock is off, one after the other.
const STEPS: [i32; 4] = [-6, 12, -12, 0];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_clock_that_steps_back_and_forward_loses_delays_and_misstates_nothing() {
    let Some(clock) = Clock::right() else { return };
    let Some(database) = Database::sqlite() else { return };
    a_clock_that_steps(&clock, &database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a clock of its own makes a server slow"]
async fn on_postgresql_a_clock_that_steps_back_and_forward_loses_delays_and_misstates_nothing() {
    let Some(clock) = Clock::right() else { return };
    let Some(postgres) = postgres::Server::start_in(clock.environment()).await else { return };
    let database = Database::Postgres(postgres.database().await);
    a_clock_that_steps(&clock, &database).await;
}

async fn a_clock_that_steps(clock: &Clock, database: &Database) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    // A server with a clock of its own is slow, and here it must never seem to be away.
    let patient = [("STORE_TIMEOUT", "8s"), ("STAN_ACK_WAIT", "10s")];
    let mut service = service_at(&database.url(), &server, &patient);
    let environment = clock.environment();
    service.serve_through(
        &std::iter::once("env").chain(environment.iter().map(String::as_str)).collect::<Vec<_>>(),
    );
    service.restart().await;
    let load = Load { rate: Some(500), ..Load::of(86, 2500) };
    let mended = Load::of(87, 20).expected().sound;
    let mut expected = load.expected();
    let mut publisher = load.start(&service);
    let mut enough = 0;
    for (hours, (seed, (uid, document))) in STEPS.into_iter().zip((88..).zip(mended)) {
        enough += 400;
        eventually("some messages are settled", || async { settled(database).await >= enough }).await;
        // Recorded by the clock before the step, and found in the inbox by the clock after it.
        std::fs::write(service.folder().join("mended.json"), &document).unwrap();
        let first = "SELECT min(id) FROM dead_letters WHERE resolution = 'open'";
        let letter = database.number(first).await.to_string();
        service.ok(&["dead-letters", "replay", "--edit", "mended.json", &letter]);
        clock.set(hours);
        eventually("the replay is an order", || async {
            service.order(&uid).await.as_ref() == Ok(&document)
        })
        .await;
        expected.sound.insert(uid, document);
        let by_post = Load::of(seed, 20).expected();
        assert_eq!(post(service.client(), &by_post).await, 0, "the store is there all the time");
        expected.add(by_post);
        durations_are_sane(&service).await;
    }
    published(&mut publisher).await;
    service.until_status("/healthz", 200).await;
    all_is_well(database, &server, &service, &expected).await;
    durations_are_sane(&service).await;
}

/// No figure is negative, and no stage took hours. How long ago a message was published goes by two clocks, the broker's and
/// that of the service, so it is as wrong as they are apart, but for what would be negative.
async fn durations_are_sane(service: &Orderbox) {
    const FROM_PUBLICATION: &str = "orderbox_publish_to_visible_seconds";
    // Below 0 when an ack is late, whatever the clock says.
    const HEADROOM: &str = "orderbox_ack_headroom_seconds";
    let text = service.client().get("/metrics").await.text();
    let figures = text.lines().filter(|line| line.starts_with("orderbox_") && !line.starts_with(HEADROOM));
    for line in figures {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let value: f64 = value.parse().unwrap();
        assert!(value >= 0.0, "{line}");
        let is_sum = name.split('{').next().is_some_and(|name| name.ends_with("_seconds_sum"));
        assert!(!is_sum || name.starts_with(FROM_PUBLICATION) || value < 3600.0, "{line}");
    }
}
