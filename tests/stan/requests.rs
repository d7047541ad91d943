//! Requests that the server answers too late, or with an error. A link that blocks at the request lets the ping before it
//! through, so that it is the request itself that gets no answer.

use std::{sync::Arc, time::Duration};

use orderbox::stan::{Lost, NoAnswer, SubscribeError};

use super::{
    LINKED_TIMEOUT, connect, durable, linked, next, publish,
    tap::{CloseRequest, SubscriptionRequest, Tap, UnsubscribeRequest},
    within,
};
use crate::support::{
    link::Link,
    stan_server::{StanServer, eventually},
};

const CLOSE: Duration = Duration::from_secs(10);

const TIMED_OUT: NoAnswer = NoAnswer::TimedOut(LINKED_TIMEOUT);

#[tokio::test]
async fn a_subscribe_that_timed_out_is_closed_by_its_inbox_and_leaves_nothing_here_or_there() {
    let Some(server) = StanServer::builder().start().await else { return };
    let mut tap = Tap::on(&server, "_STAN.*.test-cluster").await;
    let (connection, link) = linked(&server, "me").await;
    publish(&connection, 1..=1).await;
    within(connection.ping()).await.unwrap();
    let before = server.nats_subscriptions("me").await;
    link.block_at("PUB _STAN.sub.");
    let error = within(connection.subscribe(&durable())).await.unwrap_err();
    assert_eq!(error, SubscribeError::NoAnswer { channel: "c".into(), reason: TIMED_OUT });
    within(link.is_blocked()).await;
    link.mend();

    let asked: SubscriptionRequest = tap.next_of("_STAN.sub").await;
    assert_eq!(
        (asked.client_id.as_str(), asked.channel.as_str(), asked.durable.as_str()),
        ("me", "c", "keeper")
    );
    let closed: UnsubscribeRequest = tap.next_of("_STAN.subclose").await;
    assert_eq!(
        closed,
        UnsubscribeRequest { client_id: "me".into(), channel: "c".into(), inbox: asked.inbox }
    );
    eventually("NATS knows no more inboxes than before", || async {
        server.nats_subscriptions("me").await == before
    })
    .await;
    // The server may take a moment to close what it has just opened.
    eventually("the durable is offline", || async {
        server.subscriptions("c").await.iter().all(|one| one["is_offline"] == true)
    })
    .await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    assert_eq!(next(&mut subscription).await.sequence, 1);
}

#[tokio::test]
async fn a_close_of_a_subscription_that_timed_out_is_sent_again_when_it_is_tried_again_and_then_no_more() {
    let Some(server) = StanServer::builder().start().await else { return };
    let mut tap = Tap::on(&server, "_STAN.*.test-cluster").await;
    let (connection, link) = linked(&server, "me").await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    let asked: SubscriptionRequest = tap.next_of("_STAN.sub").await;
    link.block_at("PUB _STAN.subclose.");
    assert_eq!(within(subscription.close()).await, Err(TIMED_OUT));
    within(link.is_blocked()).await;
    link.mend();
    within(subscription.close()).await.unwrap();
    within(subscription.close()).await.unwrap();
    within(connection.close(CLOSE)).await.unwrap();

    let first: UnsubscribeRequest = tap.next_of("_STAN.subclose").await;
    assert_eq!((first.client_id.as_str(), first.channel.as_str()), ("me", "c"));
    assert_ne!(first.inbox, asked.inbox, "it names the inbox of the acks");
    assert_eq!(tap.next_of::<UnsubscribeRequest>("_STAN.subclose").await, first);
    assert_eq!(tap.next().await.0, "_STAN.close", "the third call sent something");
}

#[tokio::test]
async fn a_close_of_a_connection_that_timed_out_says_so_and_ends_it_all_the_same() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (connection, link) = linked(&server, "me").await;
    let session = Arc::clone(connection.session());
    link.block_at("PUB _STAN.close.");
    let error = within(connection.close(CLOSE)).await.unwrap_err();
    assert_eq!(error.0, TIMED_OUT);
    assert_eq!(session.lost(), Some(Lost::Closed));
    within(link.is_blocked()).await;
}

/// Lets the server forget the client while it waits for `blocked`, in front of which it had pinged.
async fn forgotten_meanwhile<T>(server: &StanServer, link: &Link, blocked: impl Future<Output = T>) -> T {
    let tap = Tap::on(server, "_STAN.*.test-cluster").await;
    let forget = async {
        within(link.is_blocked()).await;
        tap.request("_STAN.close.test-cluster", &CloseRequest { client_id: "me".into() }).await;
        link.mend();
    };
    tokio::join!(within(blocked), forget).0
}

#[tokio::test]
async fn what_the_server_answers_to_a_close_is_told_in_its_words() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (connection, link) = linked(&server, "me").await;
    link.block_at("PUB _STAN.close.");
    let closed = forgotten_meanwhile(&server, &link, connection.close(CLOSE)).await;
    assert_eq!(closed.unwrap_err().0, NoAnswer::Broken("stan: unknown clientID".into()));
}

#[tokio::test]
async fn a_subscription_that_is_gone_already_is_closed() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (connection, link) = linked(&server, "me").await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    link.block_at("PUB _STAN.subclose.");
    forgotten_meanwhile(&server, &link, subscription.close()).await.unwrap();
}

#[tokio::test]
async fn an_error_in_the_answer_to_a_close_of_a_subscription_is_told_and_the_close_may_be_tried_again() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let mut tap = Tap::on(&server, "_STAN.subclose.>").await;
    let (connection, link) = linked(&server, "me").await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    link.block_at("PUB _STAN.subclose.");
    // The server has no error for the close of a sound subscription, so another answers in its place.
    let refused = async {
        within(link.is_blocked()).await;
        server.pause();
        link.mend();
        tap.refuse_next("stan: not now").await;
    };
    let (closed, ()) = tokio::join!(within(subscription.close()), refused);
    assert_eq!(closed, Err(NoAnswer::Broken("stan: not now".into())));
    server.resume();
    within(subscription.close()).await.unwrap();
    assert_eq!(tap.next().await.0, "_STAN.subclose");
    assert_eq!(server.subscriptions("c").await[0]["is_offline"], true);
}

#[tokio::test]
async fn nobody_ends_the_subscription_of_another_client() {
    let Some(server) = StanServer::builder().start().await else { return };
    let mut tap = Tap::on(&server, "_STAN.sub.test-cluster").await;
    let connection = connect(&server, "me").await;
    let mut subscription = within(connection.subscribe(&durable())).await.unwrap();
    let _other = connect(&server, "other").await;
    let asked: SubscriptionRequest = tap.next_of("_STAN.sub").await;
    for subject in ["_STAN.unsub.test-cluster", "_STAN.subclose.test-cluster"] {
        for client_id in ["other", "nobody"] {
            let request = UnsubscribeRequest {
                client_id: client_id.into(),
                channel: asked.channel.clone(),
                inbox: asked.inbox.clone(),
            };
            assert_eq!(tap.end(subject, &request).await, "stan: unknown clientID", "{subject} {client_id}");
        }
    }
    publish(&connection, 1..=1).await;
    assert_eq!(next(&mut subscription).await.sequence, 1);
}
