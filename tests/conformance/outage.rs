//! A server that is away, paused, or loses what it wanted to say.

use std::time::{Duration, Instant};

use orderbox::store::{Class, Options, Outcome, connect};

use super::fixture::{message, recorded, settle, small, try_settle};
use crate::support::{
    database::Database,
    free_port,
    link::Link,
    postgres::{Server, shared},
};

const TIMEOUT: Duration = Duration::from_secs(2);

/// What a call may take beyond its time-out on a busy machine.
const SLACK: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_server_that_is_away_is_no_error_at_connect_and_is_named_by_every_call() {
    let url = format!("postgres://postgres@127.0.0.1:{}/orders", free_port());
    let store = connect(&url, &Options::default()).unwrap();
    let begin = Instant::now();
    let error = store.ping().await.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, false));
    assert!(error.message.contains("cannot connect") && error.message.contains("refused"), "{error}");
    assert!(begin.elapsed() < SLACK, "it was refused at once");
}

#[tokio::test]
async fn a_database_that_is_missing_is_transient() {
    let Some(server) = shared().await else { return };
    let store = connect(&server.url("no_such_database"), &Options::default()).unwrap();
    let error = store.ping().await.unwrap_err();
    assert_eq!(
        (error.class, error.answered, error.code.as_deref()),
        (Class::Transient, false, Some("3D000"))
    );
}

#[tokio::test]
async fn a_server_that_may_lose_commits_is_reported() {
    let Some(Database::Postgres(database)) = Database::postgres().await else { return };
    let store = connect(&database.url(), &Options::default()).unwrap();
    let warnings = store.prepare().await.unwrap();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("fsync=off") && warnings[1].contains("full_page_writes=off"));
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_text_is_refused() {
    let Some(server) = shared().await else { return };
    let database = server.database_with("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0").await;
    let store = connect(&database.url(), &Options::default()).unwrap();
    let error = store.prepare().await.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, true));
    assert!(error.message.contains("SQL_ASCII") && error.message.contains("ENCODING 'UTF8'"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_was_made_once() {
    let Some(Database::Postgres(database)) = Database::postgres().await else { return };
    let link = Link::to(database.port()).await;
    let store = connect(&database.url_through(&link), &Options::default()).unwrap();
    store.prepare().await.unwrap();

    let messages = [message(1, 1, &small("a", 1)), message(2, 2, "broken")];
    // Recording is one statement, and so its own commit.
    link.lose_the_answer_to(b"broken");
    let error = store.record(&messages).await.unwrap_err();
    assert!(link.has_lost_it());
    assert_eq!((error.class, error.answered), (Class::Transient, false), "{error}");
    let again = store.record(&messages).await.unwrap();
    assert!(again.iter().all(|recorded| !recorded.new), "the first call's rows are found");

    let rows = recorded(&*store, &messages).await;
    link.lose_the_next_commit();
    let error = try_settle(&*store, &rows).await.unwrap_err();
    assert!(link.has_lost_it());
    assert_eq!((error.class, error.answered), (Class::Transient, false), "{error}");
    let before = store.audit().await.unwrap();
    assert_eq!(settle(&*store, &rows).await, [None, None]);
    assert_eq!(store.audit().await.unwrap(), before);
    assert_eq!((before.orders, before.channels[0].ledger.received), (1, 2));
    assert!(before.balances());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_the_server_ends_has_no_known_outcome() {
    let Some(database) = Database::postgres().await else { return };
    let store = database.store().await;
    let rows = recorded(&*store, &[message(1, 1, &small("a", 1))]).await;
    // The settle waits for this lock until its session is ended.
    let Database::Postgres(name) = &database else { return };
    let mut blocker = name.connection().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE orders").execute(&mut blocker).await.unwrap();
    let ended = async {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'orderbox' AND wait_event_type = 'Lock'";
        while database.number(end).await == 0 {}
    };
    let (settled, ()) = tokio::join!(try_settle(&*store, &rows), ended);
    let error = settled.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, false), "{error}");
    sqlx::raw_sql("ROLLBACK").execute(&mut blocker).await.unwrap();
    assert_eq!(settle(&*store, &rows).await, [Some(Outcome::Applied)]);
    assert!(store.audit().await.unwrap().balances());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_server_costs_the_timeout_and_its_connections() {
    let Some(server) = Server::start(&[]).await else { return };
    let database = server.database().await;
    let store = connect(&database.url(), &Options { timeout: TIMEOUT, ..Options::default() }).unwrap();
    assert_eq!(store.prepare().await.unwrap(), Vec::<String>::new(), "a server as it comes loses nothing");
    let rows = recorded(&*store, &[message(1, 1, &small("a", 1))]).await;

    server.signal_all("STOP").await;
    for _ in 0..2 {
        let begin = Instant::now();
        let error = try_settle(&*store, &rows).await.unwrap_err();
        assert_eq!((error.class, error.answered, error.code), (Class::Transient, false, None));
        assert!(error.message.contains("no answer within 2 s"), "{}", error.message);
        assert!(begin.elapsed() < TIMEOUT + SLACK, "{:?}", begin.elapsed());
    }
    server.signal_all("CONT").await;

    // What the abandoned session held is gone within the time-out, too.
    let outcome = loop {
        if let Ok(outcomes) = try_settle(&*store, &rows).await {
            break outcomes;
        }
    };
    assert!(matches!(outcome[..], [Some(Outcome::Applied) | None]), "{outcome:?}");
    let audit = store.audit().await.unwrap();
    assert!(audit.balances() && audit.orders == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_killed_and_started_again_has_all_that_was_committed() {
    let Some(server) = Server::start(&[]).await else { return };
    let database = server.database().await;
    let store = connect(&database.url(), &Options { timeout: TIMEOUT, ..Options::default() }).unwrap();
    store.prepare().await.unwrap();
    let rows = recorded(&*store, &[message(1, 1, &small("a", 1)), message(2, 2, &small("b", 1))]).await;
    settle(&*store, &rows[..1]).await;

    server.stop().await;
    let error = try_settle(&*store, &rows[1..]).await.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, false), "{error}");
    let error = store.document("a").await.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, false), "{error}");

    server.start_again().await;
    assert_eq!(store.document("a").await.unwrap().unwrap(), small("a", 1).as_bytes());
    assert_eq!(settle(&*store, &rows).await, [None, Some(Outcome::Applied)]);
    assert!(store.audit().await.unwrap().balances());
}
