//! Kills and outages, with the binary that users run on real servers: whatever is ended, paused or cut off, nothing that was
//! published with an ack is missing afterwards, nothing is counted twice, and no sound message is a dead letter.
//!
//! The everyday suite has the kill of the service, on both stores, and one outage of the database; the rest is long. The environment
//! makes the longest longer: `make kills`.

use crate::support::{
    database::Database,
    load::{Load, all_is_well, published, settled},
    orderbox::{Orderbox, on_each_store},
    postgres,
    stan_server::{StanServer, eventually},
};

/// Messages that a test publishes.
const COUNT: usize = 3000;

/// Short times, so that what has to time out does so while the test looks.
const SETTINGS: [(&str, &str); 3] =
    [("STORE_TIMEOUT", "2s"), ("STAN_ACK_WAIT", "3s"), ("SAMPLE_ORDER", "false")];

on_each_store!(
    kill_9_of_the_service_again_and_again_loses_and_doubles_nothing,
    #[ignore = "long: 8 kills while 10,000 messages are published; KILLS and MESSAGES say otherwise"]
    kill_9_at_random_moments_leaves_a_ledger_that_balances_each_time,
    #[ignore = "long: two stops under load"]
    a_stopped_service_has_settled_and_acked_all_that_it_received,
    #[ignore = "long: the outage has to be noticed and to end"]
    a_restarted_streaming_server_with_a_file_store_loses_nothing,
    #[ignore = "long: the loss has to be noticed by pings"]
    a_streaming_server_that_forgot_everything_is_used_again_and_its_numbers_are_new_messages,
);

async fn kill_9_of_the_service_again_and_again_loses_and_doubles_nothing(database: Database) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let mut service = service(&database, &server);
    service.restart().await;
    let mut publisher = Load { rate: Some(1500), ..load(21) }.start(&service);
    for enough in [100, 400, 900, 1600, 2300] {
        eventually("some messages are settled", || async { settled(&database).await >= enough }).await;
        service.kill();
        service.restart().await;
    }
    published(&mut publisher).await;
    all_is_well(&database, &server, &service, &load(21).expected()).await;
}

async fn kill_9_at_random_moments_leaves_a_ledger_that_balances_each_time(database: Database) {
    let (kills, messages) = (from_environment("KILLS", 8), from_environment("MESSAGES", 10_000));
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let mut service = service(&database, &server);
    service.restart().await;
    let load = Load { seed: 30, count: messages, rate: Some(2000) };
    let expected = load.expected();
    let mut publisher = load.start(&service);
    let mut random = fastrand::Rng::with_seed(30);
    let share = messages / (kills + 1);
    for kill in 0..kills {
        let moment = kill * share + random.usize(..share);
        eventually("so many messages are settled", || async { settled(&database).await >= moment as i64 })
            .await;
        service.kill();
        service.ok(&["audit"]);
        service.restart().await;
        let newest = "SELECT order_uid FROM orders ORDER BY id DESC LIMIT 100";
        for uid in database.rows(newest).await.into_iter().flatten().flatten() {
            assert_eq!(
                service.order(&uid).await.as_ref(),
                Ok(&expected.sound[&uid]),
                "{uid} after kill {kill}"
            );
        }
    }
    published(&mut publisher).await;
    all_is_well(&database, &server, &service, &expected).await;
}

async fn a_stopped_service_has_settled_and_acked_all_that_it_received(database: Database) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    // So long that no backlog of a busy machine outlasts it: what comes again then was not acked before the stop.
    let mut service = service_with(&database, &server, &[("STAN_ACK_WAIT", "30s")]);
    service.restart().await;
    let mut publisher = Load { rate: Some(2000), ..load(22) }.start(&service);
    for enough in [200, 1200] {
        eventually("some messages are settled", || async { settled(&database).await >= enough }).await;
        let status = service.terminate().await;
        assert!(status.success(), "{status}\n{}", service.log());
        assert_eq!(database.number("SELECT count(*) FROM inbox").await, 0);
        service.restart().await;
    }
    published(&mut publisher).await;
    all_is_well(&database, &server, &service, &load(22).expected()).await;
    let redelivered = database
        .number("SELECT CAST(coalesce(sum(messages), 0) AS bigint) FROM ledger WHERE outcome = 'unchanged'");
    assert_eq!(redelivered.await, 0, "a message that was settled came again");
}

