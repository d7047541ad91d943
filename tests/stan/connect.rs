//! Connecting, and what a refusal says.

use std::time::{Duration, Instant};

use orderbox::stan::{ConnectError, Connection, Lost, Options, SubscribeError, SubscribeOptions};
use prost::Message as _;

use super::{
    connect, durable, linked, options,
    tap::{ConnectRequest, Ping, SubscriptionRequest, Tap},
    through, within,
};
use crate::support::{
    free_port,
    link::Link,
    orderbox::Orderbox,
    stan_server::{StanServer, eventually},
};

const CLOSE: Duration = Duration::from_secs(5);

async fn refused(options: &Options) -> ConnectError {
    within(Connection::connect(options)).await.expect_err("the connection was made")
}

#[tokio::test]
async fn without_nats_the_error_names_the_address() {
    let port = free_port();
    let options = Options::new([format!("nats://127.0.0.1:{port}")], "test-cluster", "me").unwrap();
    let error = refused(&options).await;
    assert!(matches!(error, ConnectError::Nats { .. }), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[tokio::test]
async fn a_wrong_cluster_id_says_that_the_server_may_be_down_or_the_id_wrong() {
    let Some(server) = StanServer::builder().start().await else { return };
    let options = Options::new([server.url()], "no-such-cluster", "me").unwrap();
    let error = refused(&options).await;
    assert!(matches!(error, ConnectError::NoServer { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("\"no-such-cluster\""), "{text}");
    assert!(text.contains("it is down or starting, or the cluster id is wrong"), "{text}");
}

#[tokio::test]
async fn the_first_address_that_answers_is_used() {
    let Some(server) = StanServer::builder().start().await else { return };
    // Accepts and hangs up.
    let link = Link::to(server.port()).await;
    link.cut();
    let addresses = [format!("nats://127.0.0.1:{}", link.port()), server.url()];
    // The order is random: until the dead one was tried, nothing was shown.
    let mut rounds = 0;
    while link.accepted() == 0 {
        rounds += 1;
        assert!(rounds <= 64, "the first address is never tried");
        let options = Options::new(&addresses, StanServer::CLUSTER, "me").unwrap();
        within(Connection::connect(&options)).await.unwrap().close(CLOSE).await.unwrap();
    }
}

#[tokio::test]
async fn a_client_id_in_use_is_refused_and_the_holder_goes_on() {
    let Some(server) = StanServer::builder().start().await else { return };
    let holder = connect(&server, "me").await;
    let error = refused(&options(&server, "me")).await;
    assert!(matches!(error, ConnectError::ClientIdInUse { .. }), "{error}");
    assert!(error.to_string().contains("another client holds the client id \"me\""), "{error}");
    within(holder.ping()).await.unwrap();
}

#[tokio::test]
async fn ten_refused_connects_of_each_kind_leave_nothing_at_nats_and_try_nothing_by_themselves() {
    let Some(server) = StanServer::builder().start().await else { return };
    let _holder = connect(&server, "me").await;
    let alone = server.nats_subscriptions("me").await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let link = Link::to(server.port()).await;
    let before = tasks();
    let nowhere =
        Options::new([format!("nats://127.0.0.1:{}", link.port())], "no-such-cluster", "me").unwrap();
    for _ in 0..10 {
        let error = refused(&through(&link, "me")).await;
        assert!(matches!(error, ConnectError::ClientIdInUse { .. }), "{error}");
        let error = refused(&nowhere).await;
        assert!(matches!(error, ConnectError::NoServer { .. }), "{error}");
    }
    eventually("NATS has no connection of them", || async { server.nats_subscriptions("me").await == alone })
        .await;
    // Whatever would connect again is a task.
    eventually("no task of them runs", || async { tasks() <= before }).await;
    assert_eq!(link.accepted(), 20);
}

#[tokio::test]
async fn a_dropped_connection_frees_its_client_id_at_once() {
    let Some(server) = StanServer::builder().start().await else { return };
    for _ in 0..5 {
        let connection = connect(&server, "me").await;
        drop(connection);
        // NATS may still be on its way out: then the server asks the old inbox, and nobody answers.
        eventually("the id is free", || async { Connection::connect(&options(&server, "me")).await.is_ok() })
            .await;
    }
}

/// A connection that hung until another one took its client id, and that one. The first does not know it yet.
async fn replaced(server: &StanServer) -> (Connection, Connection, Link) {
    let (hung, link) = linked(server, "me").await;
    link.block();
    let successor = connect(server, "me").await;
    link.mend();
    (hung, successor, link)
}

#[tokio::test]
async fn a_hung_holder_is_replaced_and_finds_out_by_a_ping() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (hung, successor, _link) = replaced(&server).await;
    within(hung.ping()).await.expect_err("it was replaced");
    assert_eq!(within(hung.lost()).await, Lost::Forgotten);
    within(successor.ping()).await.unwrap();
}

#[tokio::test]
async fn the_publish_of_a_replaced_client_is_not_stored() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (hung, successor, _link) = replaced(&server).await;
    let outcome = within(hung.publish("c", "x".into())).await;
    assert_eq!(outcome, orderbox::stan::Outcome::NotStored(orderbox::stan::NotStored::Forgotten));
    within(successor.ping()).await.unwrap();
    assert_eq!(server.last_sequence("c").await, 0);
}

#[tokio::test]
async fn a_replaced_client_is_told_so_by_its_own_pings_long_before_they_would_give_up() {
    let Some(server) = StanServer::builder().start().await else { return };
    let link = Link::to(server.port()).await;
    let patient = through(&link, "me").pings(Duration::from_secs(1), 88).unwrap();
    let hung = within(Connection::connect(&patient)).await.unwrap();
    link.block();
    let _successor = connect(&server, "me").await;
    link.mend();
    let lost = within(hung.lost()).await;
    assert!(lost.to_string().contains("another process took the client id"), "{lost}");
}

#[tokio::test]
async fn a_replaced_client_closes_without_ending_its_successor() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (hung, successor, _link) = replaced(&server).await;
    within(hung.close(CLOSE)).await.expect_err("there is nothing of it to close");
    within(successor.ping()).await.unwrap();
    assert_eq!(server.clients().await, ["me"]);
}

#[tokio::test]
async fn a_replaced_client_does_not_subscribe_in_the_name_of_its_successor() {
    let Some(server) = StanServer::builder().start().await else { return };
    let (hung, _successor, _link) = replaced(&server).await;
    let error = within(hung.subscribe(&durable())).await.unwrap_err();
    assert_eq!(error, SubscribeError::Lost(Lost::Forgotten));
    assert!(server.subscriptions("c").await.is_empty());
}

#[tokio::test]
async fn a_client_that_was_cut_off_pings_first_and_sends_nothing_in_the_name_of_its_successor() {
    let Some(server) = StanServer::builder().start().await else { return };
    let mut tap = Tap::on(&server, "_STAN.>").await;
    let (hung, successor, _link) = replaced(&server).await;
    let first: ConnectRequest = tap.next_of("_STAN.discover").await;
    let second: ConnectRequest = tap.next_of("_STAN.discover").await;
    assert_eq!((first.client_id.as_str(), second.client_id.as_str()), ("me", "me"));

    within(hung.subscribe(&durable())).await.expect_err("it was replaced");
    within(hung.close(CLOSE)).await.expect_err("there is nothing of it to close");
    // Behind all that it sent; only pings tell the two apart.
    within(successor.subscribe(&SubscribeOptions::new("d"))).await.unwrap();
    let mut pinged = Vec::new();
    let subscribed = loop {
        match tap.next().await {
            (kind, ping) if kind == "_STAN.pings" => pinged.push(Ping::decode(ping).unwrap().connection_id),
            (kind, request) if kind == "_STAN.sub" => break SubscriptionRequest::decode(request).unwrap(),
            (kind, _) => panic!("{kind} in the name of the successor"),
        }
    };
    assert_eq!(subscribed.channel, "d", "the replaced client subscribed");
    assert!(pinged.contains(&first.connection_id), "it did not ask whether the id is still its own");
}

#[tokio::test]
async fn a_holder_whose_process_is_stopped_is_replaced_after_half_a_second() {
    let Some(server) = StanServer::builder().start().await else { return };
    let url = server.url();
    let mut service = Orderbox::start(&[("STAN_URL", &url), ("STAN_CLIENT_ID", "me")]).await;
    service.until_status("/healthz", 200).await;
    service.pause();
    let begin = Instant::now();
    let successor = connect(&server, "me").await;
    let took = begin.elapsed();
    // So long the server waits for the holder; the rest is for a busy machine.
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}");
    service.resume();
    service.until_status("/healthz", 503).await;
    within(successor.ping()).await.unwrap();
    assert_eq!(server.clients().await, ["me"]);
}

