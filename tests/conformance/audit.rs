//! `orderbox audit` against tables that somebody has spoiled: what is off is found and told by how much, table by table.

use super::{
    Bench,
    fixture::{ingest, message, small},
    rules,
};
use crate::support::{database::Database, orderbox::Orderbox};

rules!(
    an_audit_tells_what_is_off_by_how_much_in_each_table_that_it_counts,
    an_audit_counts_and_does_not_compare_contents,
);

const RECEIVED: &str =
    "stan/orders: received = applied + replaced + unchanged + outdated + rejected + pending: ";

/// A store in which each outcome has occurred and one message waits: two orders, one dead letter, two rows of history.
async fn with_each_outcome(database: &Database) {
    let store = database.store().await;
    let sound = [message(1, 10, &small("a", 1)), message(3, 30, &small("b", 1))];
    ingest(&*store, &sound).await;
    let more = [
        message(2, 20, "x"),
        message(4, 40, &small("a", 2)),
        message(5, 5, &small("a", 0)),
        message(6, 60, &small("b", 1)),
    ];
    ingest(&*store, &more).await;
    store.record(&[message(7, 70, "")]).await.unwrap();
}

/// Another empty database of the same kind.
async fn another(like: &Database) -> Database {
    match like {
        Database::Sqlite(_) => Database::sqlite(),
        Database::Postgres(_) => Database::postgres().await,
    }
    .expect("there was one before")
}

/// What `orderbox audit` says once this was done, and its exit code.
async fn audited_after(like: &Database, spoil: &str) -> (String, Option<i32>) {
    let database = another(like).await;
    with_each_outcome(&database).await;
    database.execute(spoil).await;
    let url = database.url();
    let output = Orderbox::prepare(&[("DATABASE_URL", &url)]).run(&["audit"]);
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

async fn an_audit_tells_what_is_off_by_how_much_in_each_table_that_it_counts(bench: Bench) {
    let (text, code) = audited_after(&bench.database, "SELECT 1").await;
    assert_eq!(code, Some(0), "{text}");
    let outcome = |name: &str, by: i64| {
        format!("UPDATE ledger SET messages = messages + {by} WHERE outcome = '{name}'")
    };
    let order_a = "(SELECT id FROM orders WHERE order_uid = 'a')";
    let cases: Vec<(String, Vec<String>)> = vec![
        (outcome("received", 2), vec![format!("{RECEIVED}9 against 7 (-2)")]),
        (
            outcome("applied", 1),
            vec![format!("{RECEIVED}7 against 8 (+1)"), "applied = orders: 3 against 2 (-1)".into()],
        ),
        (outcome("replaced", 1), vec![format!("{RECEIVED}7 against 8 (+1)")]),
        (outcome("unchanged", -1), vec![format!("{RECEIVED}7 against 6 (-1)")]),
        (outcome("outdated", 3), vec![format!("{RECEIVED}7 against 10 (+3)")]),
        (
            outcome("rejected", 1),
            vec![
                format!("{RECEIVED}7 against 8 (+1)"),
                "stan/orders: rejected = dead letters: 2 against 1 (-1)".into(),
            ],
        ),
        ("DELETE FROM ledger WHERE outcome = 'unchanged'".into(), vec![format!("{RECEIVED}7 against 6 (-1)")]),
        ("DELETE FROM inbox".into(), vec![format!("{RECEIVED}7 against 6 (-1)")]),
        (
            "UPDATE inbox SET channel = 'other'".into(),
            vec![
                format!("{RECEIVED}7 against 6 (-1)"),
                "stan/other: received = applied + replaced + unchanged + outdated + rejected + pending: 0 against 1 (+1)".into(),
            ],
        ),
        (
            format!(
                "DELETE FROM items WHERE order_id = {order_a}; DELETE FROM deliveries WHERE order_id = {order_a};
                 DELETE FROM payments WHERE order_id = {order_a}; DELETE FROM orders WHERE order_uid = 'a'"
            ),
            vec!["applied = orders: 2 against 1 (-1)".into()],
        ),
        (
            format!("DELETE FROM deliveries WHERE order_id = {order_a}"),
            vec![
                "orders = deliveries: 2 against 1 (-1)".into(),
                "orders without a delivery = 0: 1 against 0 (-1)".into(),
            ],
        ),
        (
            format!("DELETE FROM payments WHERE order_id = {order_a}"),
            vec![
                "orders = payments: 2 against 1 (-1)".into(),
                "orders without a payment = 0: 1 against 0 (-1)".into(),
            ],
        ),
        (
            "DELETE FROM dead_letters".into(),
            vec!["stan/orders: rejected = dead letters: 1 against 0 (-1)".into()],
        ),
        (
            "UPDATE dead_letters SET channel = 'other'".into(),
            vec![
                "stan/orders: rejected = dead letters: 1 against 0 (-1)".into(),
                "stan/other: rejected = dead letters: 0 against 1 (+1)".into(),
            ],
        ),
    ];
    for (spoil, expected) in cases {
        let (text, code) = audited_after(&bench.database, &spoil).await;
        assert_eq!(code, Some(1), "{spoil}\n{text}");
        let told: Vec<&str> =
            text.lines().skip_while(|line| *line != "DOES NOT BALANCE:").skip(1).map(str::trim).collect();
        assert_eq!(told, expected, "{spoil}");
    }
}

/// The limits of counting, which docs/GUARANTEES.md names: items and history have no count of their own in the ledger.
async fn an_audit_counts_and_does_not_compare_contents(bench: Bench) {
    for unseen in [
        "DELETE FROM items",
        "DELETE FROM order_history",
        "UPDATE orders SET track_number = 'other'",
        "UPDATE ledger SET messages = messages + CASE outcome WHEN 'unchanged' THEN 1 ELSE -1 END
         WHERE outcome IN ('unchanged', 'outdated')",
    ] {
        let (text, code) = audited_after(&bench.database, unseen).await;
        assert_eq!(code, Some(0), "{unseen}\n{text}");
    }
}
