//! Connecting, and what a refusal says.

use std::time::Duration;

use orderbox::stan::{ConnectError, Connection, Lost, Options, SubscribeError};

use super::{connect, durable, options, within};
use crate::support::{
    free_port,
    link::Link,
    stan_server::{StanServer, eventually},
};

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
        within(Connection::connect(&options)).await.unwrap().close(Duration::from_secs(5)).await.unwrap();
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
    let link = Link::to(server.port()).await;
    let there = format!("nats://127.0.0.1:{}", link.port());
    // Its own pings must not find it out before the test does.
    let options = Options::new([there], StanServer::CLUSTER, "me")
        .unwrap()
        .pings(Duration::from_secs(3600), 5)
        .unwrap();
    let hung = within(Connection::connect(&options)).await.unwrap();
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
    let there = format!("nats://127.0.0.1:{}", link.port());
    let options = Options::new([there], StanServer::CLUSTER, "me").unwrap();
    let patient = options.pings(Duration::from_secs(1), 88).unwrap();
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
    within(hung.close(Duration::from_secs(5))).await.expect_err("there is nothing of it to close");
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
async fn close_signs_off_and_a_normal_close_is_no_loss() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    assert_eq!(server.clients().await, ["me"]);
    let session = std::sync::Arc::clone(connection.session());
    within(connection.close(Duration::from_secs(5))).await.unwrap();
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