#[tokio::test]
async fn close_signs_off_and_a_normal_close_is_no_loss() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    assert_eq!(server.clients().await, ["me"]);
    let session = std::sync::Arc::clone(connection.session());
    within(connection.close(CLOSE)).await.unwrap();
    assert!(server.clients().await.is_empty());
    assert_eq!(session.lost(), Some(Lost::Closed));
}

#[tokio::test]
async fn the_login_in_the_address_is_used() {
    let Some(server) = StanServer::builder().login("user", "secret").start().await else { return };
    connect(&server, "me").await;
    let wrong = format!("nats://user:wr%6Fng@127.0.0.1:{}", server.port());
    let error = refused(&Options::new([wrong], StanServer::CLUSTER, "other").unwrap()).await.to_string();
    assert!(error.to_lowercase().contains("authorization"), "{error}");
    assert!(!error.contains("wrong"), "the error shows the password: {error}");
}

#[tokio::test]
async fn tls_trusts_the_given_authority_and_nobody_else() {
    let Some(server) = StanServer::builder().tls().start().await else { return };
    let trusting = options(&server, "me").root_certificates(server.certificate_authority());
    let connection = within(Connection::connect(&trusting)).await.unwrap();
    within(connection.ping()).await.unwrap();

    let Some(stranger) = StanServer::builder().tls().start().await else { return };
    let error = refused(&options(&server, "other").root_certificates(stranger.certificate_authority())).await;
    assert!(matches!(error, ConnectError::Nats { .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_holds_no_credentials_or_certificate_is_named() {
    let Some(server) = StanServer::builder().start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nothing.creds");
    let error = refused(&options(&server, "me").credentials(&file)).await.to_string();
    assert!(error.contains("nothing.creds"), "{error}");
    std::fs::write(&file, "no credentials").unwrap();
    let error = refused(&options(&server, "me").credentials(&file)).await.to_string();
    assert!(error.contains("nothing.creds") && error.contains("JWT"), "{error}");
    let error = refused(&options(&server, "me").root_certificates(&file)).await.to_string();
    assert!(error.contains("nothing.creds") && error.contains("no certificate"), "{error}");
}
