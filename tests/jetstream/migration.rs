//! The steps of docs/MIGRATING.md, with both brokers and under load.

use crate::support::{
    database::Database,
    load::{Load, all_is_settled, outcomes, published, settled},
    nats_server::{NatsServer, until_all_is_acked},
    orderbox::{Orderbox, on_each_store},
    stan_server::{StanServer, eventually},
};

/// What the publishers that have not moved yet send, and those that have.
const TO_STAN: Load = Load { seed: 61, count: 4_000, rate: Some(500) };
const TO_JETSTREAM: Load = Load { seed: 62, count: 6_000, rate: Some(400) };

on_each_store!(the_documented_steps_from_stan_to_jetstream_lose_nothing_and_settle_nothing_twice);

async fn the_documented_steps_from_stan_to_jetstream_lose_nothing_and_settle_nothing_twice(
    database: Database,
) {
    let Some(stan) = StanServer::builder().file_store().start().await else { return };
    let stan_url = stan.url();
    let settings = [("STAN_URL", stan_url.as_str()), ("SAMPLE_ORDER", "false")];
    let mut service = Orderbox::on(&database, &settings).await;
    let to = format!("stan://127.0.0.1:{}/{}/orders", stan.port(), StanServer::CLUSTER);
    let mut old_publisher = TO_STAN.start_to(&service, &to);
    eventually("orders come from STAN", || async { settled(&database).await > 500 }).await;

    // 1: the stream is there before anybody needs it.
    let Some(jetstream) = NatsServer::start().await else { return };
    jetstream.make_stream().await;

    // 2: the service reads both.
    assert!(service.terminate().await.success(), "{}", service.log());
    service.set("JETSTREAM_URL", Some(&jetstream.url()));
    service.restart().await;
    service.until_status("/healthz", 200).await;
    let health = service.client().get("/healthz").await.json();
    for part in ["stan", "jetstream"] {
        assert_eq!(health["parts"][part]["state"], "up", "{health}");
    }

    // 3: publishers move one by one. What is published without --to goes to JetStream now.
    let mut new_publisher = TO_JETSTREAM.start(&service);
    eventually("orders come from both", || async {
        let received = async |source: &str| {
            service.metric(&format!("orderbox_messages_received_total{{source=\"{source}\"}}")).await
        };
        received("stan").await > Some(500.0) && received("jetstream").await > Some(500.0)
    })
    .await;
    published(&mut old_publisher).await;

    // 4: what STAN holds is drained.
    eventually("STAN is drained", || async {
        stan.backlog("orders").await == 0
            && service.metric("orderbox_source_lag_messages{source=\"stan\"}").await == Some(0.0)
    })
    .await;

    // 5: the service forgets STAN, whose server may go.
    assert!(service.terminate().await.success(), "{}", service.log());
    drop(stan);
    service.set("STAN_URL", None);
    service.restart().await;
    published(&mut new_publisher).await;
    service.until_status("/healthz", 200).await;
    until_all_is_acked(&jetstream).await;

    let mut expected = TO_STAN.expected();
    expected.add(TO_JETSTREAM.expected());
    all_is_settled(&database, &service, &expected).await;
    assert_eq!(outcomes(&database, "received").await, 10_000);
    assert_eq!(outcomes(&database, "applied").await, expected.sound.len() as i64);
    assert_eq!(outcomes(&database, "rejected").await, expected.broken.len() as i64);
    let by_source = "SELECT source FROM ledger GROUP BY source ORDER BY source";
    assert_eq!(
        database.rows(by_source).await.concat(),
        ["jetstream", "stan"].map(|name| Some(name.to_owned()))
    );
    assert_eq!(database.number("SELECT count(*) FROM gaps").await, 0, "a gap was told of");
}
