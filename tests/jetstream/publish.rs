//! `orderbox publish` to a stream.

use async_nats::jetstream::stream::Config;

use crate::support::{link::Link, nats_server::NatsServer, orderbox::Orderbox};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_whose_ack_was_lost_is_sent_again_and_stored_once() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream().await;
    let link = Link::to(server.port()).await;
    let to = format!("jetstream://127.0.0.1:{}/ORDERS/orders", link.port());
    link.lose_the_answer_to(b"HPUB orders");
    let said = Orderbox::prepare(&[]).ok(&["publish", "--to", &to, "--count", "200", "--seed", "31"]);
    assert!(link.has_lost_it());
    assert!(said.contains("published 200 messages") && said.contains("sent again"), "{said}");
    assert_eq!(server.messages().await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_published_is_told_with_its_reason_at_once() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream().await;
    let service = Orderbox::prepare(&[]);
    let at = format!("jetstream://127.0.0.1:{}", server.port());
    for (place, told) in [
        ("OTHER/orders", "there is no stream OTHER"),
        ("ORDERS/other", "stream ORDERS keeps orders, and other is none of it"),
    ] {
        let output = service.run(&["publish", "--to", &format!("{at}/{place}"), "--count", "1"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(told), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_counts_as_published_only_when_the_stream_has_taken_it() {
    let Some(server) = NatsServer::start().await else { return };
    server.make_stream_of(Config { max_messages: 7, ..server.stream() }).await;
    let link = Link::to(server.port()).await;
    let service = Orderbox::prepare(&[]);
    let to = format!("jetstream://127.0.0.1:{}/ORDERS/orders", link.port());
    service.ok(&["publish", "--to", &to, "--count", "7"]);
    link.block_at("HPUB orders");
    let mut publisher = service.spawn("publish", &["publish", "--to", &to, "--count", "1"]);
    link.is_blocked().await;
    link.mend();
    // It was refused by the full stream when it is tried again.
    link.block_at("HPUB orders");
    link.is_blocked().await;
    assert!(publisher.exited().is_none(), "{}", publisher.output());
    let stream = server.context().await.get_stream("ORDERS").await.unwrap();
    stream.delete_message(1).await.unwrap();
    link.mend();
    crate::support::load::published(&mut publisher).await;
    assert_eq!(server.messages().await, 7);
}
