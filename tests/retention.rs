//! What is too old is deleted by the service where that is asked for, from its memory too.

use std::time::{Duration, Instant};

use crate::{
    conformance::fixture::small,
    support::{
        database::Database,
        orderbox::{Orderbox, on_each_store},
        stan_server::eventually,
    },
};

on_each_store!(
    orders_are_deleted_for_their_age_where_that_is_asked_for_and_the_audit_balances,
    #[ignore = "long: it looks once a minute"]
    an_order_that_is_deleted_is_gone_from_memory_too,
);

const RETENTION: [(&str, &str); 3] =
    [("ORDER_RETENTION", "1h"), ("HISTORY_RETENTION", "1h"), ("SAMPLE_ORDER", "false")];

/// Sets the last change of an order two hours back.
async fn age(database: &Database, uid: &str) {
    let then = if database.is_postgres() {
        "now() - interval '2 hours'"
    } else {
        "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-2 hours')"
    };
    database.execute(&format!("UPDATE orders SET updated_at = {then} WHERE order_uid = '{uid}'")).await;
}

async fn with_two_orders(database: &Database, settings: &[(&str, &str)]) -> Orderbox {
    let service = Orderbox::on(database, settings).await;
    for uid in ["old", "young"] {
        service.client().post("/order", small(uid, 1)).await;
    }
    service.until_settled().await;
    service
}

async fn orders_are_deleted_for_their_age_where_that_is_asked_for_and_the_audit_balances(database: Database) {
    let mut service = with_two_orders(&database, &[("SAMPLE_ORDER", "false")]).await;
    age(&database, "old").await;
    service.restart().await;
    assert!(service.order("old").await.is_ok(), "nobody has asked for it");
    assert!(service.terminate().await.success());

    let service = Orderbox::on(&database, &RETENTION).await;
    eventually("the old order is deleted", async || service.order("old").await == Err(404)).await;
    assert!(service.order("young").await.is_ok());
    let told = service.ok(&["audit"]);
    assert!(told.contains("deleted for their age: orders 1, dead letters 0\nbalances"), "{told}");
    let told = async || service.log().contains("rows were deleted for their age what=\"orders\" rows=1");
    eventually("it is in the log", told).await;
    let line = &service.client().get("/api/status").await.json()["ledger"][0];
    assert_eq!(line["expired"], serde_json::json!({"orders": 1, "dead_letters": 0, "history": 0}), "{line}");
    assert_eq!(service.metric("orderbox_expired_total{what=\"orders\"}").await, Some(1.0));
}

async fn an_order_that_is_deleted_is_gone_from_memory_too(database: Database) {
    let service = with_two_orders(&database, &RETENTION).await;
    assert!(service.order("old").await.is_ok());
    age(&database, "old").await;
    let end = Instant::now() + Duration::from_secs(100);
    while service.order("old").await.is_ok() {
        assert!(Instant::now() < end, "it is still served: {}", service.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(service.order("old").await, Err(404));
    assert!(service.order("young").await.is_ok());
    service.client().post("/order", small("old", 1)).await;
    service.until_settled().await;
    assert!(service.order("old").await.is_ok());
    service.ok(&["audit"]);
}
