//! Messages that the database refuses, one among many: the others are settled, and what happens to the one depends on whether a
//! retry could ever succeed.

use bytes::Bytes;
use orderbox::store::Message;

use crate::{
    conformance::fixture::message,
    support::{
        database::Database,
        orderbox::{Orderbox, on_each_store},
        stan_server::eventually,
    },
};

on_each_store!(
    an_order_that_can_never_be_stored_is_a_dead_letter_and_its_neighbours_are_settled,
    a_batch_of_256_is_halved_at_most_8_times_to_find_the_row_that_is_refused,
);

async fn an_order_that_can_never_be_stored_is_a_dead_letter_and_its_neighbours_are_settled(
    database: Database,
) {
    let service = Orderbox::on(&database, &[]).await;
    service.until_settled().await;
    refuse(&database, "22003").await;
    post_fifty(&service).await;
    service.until_settled().await;
    assert_eq!(database.number("SELECT count(*) FROM orders WHERE order_uid LIKE 'order-%'").await, 49);
    let letters = database.rows("SELECT reason, order_uid, CAST(errors AS text) FROM dead_letters").await;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0][0].as_deref(), Some("refused_by_store"));
    assert_eq!(letters[0][1].as_deref(), Some("order-25"));
    assert!(letters[0][2].as_deref().is_some_and(|errors| errors.contains("not this one")), "{letters:?}");
    service.ok(&["audit"]);
}

async fn a_batch_of_256_is_halved_at_most_8_times_to_find_the_row_that_is_refused(database: Database) {
    let store = database.store().await;
    let messages: Vec<Message> = (0..256).map(|n| message(n.into(), n.into(), &order(n))).collect();
    store.record(&messages).await.unwrap();
    refuse(&database, "22003").await;
    let service = Orderbox::on(&database, &[("BATCH_SIZE", "256"), ("SAMPLE_ORDER", "false")]).await;
    service.until_settled().await;
    assert_eq!(database.number("SELECT count(*) FROM orders").await, 255);
    let splits = service.metric("orderbox_batch_splits_total").await.unwrap();
    let failed = service.metric("orderbox_store_errors_total{class=\"data\"}").await.unwrap();
    // Each halving follows one failure; then the row fails alone, and once more to be sure.
    assert!(splits > 0.0 && splits <= 8.0, "{splits} halvings");
    assert_eq!(failed, splits + 2.0);
    service.ok(&["audit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_that_fails_alone_for_now_waits_in_the_inbox_is_named_and_is_settled_once_the_store_takes_it()
 {
    let Some(database) = Database::postgres().await else { return };
    let service = Orderbox::on(&database, &[]).await;
    service.until_settled().await;
    // As if the disk were full for this row alone: nothing that the row is to blame for.
    refuse(&database, "53100").await;
    post_fifty(&service).await;
    eventually("the others are settled", || async {
        database.number("SELECT count(*) FROM orders WHERE order_uid LIKE 'order-%'").await == 49
    })
    .await;
    eventually("the row is named", || async {
        service.client().get("/healthz").await.text().contains("attempts")
    })
    .await;
    assert_eq!(database.number("SELECT count(*) FROM dead_letters").await, 0);
    assert_eq!(database.number("SELECT count(*) FROM inbox WHERE attempts > 0").await, 1);
    let later = Bytes::from(order(100));
    assert_eq!(service.client().post("/order", later.clone()).await.status, 202);
    eventually("later messages pass it by", || async {
        service.order("order-100").await == Ok(later.clone())
    })
    .await;
    service.ok(&["audit"]);

    database.execute("DROP TRIGGER refuse ON orders").await;
    service.until_settled().await;
    assert_eq!(service.order("order-25").await, Ok(Bytes::from(order(25))));
    assert!(!service.client().get("/healthz").await.text().contains("attempts"));
    service.ok(&["audit"]);
}

async fn post_fifty(service: &Orderbox) {
    let posts =
        (0..50).map(|number| async move { service.client().post("/order", order(number)).await.status });
    let answers = futures_util::future::join_all(posts).await;
    assert!(answers.iter().all(|status| *status == 202), "{answers:?}");
}

/// Makes the database refuse `order-25` with this SQLSTATE (SQLite: with a constraint error).
async fn refuse(database: &Database, sqlstate: &str) {
    if database.is_postgres() {
        let sql = format!(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF NEW.order_uid = 'order-25' THEN RAISE EXCEPTION 'not this one' USING ERRCODE = '{sqlstate}'; END IF; \
             RETURN NEW; END $$; \
             CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION refuse()"
        );
        database.execute(&sql).await;
    } else {
        let sql = "CREATE TRIGGER refuse BEFORE INSERT ON orders WHEN NEW.order_uid = 'order-25' \
                   BEGIN SELECT RAISE(ABORT, 'not this one'); END";
        database.execute(sql).await;
    }
}

fn order(number: u32) -> String {
    format!(
        r#"{{"order_uid":"order-{number}","track_number":"T","delivery":{{}},"payment":{{}},"items":[]}}"#
    )
}