async fn a_restarted_streaming_server_with_a_file_store_loses_nothing(database: Database) {
    let Some(mut server) = StanServer::builder().file_store().start().await else { return };
    let mut service = service(&database, &server);
    service.restart().await;
    load(23).publish(&service);
    server.kill();
    service.until_status("/healthz", 503).await;
    service.until_status("/readyz", 200).await;
    server.restart().await;
    service.until_status("/healthz", 200).await;
    load(24).publish(&service);
    let mut expected = load(23).expected();
    expected.add(load(24).expected());
    all_is_well(&database, &server, &service, &expected).await;
}

async fn a_streaming_server_that_forgot_everything_is_used_again_and_its_numbers_are_new_messages(
    database: Database,
) {
    let Some(mut server) = StanServer::builder().start().await else { return };
    let mut service = service(&database, &server);
    service.restart().await;
    load(25).publish(&service);
    eventually("the first messages are acked", || async { server.backlog("orders").await == 0 }).await;
    server.kill();
    server.restart().await;
    service.until_status("/healthz", 200).await;
    load(26).publish(&service);
    let mut expected = load(25).expected();
    expected.add(load(26).expected());
    all_is_well(&database, &server, &service, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: the outage has to be noticed and to end"]
async fn a_postgresql_that_is_stopped_and_started_costs_nothing_but_time() {
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let database = Database::Postgres(postgres.database().await);
    outage(&database, async |service| {
        postgres.stop().await;
        service.until_status("/healthz", 503).await;
        assert_eq!(service.client().post("/order", "{}").await.status, 503);
        postgres.start_again().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_hangs_and_goes_on_costs_nothing_but_time() {
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let database = Database::Postgres(postgres.database().await);
    outage(&database, async |service| {
        postgres.signal_all("STOP").await;
        service.until_status("/healthz", 503).await;
        postgres.signal_all("CONT").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: both servers come one after the other"]
async fn a_service_that_starts_without_its_servers_says_so_and_works_once_they_are_there() {
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let Some(mut server) = StanServer::builder().file_store().start().await else { return };
    let database = Database::Postgres(postgres.database().await);
    let mut service = service(&database, &server);
    load(27).publish(&service);
    server.kill();
    postgres.stop().await;
    service.launch().await;
    service.until_status("/livez", 200).await;
    service.until_status("/healthz", 503).await;
    assert_eq!(service.try_get("/readyz").await.map(|answer| answer.status.as_u16()), Some(503));
    postgres.start_again().await;
    service.until_status("/readyz", 200).await;
    server.restart().await;
    service.until_status("/healthz", 200).await;
    all_is_well(&database, &server, &service, &load(27).expected()).await;
}

/// Publishes while `happens` happens to the store, and looks whether anything came of it.
async fn outage(database: &Database, happens: impl AsyncFnOnce(&mut Orderbox)) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let mut service = service(database, &server);
    service.restart().await;
    let mut publisher = Load { rate: Some(1500), ..load(28) }.start(&service);
    eventually("some messages are settled", || async {
        service.metric("orderbox_messages_settled_total{outcome=\"applied\"}").await > Some(200.0)
    })
    .await;
    happens(&mut service).await;
    service.until_status("/healthz", 200).await;
    published(&mut publisher).await;
    all_is_well(database, &server, &service, &load(28).expected()).await;
}

fn service(database: &Database, server: &StanServer) -> Orderbox {
    service_with(database, server, &[])
}

/// A service with further settings; they win over [`SETTINGS`].
fn service_with(database: &Database, server: &StanServer, more: &[(&str, &str)]) -> Orderbox {
    let (database, server) = (database.url(), server.url());
    let own = [("DATABASE_URL", database.as_str()), ("STAN_URL", server.as_str())];
    Orderbox::prepare(&[&own[..], &SETTINGS[..], more].concat())
}

fn from_environment(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

/// What a test publishes as fast as it goes.
fn load(seed: u64) -> Load {
    Load::of(seed, COUNT)
}
