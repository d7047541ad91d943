//! Publishing: exactly one outcome each, and a window that never leaks.

use std::time::Duration;

use orderbox::stan::{Connection, Lost, NotStored, Outcome, Unknown};

use super::{connect, options, publish, server_is_gone, through, within};
use crate::support::{link::Link, stan_server::StanServer};

#[tokio::test]
async fn what_is_stored_is_in_publish_order() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=2000).await;
    assert_eq!(server.last_sequence("c").await, 2000);
    let mut subscription =
        within(connection.subscribe(&orderbox::stan::SubscribeOptions::new("c"))).await.unwrap();
    for message in super::take(&mut subscription, 1000).await {
        assert_eq!(message.data, message.sequence.to_string());
    }
}

#[tokio::test]
async fn a_server_that_is_away_means_not_stored_for_every_message() {
    let Some(mut server) = StanServer::builder().external_nats().start().await else { return };
    // Its own pings must not end it before the last message is refused.
    let slow_pings = options(&server, "me").pings(Duration::from_secs(3600), 5).unwrap();
    let connection = within(Connection::connect(&slow_pings)).await.unwrap();
    server.kill();
    server_is_gone(&connection).await;
    let mut publishing = Vec::new();
    for _ in 0..1000 {
        publishing.push(within(connection.start_publish("c", "x".into())).await.unwrap());
    }
    for one in publishing {
        assert_eq!(within(one).await, Outcome::NotStored(NotStored::NoServer));
    }
    assert!(NotStored::NoServer.is_transient());
}

#[tokio::test]
async fn a_kill_in_the_middle_loses_nothing_that_was_acked_and_stores_nothing_refused() {
    let Some(mut server) = StanServer::builder().external_nats().file_store().start().await else { return };
    let limits = options(&server, "me").publish_timeout(Duration::from_secs(2));
    let connection = within(Connection::connect(&limits)).await.unwrap();
    let mut publishing = Vec::new();
    for number in 1..=6000_u64 {
        if number == 3000 {
            server.kill();
        }
        publishing.push(within(connection.start_publish("c", number.to_string().into())).await.unwrap());
    }
    let (mut stored, mut refused, mut unknown) = (0, 0, 0);
    for one in publishing {
        match within(one).await {
            Outcome::Stored => stored += 1,
            Outcome::NotStored(_) => refused += 1,
            Outcome::Unknown(_) => unknown += 1,
        }
    }
    assert_eq!(stored + refused + unknown, 6000);
    assert!(refused > 0, "the server was away for the second half");
    server.restart().await;
    let last = server.last_sequence("c").await;
    assert!((stored..=stored + unknown).contains(&last), "{last} stored, {stored} acked, {unknown} unknown");
}

#[tokio::test]
async fn a_silent_server_makes_the_outcome_unknown_and_frees_the_window() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let limits = options(&server, "me").publish_timeout(Duration::from_millis(300)).publish_window(10);
    let connection = within(Connection::connect(&limits)).await.unwrap();
    server.pause();
    let mut publishing = Vec::new();
    // Nobody awaits the first ones: their places must come free all the same.
    for _ in 0..30 {
        publishing.push(within(connection.start_publish("c", "x".into())).await.unwrap());
    }
    for one in publishing {
        assert!(matches!(within(one).await, Outcome::Unknown(Unknown::TimedOut(_))));
    }
    server.resume();
}

#[tokio::test]
async fn a_publisher_that_waits_for_a_place_is_freed_when_the_connection_is_lost() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let link = Link::to(server.port()).await;
    let through = through(&link, "me").publish_window(1);
    let connection = within(Connection::connect(&through)).await.unwrap();
    server.pause();
    let first = within(connection.start_publish("c", "x".into())).await.unwrap();
    let (second, ()) =
        within(async { tokio::join!(connection.start_publish("c", "x".into()), async { link.cut() }) }).await;
    assert_eq!(within(first).await, Outcome::Unknown(Unknown::Lost(Lost::NatsClosed)));
    assert_eq!(second.unwrap_err(), NotStored::NotConnected(Lost::NatsClosed));
    assert_eq!(
        within(connection.publish("c", "x".into())).await,
        Outcome::NotStored(NotStored::NotConnected(Lost::NatsClosed))
    );
    server.resume();
}

#[tokio::test]
async fn a_message_that_nats_would_not_take_is_refused_here_and_the_connection_survives() {
    let Some(server) = StanServer::builder().start().await else { return };
    let connection = connect(&server, "me").await;
    let outcome = within(connection.publish("c", vec![b'x'; 1024 * 1024].into())).await;
    assert!(
        matches!(outcome, Outcome::NotStored(NotStored::TooLarge { limit: 1_048_576, .. })),
        "{outcome:?}"
    );
    let outcome = within(connection.publish("a..b", "x".into())).await;
    assert!(matches!(outcome, Outcome::NotStored(NotStored::Name(_))), "{outcome:?}");
    publish(&connection, 1..=1).await;
    assert_eq!(connection.session().lost(), None);
}

