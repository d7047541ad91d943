//! Sessions of PostgreSQL that wait, are given up, or have much to read.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use orderbox::store::{Class, Options, Outcome, connect};
use sqlx::PgConnection;

use super::fixture::{ingest, message, recorded, settle, small, try_settle};
use crate::support::{database::Database, link::Link};

const TIMEOUT: Duration = Duration::from_secs(4);

/// Runs SQL in a session of its own, which then holds its locks.
async fn holding(database: &Database, sql: &'static str) -> PgConnection {
    let Database::Postgres(database) = database else { panic!("it is PostgreSQL") };
    let mut session = database.connection().await;
    sqlx::raw_sql(sql).execute(&mut session).await.unwrap();
    session
}

async fn let_go(session: &mut PgConnection) {
    sqlx::raw_sql("ROLLBACK").execute(session).await.unwrap();
}

/// Waits until so many sessions of the store wait for a lock, for at least `milliseconds`.
async fn waiting(database: &Database, sessions: i64, milliseconds: u32) {
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'orderbox'
         AND wait_event_type = 'Lock' AND clock_timestamp() - query_start > interval '{milliseconds} ms'"
    );
    while database.number(&count).await < sessions {}
}

/// The processes of the store's sessions.
async fn processes(database: &Database) -> BTreeSet<Option<String>> {
    let rows = database
        .rows(
            "SELECT pid::text FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'orderbox'",
        )
        .await;
    rows.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_else_locks_is_answered_in_time() {
    let Some(database) = Database::postgres().await else { return };
    database.store().await;
    let store = database.store_with(TIMEOUT);
    ingest(&*store, &[message(1, 1, &small("a", 1))]).await;
    let rows = recorded(&*store, &[message(2, 2, &small("a", 2))]).await;
    let mut psql = holding(&database, "BEGIN; SELECT FROM orders FOR UPDATE").await;

    let begin = Instant::now();
    let error = try_settle(&*store, &rows).await.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, true), "{error}");
    assert_eq!(error.code.as_deref(), Some("55P03"), "{error}");
    assert!(begin.elapsed() < TIMEOUT, "{:?}", begin.elapsed());

    let_go(&mut psql).await;
    assert_eq!(settle(&*store, &rows).await, [Some(Outcome::Replaced)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_wait_do_not_hold_up_the_pipeline() {
    let Some(database) = Database::postgres().await else { return };
    let store = database.store().await;
    let mut psql = holding(&database, "BEGIN; LOCK TABLE orders").await;
    let pipeline = async {
        waiting(&database, 8, 0).await;
        store.ping().await.unwrap();
        let rows = recorded(&*store, &[message(1, 1, "broken")]).await;
        assert_eq!(settle(&*store, &rows).await, [Some(Outcome::Rejected)]);
    };
    tokio::select! {
        read = join_all((0..50).map(|_| store.document("a"))) => panic!("they wait for the lock: {read:?}"),
        () = pipeline => {}
    }
    let_go(&mut psql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_hangs_up_costs_one_connection() {
    let Some(database) = Database::postgres().await else { return };
    let store = database.store().await;
    let mut psql = holding(&database, "BEGIN; LOCK TABLE orders").await;
    let three = join_all((0..3).map(|_| store.document("a")));
    let (read, ()) = tokio::join!(three, async {
        waiting(&database, 3, 0).await;
        let_go(&mut psql).await;
    });
    assert!(read.iter().all(Result::is_ok));
    let before = processes(&database).await;

    let mut psql = holding(&database, "BEGIN; LOCK TABLE orders").await;
    tokio::select! {
        _ = store.document("a") => panic!("it waits for the lock"),
        () = waiting(&database, 1, 0) => {}
    }
    let_go(&mut psql).await;
    while processes(&database).await.len() == before.len() {}
    let after = processes(&database).await;
    assert_eq!(before.difference(&after).count(), 1, "{before:?} {after:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_may_take_longer_than_other_calls() {
    let Some(database) = Database::postgres().await else { return };
    database.store().await;
    let store = database.store_with(Duration::from_secs(1));
    let mut psql = holding(&database, "BEGIN; LOCK TABLE payments").await;
    let (audit, ()) = tokio::join!(store.audit(), async {
        waiting(&database, 1, 1100).await;
        let_go(&mut psql).await;
    });
    assert!(audit.unwrap().balances());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_reads_no_document_of_the_orders_that_it_changes() {
    let Some(database) = Database::postgres().await else { return };
    let Database::Postgres(postgres) = &database else { return };
    database.store().await;
    let link = Link::to(postgres.port()).await;
    let store = connect(&postgres.url_through(&link), &Options::default()).unwrap();
    let large = "L".repeat(200 << 10);
    let batch = |ns: i64, variant: &str| -> Vec<_> {
        (0..20).map(|n| message(n, ns, &small(&format!("uid-{n}"), variant))).collect()
    };
    for old in batch(1, &large).chunks(5) {
        ingest(&*store, old).await;
    }
    let rows = recorded(&*store, &batch(2, "small")).await;
    let before = link.answered();
    assert_eq!(settle(&*store, &rows).await, [Some(Outcome::Replaced); 20]);
    let read = link.answered() - before;
    assert!(read < 64 << 10, "{read} bytes");
    let kept = format!("SELECT count(*) FROM order_history WHERE octet_length(document) > {}", large.len());
    assert_eq!(database.number(&kept).await, 20);
    assert!(store.audit().await.unwrap().balances());
}
