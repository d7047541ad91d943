//! Which index PostgreSQL uses, by its own count. (The plans of SQLite are looked at beside its statements.)

use std::collections::BTreeMap;

use orderbox::store::{DeadLetterFilter, Resolution, Selection, Stretch};

use crate::support::{database::Database, stan_server::eventually};

/// How often each index of the dead letters was used.
async fn uses(database: &Database) -> BTreeMap<String, String> {
    let sql =
        "SELECT indexrelname::text, idx_scan::text FROM pg_stat_user_indexes WHERE relname = 'dead_letters'";
    let rows = database.rows(sql).await;
    rows.into_iter().map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap())).collect()
}

/// The indexes that a call has used. Its connections are closed by then: that is when their sessions report.
async fn used(database: &Database, call: impl AsyncFnOnce()) -> Vec<String> {
    let before = uses(database).await;
    call().await;
    eventually("an index is used", async || uses(database).await != before).await;
    let after = uses(database).await;
    after.into_iter().filter(|(name, uses)| before[name] != *uses).map(|(name, _)| name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_set_of_filters_has_an_index_in_the_order_of_the_list() {
    let Some(database) = Database::postgres().await else { return };
    drop(database.store().await);
    let fill = "
        INSERT INTO dead_letters (message_id, source, channel, sequence, published_at_ns, order_uid, reason, errors, payload, received_at, resolution)
        SELECT n, 'stan', 'orders', n, n, CASE WHEN n = 1 THEN 'rare' ELSE 'uid' END, CASE WHEN n = 1 THEN 'panicked' ELSE 'not_json' END, '[]', 'x', now(),
            CASE WHEN n = 1 THEN 'discarded' WHEN n % 2 = 0 THEN 'open' ELSE 'replayed' END
        FROM generate_series(1, 20000) AS n";
    database.execute(fill).await;
    // PostgreSQL does so by itself, and then plans anew.
    database.execute("VACUUM ANALYZE dead_letters").await;
    for (reason, uid, resolution, index) in [
        (None, None, None, "dead_letters_pkey"),
        (Some("panicked"), None, None, "dead_letters_reason"),
        (None, None, Some(Resolution::Discarded), "dead_letters_resolution"),
        (Some("panicked"), None, Some(Resolution::Discarded), "dead_letters_resolution_reason"),
        (Some("panicked"), None, Some(Resolution::Open), "dead_letters_resolution_reason"),
        (None, Some("rare"), None, "dead_letters_order_uid"),
        (Some("panicked"), Some("rare"), Some(Resolution::Open), "dead_letters_order_uid"),
    ] {
        let (reason, order_uid) = (reason.map(str::to_owned), uid.map(str::to_owned));
        let selection = Selection { reason, order_uid, ..Selection::default() };
        let filter = DeadLetterFilter { selection, resolution, before: Some(15_000), limit: 51 };
        let list = async || drop(database.store().await.dead_letters(&filter).await.unwrap());
        assert_eq!(used(&database, list).await, [index], "{filter:?}");
    }
    for (uid, index) in [(None, "dead_letters_resolution"), (Some("rare"), "dead_letters_order_uid")] {
        let selection = Selection { order_uid: uid.map(str::to_owned), ..Selection::default() };
        let bulk = async || {
            let store = database.store().await;
            store.count_open(&selection, Stretch::ALL).await.unwrap();
            store.open_letters(&selection, Stretch::ALL, 1000).await.unwrap();
        };
        assert_eq!(used(&database, bulk).await, [index], "{selection:?}");
    }
    let count = async || drop(database.store().await.open_dead_letters().await.unwrap());
    assert_eq!(used(&database, count).await, ["dead_letters_resolution_reason"]);
}
