//! A cluster of three nodes with a stream on all of them, one of which is gone at a time.

use super::reading;
use crate::support::{
    database::Database,
    expected::Expected,
    load::{Load, all_is_settled, outcomes, published, settled},
    nats_server::{NatsServer, until_all_is_acked},
    orderbox::on_each_store,
    stan_server::eventually,
};

on_each_store!(
    #[ignore = "long: a node that is killed is followed by another within seconds, three times"]
    a_node_that_leads_the_consumer_is_killed_under_load_and_nothing_is_lost_or_settled_twice,
);

async fn a_node_that_leads_the_consumer_is_killed_under_load_and_nothing_is_lost_or_settled_twice(
    database: Database,
) {
    let Some(mut server) = NatsServer::cluster().await else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    service.until_status("/healthz", 200).await;
    let mut expected = Expected::default();
    for (seed, before) in [(91, 0), (92, 4_000), (93, 8_000)] {
        // Each with messages of its own: how long it takes to find another leader does not use up those of the next.
        let load = Load { rate: Some(500), ..Load::of(seed, 4_000) };
        let mut publisher = load.start(&service);
        eventually("messages are settled", || async { settled(&database).await > before + 1_000 }).await;
        let leader = server.leader().await;
        server.kill(leader);
        // Few enough to be left, however long it took to find the leader and to kill it.
        let at_kill = settled(&database).await;
        eventually("it goes on without the node", || async { settled(&database).await > at_kill + 100 })
            .await;
        server.restart(leader).await;
        published(&mut publisher).await;
        expected.add(load.expected());
    }
    until_all_is_acked(&server).await;
    all_is_settled(&database, &service, &expected).await;
    assert_eq!(server.messages().await, 12_000, "what was sent again was stored twice");
    let received = outcomes(&database, "received").await;
    eprintln!(
        "of 12000 messages {received} were received; {} unchanged",
        outcomes(&database, "unchanged").await
    );
}
