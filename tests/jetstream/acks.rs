//! Acks arrive, and a stop says so only when it is known.

use std::time::{Duration, Instant};

use async_nats::{Subscriber, jetstream::stream::Stream};
use futures_util::StreamExt;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::reading;
use crate::support::{
    database::{Database, WriteLock},
    link::Link,
    load::{Load, all_is_settled, outcomes, published, settled},
    nats_server::{CONSUMER, NatsServer, STREAM, until_all_is_acked},
    orderbox::Orderbox,
    stan_server::eventually,
};

/// The service, reading the stream over a link.
async fn reading_over(link: &Link, database: &Database) -> Orderbox {
    let url = format!("nats://127.0.0.1:{}", link.port());
    Orderbox::on(database, &[("JETSTREAM_URL", url.as_str()), ("SAMPLE_ORDER", "false")]).await
}

/// Publishes straight to the server, past the link.
fn publish(service: &Orderbox, server: &NatsServer, count: &str, seed: &str) {
    let to = format!("jetstream://127.0.0.1:{}/ORDERS/orders", server.port());
    service.ok(&["publish", "--to", &to, "--count", count, "--seed", seed]);
}

/// So many messages are delivered and can't be settled until the lock is released.
async fn under_way(
    service: &Orderbox,
    server: &NatsServer,
    database: &Database,
    count: u32,
    seed: &str,
) -> WriteLock {
    let lock = WriteLock::on(database).await;
    publish(service, server, &count.to_string(), seed);
    eventually("messages are under way", || async {
        service.metric("orderbox_inbox_in_flight").await == Some(f64::from(count))
    })
    .await;
    lock
}

