//! The stream and the consumer are looked at before anything is read, and what is wrong is told with what to do.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    stream::{Config, ConsumerLimits, DiscardPolicy},
};

use super::reading;
use crate::support::{
    database::Database,
    nats_server::{CONSUMER, NatsServer, STREAM, SUBJECT, until_all_is_acked},
    orderbox::Orderbox,
    stan_server::eventually,
};

/// A consumer that the service takes, but for `change`.
pub(super) fn fitting(change: impl FnOnce(&mut pull::Config)) -> pull::Config {
    let mut config = pull::Config {
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(30),
        filter_subject: SUBJECT.to_owned(),
        ..pull::Config::default()
    };
    change(&mut config);
    config
}

/// Why the source does not work, once it says so.
pub(super) async fn reason(service: &Orderbox, part: &str) -> String {
    let text = std::cell::RefCell::new(String::new());
    eventually(part, || async {
        let health = service.client().get("/healthz").await.json();
        let jetstream = &health["parts"]["jetstream"];
        *text.borrow_mut() = jetstream["reason"].as_str().unwrap_or_default().to_owned();
        jetstream["state"] == "down" && text.borrow().contains(part)
    })
    .await;
    text.into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_stream_is_told_with_how_to_make_it_and_is_read_once_it_is_there() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    let mut service = reading(&database, &server, &[]).await;
    let reason = reason(&service, "there is no stream ORDERS").await;
    assert!(reason.contains("nats stream add ORDERS --subjects 'orders'"), "{reason}");
    server.make_stream().await;
    service.ok(&["publish", "--count", "5", "--seed", "81"]);
    service.until_status("/healthz", 200).await;
    until_all_is_acked(&server).await;
    let consumer = server.consumer().await.unwrap().config;
    assert_eq!((consumer.max_deliver, consumer.ack_policy), (-1, AckPolicy::Explicit));
    assert_eq!((consumer.filter_subject.as_str(), consumer.max_ack_pending), (SUBJECT, 16_000));
    assert_eq!((consumer.ack_wait, consumer.deliver_policy), (Duration::from_secs(30), DeliverPolicy::All));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_jetstream_is_told_as_that() {
    use crate::support::stan_server::StanServer;
    // The NATS that nats-streaming-server brings has no JetStream.
    let Some(server) = StanServer::builder().start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    let service = Orderbox::on(&database, &[("JETSTREAM_URL", &server.url())]).await;
    reason(&service, "does not answer for JetStream").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_does_not_fit_is_told_with_both_values_and_read_once_it_does() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let wrong = fitting(|config| {
        (config.max_deliver, config.ack_wait, config.filter_subject) =
            (5, Duration::from_secs(9), "other".to_owned());
    });
    let context = server.context().await;
    let both = Config { subjects: vec![SUBJECT.to_owned(), "other".to_owned()], ..server.stream() };
    context.update_stream(both).await.unwrap();
    server.make_consumer(wrong).await;
    let mut service = reading(&database, &server, &[]).await;
    let reason = reason(&service, "consumer orderbox of stream ORDERS does not fit").await;
    for told in [
        "it reads other, and JETSTREAM_SUBJECT is orders",
        "its ack wait is 9s, and must be longer than STORE_TIMEOUT=10s",
        "it delivers a message 5 times at most",
        "nats consumer edit ORDERS orderbox",
    ] {
        assert!(reason.contains(told), "{told} is not in {reason}");
    }
    service.ok(&["publish", "--count", "5", "--seed", "82"]);
    assert_eq!(server.consumer().await.unwrap().delivered.stream_sequence, 0, "it was read all the same");
    server.make_consumer(fitting(|_| {})).await;
    service.until_status("/healthz", 200).await;
    until_all_is_acked(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_changed_for_the_worse_is_not_read_any_more() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    service.until_status("/healthz", 200).await;
    server.make_consumer(fitting(|config| config.max_deliver = 3)).await;
    reason(&service, "it delivers a message 3 times at most").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_was_removed_is_made_anew_and_what_comes_again_changes_nothing() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let service = reading(&database, &server, &[]).await;
    service.ok(&["publish", "--count", "50", "--seed", "83"]);
    until_all_is_acked(&server).await;
    let stream = server.context().await.get_stream(STREAM).await.unwrap();
    stream.delete_consumer(CONSUMER).await.unwrap();
    eventually("all of it has come again", || async {
        crate::support::load::outcomes(&database, "unchanged").await == 50
    })
    .await;
    until_all_is_acked(&server).await;
    assert_eq!(database.number("SELECT count(*) FROM orders").await, 50);
    service.ok(&["audit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_is_told_by_the_age_of_its_last_answer_and_read_again_when_it_goes_on() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    service.until_status("/healthz", 200).await;
    service.ok(&["publish", "--count", "5", "--seed", "84"]);
    // Its connection stays, and says nothing of it.
    server.pause(0);
    reason(&service, "").await;
    assert!(service.log().contains("jetstream does not work"), "{}", service.log());
    assert_eq!(service.metric("orderbox_jetstream_connected").await, Some(0.0));
    server.resume(0);
    service.until_status("/healthz", 200).await;
    service.ok(&["publish", "--count", "5", "--seed", "85"]);
    until_all_is_acked(&server).await;
    assert_eq!(database.number("SELECT count(*) FROM orders").await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_that_discard_unread_messages_are_warned_about() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    let config = Config {
        max_messages: 1_000,
        max_age: Duration::from_secs(3600),
        discard: DiscardPolicy::Old,
        ..server.stream()
    };
    server.make_stream_of(config).await;
    let mut service = reading(&database, &server, &[]).await;
    service.until_status("/healthz", 200).await;
    let log = service.log();
    for told in [
        "JETSTREAM_STREAM=ORDERS has max messages 1000 and discards the oldest beyond it, read or not",
        "JETSTREAM_STREAM=ORDERS discards messages after 3600s, read or not",
    ] {
        assert_eq!(log.matches(told).count(), 1, "{log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_on_what_a_consumer_may_have_pending_is_told_with_both_numbers() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    let limits = ConsumerLimits { max_ack_pending: 100, ..ConsumerLimits::default() };
    server.make_stream_of(Config { consumer_limits: Some(limits), ..server.stream() }).await;
    let service = reading(&database, &server, &[]).await;
    let reason = reason(&service, "can not be made with max ack pending 16000").await;
    assert!(reason.contains("limit of 100"), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_is_paused_is_told_as_that_and_read_once_it_is_resumed() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    service.until_status("/healthz", 200).await;
    let stream = server.context().await.get_stream(STREAM).await.unwrap();
    let until = time::OffsetDateTime::now_utc() + Duration::from_secs(3600);
    stream.pause_consumer(CONSUMER, until).await.unwrap();
    reason(&service, "`nats consumer resume ORDERS orderbox`").await;
    stream.resume_consumer(CONSUMER).await.unwrap();
    service.until_status("/healthz", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_the_server_turns_down_is_told_in_its_words_and_made_within_the_limit() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let mut service = reading(&database, &server, &[]).await;
    service.until_status("/healthz", 200).await;
    eventually("it has asked", || async {
        server.consumer().await.is_some_and(|consumer| consumer.num_waiting > 0)
    })
    .await;
    // What is delivered to a request that is turned down at the same moment comes again, within what is waited for.
    let wait = Duration::from_secs(11);
    server.make_consumer(fitting(|config| (config.max_batch, config.ack_wait) = (5, wait))).await;
    // More than half of what it has asked for before.
    service.ok(&["publish", "--count", "700", "--seed", "94"]);
    until_all_is_acked(&server).await;
    let log = service.log();
    assert!(log.contains("Exceeded MaxRequestBatch of 5") && log.contains("nats consumer edit"), "{log}");
    service.until_status("/healthz", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a request counts as unanswered after half a minute"]
async fn requests_that_are_not_answered_are_told_though_the_server_answers_for_the_consumer() {
    let Some(server) = NatsServer::start().await else { return };
    let Some(database) = Database::sqlite() else { return };
    server.make_stream().await;
    let consumer = server.make_consumer(fitting(|config| config.max_waiting = 1)).await;
    // The one request that may wait is somebody else's.
    let others = consumer.batch().max_messages(1).expires(Duration::from_secs(300)).messages().await.unwrap();
    eventually("it waits", || async {
        server.consumer().await.is_some_and(|consumer| consumer.num_waiting == 1)
    })
    .await;
    let mut service = reading(&database, &server, &[]).await;
    service.until_status("/healthz", 200).await;
    service.until_status("/healthz", 503).await;
    reason(&service, "Waiting Pulls").await;
    drop((others, consumer));
    service.until_status("/healthz", 200).await;
    service.ok(&["publish", "--count", "5", "--seed", "95"]);
    until_all_is_acked(&server).await;
}
