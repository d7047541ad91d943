//! What needs a hand inside: limits that SQLite keeps for one connection.

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::store::{Class, SourceKind, cause::Cause};

fn message(sequence: i64, bytes: usize) -> Message {
    Message {
        message_id: format!("stan:cluster/orders/{sequence}@1").into(),
        source: SourceKind::Stan,
        channel: "orders".into(),
        sequence,
        published_at_ns: 1,
        payload: Bytes::from(vec![b'x'; bytes]),
    }
}

async fn store() -> (Sqlite, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = Options { create: true, ..Options::default() };
    let store = Sqlite::new(&folder.path().join("orderbox.db"), &options);
    store.prepare().await.expect("a new database");
    (store, folder)
}

/// Runs a statement on the connection that writes.
async fn on_the_writer(store: &Sqlite, sql: &'static str) {
    let mut lease = store.writer.lease().await.expect("a connection");
    let done = lease.run(sql).await;
    lease.end(done).await.expect("a sound statement");
}

#[tokio::test]
async fn a_full_disk_is_transient_and_loses_nothing() {
    let (store, _folder) = store().await;
    store.record(&[message(1, 10)]).await.expect("there is room");
    on_the_writer(&store, "PRAGMA max_page_count = 1").await;
    let error = store.record(&[message(2, 1 << 20)]).await.expect_err("there is no room");
    assert_eq!((error.class, error.code.as_deref()), (Class::Transient, Some("13")), "{error}");
    assert!(error.answered);
    on_the_writer(&store, "PRAGMA max_page_count = 4294967294").await;
    store.record(&[message(2, 1 << 20)]).await.expect("there is room");
    assert!(store.audit().await.expect("an audit").balances());
    assert_eq!(store.unsettled(0, Duration::ZERO, 10).await.expect("keys").len(), 2);
}

#[tokio::test]
async fn a_disk_that_lacks_the_room_that_is_asked_for_is_full() {
    let (store, _folder) = store().await;
    store.room_for(1).await.expect("there is room");
    let available = store.available_bytes().expect("a real file system");
    let bytes = usize::try_from(available).expect("it fits");
    let error = store.room_for(bytes).await.expect_err("both files take the message");
    assert_eq!((error.class, error.code.as_deref()), (Class::Transient, Some("13")), "{error}");
}

#[tokio::test]
async fn commits_are_synced_and_rows_refer_to_rows() {
    let (store, _folder) = store().await;
    let of_both = [("synchronous", 2), ("foreign_keys", 1)];
    let pragmas = of_both.map(|pragma| (&store.readers, pragma)).into_iter();
    let pragmas = pragmas.chain(of_both.map(|pragma| (&store.writer, pragma)));
    let of_the_writer = [("wal_autocheckpoint", 40_000), ("journal_size_limit", 256 << 20)];
    for (pool, (pragma, value)) in pragmas.chain(of_the_writer.map(|pragma| (&store.writer, pragma))) {
        let mut lease = pool.lease().await.expect("a connection");
        let found = lease
            .call(move |connection| {
                Ok(connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))?)
            })
            .await;
        assert_eq!(lease.end(found).await.expect("a pragma"), value, "{pragma}");
    }
}

/// Until SQLite 3.51.3 a checkpoint that ran while another connection began the log anew could lose what came next:
/// <https://www.sqlite.org/wal.html#walresetbug>.
#[test]
fn two_connections_may_put_the_log_into_the_file_at_once() {
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[tokio::test]
async fn a_call_waits_for_the_writer_no_longer_than_its_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let timeout = Duration::from_millis(200);
    let options = Options { create: true, timeout, ..Options::default() };
    let store = Sqlite::new(&folder.path().join("orderbox.db"), &options);
    let held = store.writer.lease().await.expect("a connection");
    let error = store.record(&[message(1, 1)]).await.expect_err("somebody else writes");
    assert_eq!((error.class, error.answered), (Class::Transient, false));
    drop(held);
    store.prepare().await.expect("the writer is free");
}

#[tokio::test]
async fn a_call_that_is_given_up_stops_within_a_statement_and_between_two_and_lets_go_of_the_write_lock() {
    let (store, _folder) = store().await;
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    let short = "UPDATE inbox SET attempts = 0";
    for (sql, times) in [(endless, 1), (short, usize::MAX)] {
        let mut lease = store.writer.begin(BEGIN_WRITE).await.expect("a connection");
        let (begun, begins) = tokio::sync::oneshot::channel();
        let call = lease.call(move |connection| {
            begun.send(()).expect("somebody waits for it");
            for _ in 0..times {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query(())?;
                while rows.next()?.is_some() {}
            }
            Ok(())
        });
        tokio::select! {
            _ = call => panic!("it never ends"),
            begun = begins => begun.expect("it begins"),
        }
        drop(lease);
        store.record(&[message(1, 1)]).await.expect("nobody writes");
    }
}

#[tokio::test]
async fn a_connection_is_busy_while_a_call_holds_it_and_idle_after() {
    let (store, _folder) = store().await;
    assert_eq!(store.connections(), Connections { idle: 1, busy: 0 }, "the one that prepared");
    let held = store.writer.lease().await.expect("a connection");
    assert_eq!(store.connections(), Connections { idle: 0, busy: 1 });
    held.end(Ok::<_, Cause>(())).await.expect("nothing has failed");
    store.ping().await.expect("the file can be read");
    assert_eq!(store.connections(), Connections { idle: 2, busy: 0 });
    // Abandoned in the middle, it is closed.
    drop(store.writer.lease().await);
    assert_eq!(store.connections(), Connections { idle: 1, busy: 0 });
}

#[tokio::test]
async fn each_set_of_filters_has_an_index_in_the_order_of_the_list() {
    let (store, _folder) = store().await;
    for (sql, plan) in [
        (report::SELECT_ALL, "SEARCH dead_letters USING INTEGER PRIMARY KEY (rowid<?)"),
        (
            report::SELECT_OF_UID,
            "SEARCH dead_letters USING INDEX dead_letters_order_uid (order_uid=? AND id<?)",
        ),
        (report::SELECT_OF_REASON, "SEARCH dead_letters USING INDEX dead_letters_reason (reason=? AND id<?)"),
        (
            report::SELECT_OF_RESOLUTION,
            "SEARCH dead_letters USING INDEX dead_letters_resolution (resolution=? AND id<?)",
        ),
        (
            report::SELECT_OF_BOTH,
            "SEARCH dead_letters USING INDEX dead_letters_resolution_reason (resolution=? AND reason=? AND id<?)",
        ),
        (
            desk::COUNT_OPEN_OF_UID,
            "SEARCH dead_letters USING INDEX dead_letters_order_uid (order_uid=? AND id>? AND id<?)",
        ),
        (
            desk::SELECT_OPEN_OF_UID,
            "SEARCH dead_letters USING INDEX dead_letters_order_uid (order_uid=? AND id>? AND id<?)",
        ),
        (
            browse::COUNT_OPEN_BY_REASON,
            "SEARCH dead_letters USING COVERING INDEX dead_letters_resolution_reason (resolution=?)",
        ),
    ] {
        let mut lease = store.readers.lease().await.expect("a connection");
        let steps = lease
            .call(move |connection| {
                let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let steps = statement.raw_query().and_then(|row| Ok(row.get(3)?));
                steps.collect::<Result<Vec<String>, Cause>>()
            })
            .await;
        let steps = lease.end(steps).await.expect("a plan");
        assert_eq!(steps, [plan], "one step, and no sorting: {sql}");
    }
}