/// Waits until so many acks have gone out, and one that was sent after them as a question is answered.
async fn until_proven(traffic: &mut Subscriber, acks: usize) {
    let (mut sent, mut question) = (0, None);
    let answered = async {
        while let Some(message) = traffic.next().await {
            if question.as_ref() == Some(&message.subject) {
                return;
            }
            if message.subject.starts_with("$JS.ACK.ORDERS.orderbox.") {
                match message.reply {
                    None => sent += 1,
                    Some(reply) if sent >= acks => question = Some(reply),
                    Some(_) => {}
                }
            }
        }
        panic!("the connection is closed");
    };
    timeout(Duration::from_secs(30), answered).await.expect("the acks are answered for");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_it_has_stopped_the_server_has_every_ack() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    Load::of(84, 3_000).publish(&service);
    eventually("it is at work", || async { settled(&database).await > 500 }).await;
    let status = service.terminate().await;
    assert!(status.success(), "{status}\n{}", service.log());
    let settled = settled(&database).await;
    let consumer = server.consumer().await.unwrap();
    let acked = 3_000 - consumer.num_pending as i64 - consumer.num_ack_pending as i64;
    assert_eq!(acked, settled, "of the settled messages");
    service.restart().await;
    until_all_is_acked(&server).await;
    all_is_settled(&database, &service, &Load::of(84, 3_000).expected()).await;
    assert_eq!(outcomes(&database, "received").await, 3_000, "an acked message came again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_without_the_server_says_that_the_last_acks_are_not_proven() {
    let Some(mut server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    let lock = WriteLock::on(&database).await;
    service.ok(&["publish", "--count", "3", "--seed", "85"]);
    eventually("messages are under way", || async {
        service.metric("orderbox_inbox_in_flight").await == Some(3.0)
    })
    .await;
    server.kill(0);
    lock.release().await;
    eventually("they are settled", || async { settled(&database).await == 3 }).await;
    let status = service.terminate().await;
    assert_eq!(status.code(), Some(1), "{}", service.log());
    assert!(service.log().contains("it is not known whether the last acks to JetStream arrived"));
    server.restart(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acks_that_a_dead_link_swallowed_go_out_over_the_next_connection() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let link = Link::to(server.port()).await;
    let service = reading_over(&link, &database).await;
    let lock = under_way(&service, &server, &database, 50, "86").await;
    link.block();
    lock.release().await;
    eventually("they are settled, and their acks swallowed", || async { settled(&database).await == 50 })
        .await;
    assert_eq!(server.backlog().await, Some(50));
    link.reset();
    link.mend();
    // Long before the ack wait of 30 s.
    until_all_is_acked(&server).await;
    assert_eq!(server.consumer().await.unwrap().num_redelivered, 0);
    assert_eq!(outcomes(&database, "received").await, 50, "they came again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_under_load_cost_nothing() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    server.make_consumer(super::consumer::fitting(|config| config.ack_wait = Duration::from_secs(11))).await;
    let link = Link::to(server.port()).await;
    let url = format!("nats://127.0.0.1:{}", link.port());
    let service =
        Orderbox::on(&database, &[("JETSTREAM_URL", url.as_str()), ("SAMPLE_ORDER", "false")]).await;
    let load = Load { rate: Some(1_000), ..Load::of(87, 6_000) };
    let mut publisher = load.start(&service);
    for share in 1..=5 {
        eventually("messages are settled, over a connection", || async {
            let connected = service.metric("orderbox_jetstream_connected").await == Some(1.0);
            settled(&database).await > share * 700 && connected
        })
        .await;
        link.reset();
    }
    published(&mut publisher).await;
    until_all_is_acked(&server).await;
    all_is_settled(&database, &service, &load.expected()).await;
    let reconnects = service.metric("orderbox_jetstream_reconnects_total").await;
    assert!(reconnects >= Some(5.0), "{reconnects:?}");
    // The publisher went over the same link: what it sent again after a cut was taken once.
    assert_eq!(server.messages().await, 6_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_is_never_taken_for_a_message_of_a_stream_that_was_made_anew() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let link = Link::to(server.port()).await;
    let service = reading_over(&link, &database).await;
    let lock = under_way(&service, &server, &database, 20, "88").await;
    link.cut();
    let context = server.context().await;
    context.delete_stream("ORDERS").await.unwrap();
    server.make_stream().await;
    publish(&service, &server, "20", "89");
    lock.release().await;
    eventually("the former are settled, and their acks wait", || async { settled(&database).await == 20 })
        .await;
    // Nothing can be recorded, so an ack now could only be one of the former life.
    let lock = WriteLock::on(&database).await;
    link.mend();
    eventually("the latter are under way", || async {
        service.metric("orderbox_inbox_in_flight").await == Some(20.0)
    })
    .await;
    assert_eq!(server.backlog().await, Some(20), "acks of former messages were taken for these");
    lock.release().await;
    until_all_is_acked(&server).await;
    assert_eq!(database.number("SELECT count(*) FROM orders").await, 40);
    service.ok(&["audit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_whose_connection_dies_while_it_drains_sends_the_acks_over_another() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let link = Link::to(server.port()).await;
    let mut service = reading_over(&link, &database).await;
    let lock = under_way(&service, &server, &database, 20, "90").await;
    eventually("it asks for more", || async {
        server.consumer().await.is_some_and(|consumer| consumer.num_waiting > 0)
    })
    .await;
    let (status, ()) = tokio::join!(service.terminate(), async {
        eventually("nobody reads any more", || async {
            server.consumer().await.is_some_and(|consumer| consumer.num_waiting == 0)
        })
        .await;
        link.reset();
        lock.release().await;
    });
    assert!(status.success(), "{status}\n{}", service.log());
    assert_eq!(server.backlog().await, Some(0));
    assert_eq!(server.consumer().await.unwrap().num_redelivered, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_without_the_server_is_sound_when_every_ack_was_proven_before() {
    let Some(mut server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut traffic = server.traffic().await;
    let mut service = reading(&database, &server, &[]).await;
    service.ok(&["publish", "--count", "3", "--seed", "92"]);
    until_proven(&mut traffic, 3).await;
    // An answer of the server comes after all that it said before.
    until_all_is_acked(&server).await;
    server.kill(0);
    service.until_status("/healthz", 503).await;
    let since = Instant::now();
    let status = service.terminate().await;
    assert!(status.success(), "{status}\n{}", service.log());
    assert!(since.elapsed() < Duration::from_secs(5), "it waited for a server it needs nothing of");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_made_anew_while_nothing_is_asked_for_is_noticed() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let service =
        reading(&database, &server, &[("MAX_MESSAGE_BYTES", "16KiB"), ("PIPELINE_BYTES", "16KiB")]).await;
    let lock = WriteLock::on(&database).await;
    publish(&service, &server, "50", "93");
    // No request waits at the server that could tell it.
    server.until_nothing_is_asked_for().await;
    let stream = server.context().await.get_stream(STREAM).await.unwrap();
    stream.delete_consumer(CONSUMER).await.unwrap();
    server.make_consumer(super::consumer::fitting(|_| {})).await;
    eventually("it is noticed", || async { service.log().contains("consumer orderbox was removed") }).await;
    lock.release().await;
    until_all_is_acked(&server).await;
    service.until_settled().await;
    assert_eq!(outcomes(&database, "applied").await, 50);
    service.ok(&["audit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_paused_gets_its_acks_all_the_same_and_its_lag_is_known() {
    acks_go_on(
        async |_, stream| {
            let until = OffsetDateTime::now_utc() + Duration::from_secs(3600);
            stream.pause_consumer(CONSUMER, until).await.unwrap();
        },
        "is paused for",
        Some(7.0),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_does_not_fit_any_more_gets_its_acks_all_the_same() {
    acks_go_on(
        async |server, _| {
            server.make_consumer(super::consumer::fitting(|config| config.max_deliver = 3)).await;
        },
        "does not fit",
        None,
    )
    .await;
}

/// `change` keeps a consumer from being read while messages of it are under way: they are acked, and a stop is sound.
async fn acks_go_on(change: impl AsyncFnOnce(&NatsServer, &Stream), told: &str, lag: Option<f64>) {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    let lock = under_way(&service, &server, &database, 20, "96").await;
    change(&server, &server.context().await.get_stream(STREAM).await.unwrap()).await;
    super::consumer::reason(&service, told).await;
    publish(&service, &server, "7", "97");
    lock.release().await;
    eventually("those that were under way are acked", || async {
        server.consumer().await.is_some_and(|consumer| consumer.num_ack_pending == 0)
    })
    .await;
    assert_eq!(settled(&database).await, 20);
    eventually("the lag is told", || async {
        service.metric("orderbox_source_lag_messages{source=\"jetstream\"}").await == lag
    })
    .await;
    assert!(service.client().get("/healthz").await.text().contains(told), "it is read again");
    let status = service.terminate().await;
    assert!(status.success(), "{status}\n{}", service.log());
    assert_eq!(server.consumer().await.unwrap().num_redelivered, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_does_not_make_a_consumer_anew_that_was_removed_and_says_that_the_acks_are_not_proven() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let link = Link::to(server.port()).await;
    let mut service = reading_over(&link, &database).await;
    let lock = under_way(&service, &server, &database, 20, "98").await;
    eventually("it asks for more", || async {
        server.consumer().await.is_some_and(|consumer| consumer.num_waiting > 0)
    })
    .await;
    let stream = server.context().await.get_stream(STREAM).await.unwrap();
    let (status, ()) = tokio::join!(service.terminate(), async {
        eventually("nobody reads any more", || async {
            server.consumer().await.is_some_and(|consumer| consumer.num_waiting == 0)
        })
        .await;
        stream.delete_consumer(CONSUMER).await.unwrap();
        link.reset();
        lock.release().await;
    });
    assert_eq!(status.code(), Some(1), "{}", service.log());
    assert!(service.log().contains("it is not known whether the last acks to JetStream arrived"));
    assert!(server.consumer().await.is_none(), "it was made anew, and nobody reads it");
}