#[tokio::test]
async fn a_limit_of_the_server_reaches_the_publisher_in_its_words() {
    let Some(server) = StanServer::builder().args(["-mc", "1"]).start().await else { return };
    let connection = connect(&server, "me").await;
    publish(&connection, 1..=1).await;
    match within(connection.publish("other", "x".into())).await {
        Outcome::NotStored(error @ NotStored::Refused(_)) => {
            assert!(error.to_string().contains("too many channels"), "{error}");
            assert!(!error.is_transient());
        }
        outcome => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_client_that_the_server_has_forgotten_is_found_out_by_its_publish() {
    let Some(mut server) = StanServer::builder().external_nats().start().await else { return };
    let slow_pings = options(&server, "me").pings(Duration::from_secs(3600), 5).unwrap();
    let connection = within(Connection::connect(&slow_pings)).await.unwrap();
    server.kill();
    server.restart().await;
    assert_eq!(within(connection.publish("c", "x".into())).await, Outcome::NotStored(NotStored::Forgotten));
    assert_eq!(within(connection.lost()).await, Lost::Forgotten);
}

#[tokio::test]
async fn both_forms_of_publish_end_when_a_hung_server_sends_no_ack_in_time() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let limit = Duration::from_millis(50);
    let connection =
        within(Connection::connect(&options(&server, "me").publish_timeout(limit))).await.unwrap();
    server.pause();
    let timed_out = Outcome::Unknown(Unknown::TimedOut(limit));
    assert_eq!(within(connection.publish("c", "x".into())).await, timed_out);
    let publishing = within(connection.start_publish("c", "x".into())).await.unwrap();
    assert_eq!(within(publishing).await, timed_out);
    server.resume();
}

#[tokio::test]
async fn a_full_window_blocks_until_a_time_out_frees_a_place() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let limit = Duration::from_millis(500);
    let one = options(&server, "me").publish_timeout(limit).publish_window(1);
    let connection = within(Connection::connect(&one)).await.unwrap();
    server.pause();
    let begin = std::time::Instant::now();
    let first = within(connection.start_publish("c", "x".into())).await.unwrap();
    let _second = within(connection.start_publish("c", "x".into())).await.unwrap();
    assert!(begin.elapsed() >= limit, "the second went before the first had ended");
    assert_eq!(within(first).await, Outcome::Unknown(Unknown::TimedOut(limit)));
    server.resume();
}

#[tokio::test]
async fn ten_thousand_publishes_in_a_race_of_acks_and_time_outs_have_one_outcome_each() {
    let Some(server) = StanServer::builder().start().await else { return };
    let hasty = options(&server, "me").publish_timeout(Duration::from_millis(1));
    let connection = within(Connection::connect(&hasty)).await.unwrap();
    let (mut stored, mut unknown, mut refused) = (0, 0, 0);
    let mut publishing = Vec::new();
    for _ in 0..10_000 {
        match within(connection.start_publish("c", "x".into())).await {
            Ok(one) => publishing.push(one),
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                refused += 1;
            }
        }
    }
    for one in publishing {
        match within(one).await {
            Outcome::Stored => stored += 1,
            Outcome::Unknown(_) => unknown += 1,
            Outcome::NotStored(error) => panic!("{error}"),
        }
    }
    assert_eq!(stored + unknown + refused, 10_000);
    within(connection.ping()).await.unwrap();
    let last = server.last_sequence("c").await;
    assert!((stored..=stored + unknown).contains(&last), "{last} stored, {stored} acked, {unknown} unknown");
}

#[tokio::test]
async fn a_hundred_publishers_that_wait_for_a_place_are_freed_when_the_pings_fail() {
    let Some(server) = StanServer::builder().external_nats().start().await else { return };
    let one = options(&server, "me")
        .publish_window(1)
        .pings(Duration::from_secs(1), 2)
        .unwrap()
        .request_timeout(Duration::from_millis(600));
    let connection = within(Connection::connect(&one)).await.unwrap();
    server.pause();
    let blocked = futures_util::future::join_all((0..100).map(|_| connection.publish("c", "x".into())));
    let outcomes = within(blocked).await;
    let lost = Lost::PingsUnanswered { unanswered: 3 };
    let unknown = Outcome::Unknown(Unknown::Lost(lost));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == unknown).count(), 1);
    let refused = Outcome::NotStored(NotStored::NotConnected(lost));
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 99);
    server.resume();
}
