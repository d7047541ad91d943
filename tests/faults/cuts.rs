//! Connections to PostgreSQL that break in the middle of what they say.

use crate::support::{
    database::Database,
    link::{Cut, Link},
    load::{Load, all_is_well, published},
    postgres,
    stan_server::{StanServer, eventually},
};

use super::service_at;

/// Cuts at any byte fall among so many.
const ANYWHERE: u64 = 200_000;

/// Bytes of a COMMIT, and those with its answer.
const COMMIT: u64 = 12;
const ANSWERED: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 16 cuts, each of which costs a pause"]
async fn connections_that_are_cut_at_any_byte_before_in_and_after_a_commit_lose_and_double_nothing() {
    cut(91, 16, 2000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 120 cuts of other seeds, each of which costs a pause"]
async fn connections_that_are_cut_again_and_again_lose_and_double_nothing() {
    for seed in 92..95 {
        cut(seed, 40, 5000).await;
    }
}

/// Publishes while so many connections are cut, where the seed says; every other one at a COMMIT.
async fn cut(seed: u64, cuts: usize, count: usize) {
    let Some(postgres) = postgres::shared().await else { return };
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let name = postgres.database().await;
    let link = Link::to(name.port()).await;
    let url = name.url_through(&link);
    let database = Database::Postgres(name);
    let mut service = service_at(&url, &server, &[("BATCH_SIZE", "50")]);
    service.restart().await;
    let mut random = fastrand::Rng::with_seed(seed);
    let cuts = (0..cuts)
        .map(|number| match number % 6 {
            0 | 2 | 4 => Cut::After(random.u64(1..ANYWHERE)),
            1 => Cut::AtCommit(random.u64(1..COMMIT)),
            3 => Cut::AtCommit(random.u64(COMMIT..ANSWERED)),
            _ => Cut::AtCommit(ANSWERED),
        })
        .collect();
    link.cut_at(cuts);
    link.reset();
    let load = Load { rate: Some(500), ..Load::of(seed, count) };
    let expected = load.expected();
    let again = expected.sound.values().next().unwrap();
    let mut publisher = load.start(&service);
    published(&mut publisher).await;
    eventually("every cut has come, and the service has got over it", || async {
        // For as long as a cut is to come the connections say something; the same order once more changes nothing.
        drop(service.client().post("/order", again.clone()).await);
        link.cuts().0 == 0
    })
    .await;
    let (_, done) = link.cuts();
    eprintln!("{done:?}");
    service.until_status("/healthz", 200).await;
    all_is_well(&database, &server, &service, &expected).await;
    assert!(done.before > 0 && done.unknown > 0 && done.after > 0, "where connections were cut: {done:?}");
}
