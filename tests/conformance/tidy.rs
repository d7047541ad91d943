//! How little settled messages leave behind: dead rows in the inbox of PostgreSQL, whose own vacuum comes once a minute, and the log of
//! SQLite.

use bytes::Bytes;
use orderbox::store::{Message, Store};

use super::fixture::{ingest, message};
use crate::support::database::Database;

const MESSAGES: i64 = 40;
const ROUNDS: i64 = 40;
/// Of a message.
const BYTES: usize = 64 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_inbox_stays_small_however_much_passes_through_it() {
    let Some(database) = Database::postgres().await else { return };
    let store = database.store().await;
    // What PostgreSQL can't compress.
    let mut random = fastrand::Rng::with_seed(7);
    let mut largest = 0;
    for round in 0..ROUNDS {
        let batch: Vec<Message> = (0..MESSAGES)
            .map(|number| {
                let payload: Bytes = std::iter::repeat_with(|| random.u8(1..=b'z')).take(BYTES).collect();
                Message { payload, ..message(round * MESSAGES + number + 1, 1, "") }
            })
            .collect();
        ingest(&*store, &batch).await;
        store.tidy().await.unwrap();
        largest = largest.max(database.number("SELECT pg_total_relation_size('inbox')").await);
    }
    let passed = ROUNDS * MESSAGES * BYTES as i64;
    assert!(passed > 100_000_000);
    assert!(largest < 60_000_000, "{largest} bytes for {passed} that passed through");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_sqlite_goes_into_the_file_while_others_read_and_write() {
    let database = Database::sqlite().expect("SQLite is built in");
    let store = database.store().await;
    let settled = settle_some(&*store).await;
    assert!(size(&database) < settled, "it lies in the log yet");
    let (reader, _writer) = (database.sqlite_connection(), database.sqlite_write_lock());
    reader.execute_batch("BEGIN; SELECT count(*) FROM orders").unwrap();
    store.tidy().await.unwrap();
    assert!(size(&database) >= settled, "{} bytes in the file", size(&database));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_old_snapshot_holds_in_the_log_of_sqlite_goes_into_the_file_once_it_has_ended() {
    let database = Database::sqlite().expect("SQLite is built in");
    let store = database.store().await;
    let reader = database.sqlite_connection();
    reader.execute_batch("BEGIN; SELECT count(*) FROM orders").unwrap();
    let settled = settle_some(&*store).await;
    store.tidy().await.unwrap();
    assert!(size(&database) < settled, "the snapshot is not held");
    reader.execute_batch("COMMIT").unwrap();
    store.tidy().await.unwrap();
    assert!(size(&database) >= settled, "{} bytes in the file", size(&database));
}

/// Settles more than SQLite leaves in the log, and answers how many bytes.
async fn settle_some(store: &dyn Store) -> u64 {
    let payload = Bytes::from(vec![b'x'; BYTES]);
    let batch: Vec<Message> = (0..MESSAGES)
        .map(|number| Message { payload: payload.clone(), ..message(number + 1, 1, "") })
        .collect();
    ingest(store, &batch).await;
    (batch.len() * BYTES) as u64
}

/// Of the file without its log.
fn size(database: &Database) -> u64 {
    std::fs::metadata(database.file()).unwrap().len()
}
