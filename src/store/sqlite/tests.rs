//! What needs a hand inside: limits that SQLite keeps for one connection.

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::store::{Class, SourceKind};

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
async fn commits_are_synced_and_rows_refer_to_rows() {
    let (store, _folder) = store().await;
    for (pragma, value) in [("synchronous", 2), ("foreign_keys", 1), ("wal_autocheckpoint", 10_000)] {
        let mut lease = store.writer.lease().await.expect("a connection");
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
        let found = sqlx::query_scalar::<_, i64>(sql).fetch_one(&mut *lease).await;
        assert_eq!(lease.end(found).await.expect("a pragma"), value, "{pragma}");
    }
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
