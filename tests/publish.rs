//! `orderbox publish` against a service that answers as each test needs it, and against a real streaming server.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    process::{Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use orderbox::{
    sample::{BrokenKind, Generator, Options},
    stan,
};
use tokio::{net::TcpListener, process::Command, sync::Notify};
use tokio_util::task::TaskTracker;

use crate::support::stan_server::{StanServer, eventually};

/// No wait comes near it, unless the promise is broken.
const LIMIT: Duration = Duration::from_secs(30);

/// A service that keeps what it is sent and answers as `answer` says, by the number of the request.
struct Service {
    addr: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Clone)]
struct Received {
    at: Instant,
    headers: HeaderMap,
    payload: Bytes,
}

impl Service {
    async fn start<A: IntoResponse>(
        answer: impl Fn(usize, &Bytes) -> A + Clone + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let arrived = Arc::<Notify>::default();
        let count = AtomicUsize::new(0);
        let (kept, bell) = (Arc::clone(&received), Arc::clone(&arrived));
        let handler = move |headers: HeaderMap, payload: Bytes| {
            let response: Response = answer(count.fetch_add(1, Ordering::Relaxed), &payload).into_response();
            kept.lock().unwrap().push(Received { at: Instant::now(), headers, payload });
            bell.notify_one();
            async move { response }
        };
        let handler = Arc::new(handler);
        let route = post(move |headers, payload| handler(headers, payload));
        TaskTracker::new().spawn(async { axum::serve(listener, Router::new().route("/order", route)).await });
        Self { addr, received, arrived }
    }

    fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    fn payloads(&self) -> Vec<Bytes> {
        self.received.lock().unwrap().iter().map(|received| received.payload.clone()).collect()
    }
}

/// The command, free of what the environment of the tests may set.
fn publish() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orderbox"));
    command.env_clear().arg("publish").stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(args: &[&str]) -> Output {
    publish().args(args).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn assert_exit(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn generated(seed: u64, count: usize, options: Options) -> BTreeSet<Bytes> {
    Generator::new(seed, options).take(count).map(|sample| sample.payload).collect()
}

/// Pointer and code of each error alone: which of them meet in one message is chance.
#[test]
fn every_way_of_being_broken_seen_on_real_channels_is_among_those_made() {
    let Some(shared) = crate::support::shared() else { return };
    let verdicts = std::fs::read_to_string(shared.join("wild/VERDICTS.tsv")).unwrap();
    let made: BTreeSet<String> = BrokenKind::all()
        .flat_map(|kind| {
            let errors = kind.errors().iter().map(|(pointer, code)| format!("{pointer}:{code}"));
            errors.chain([kind.reason().to_owned()])
        })
        .collect();
    for row in verdicts.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>()) {
        let [file, "reject", reason, errors] = row[..] else { continue };
        for seen in errors.split(',').filter(|error| !error.is_empty()).chain([reason]) {
            assert!(made.contains(seen), "{file}: {seen}");
        }
    }
}

#[tokio::test]
async fn what_is_published_are_the_messages_of_the_seed_each_once() {
    let service = Service::start(|_, _| StatusCode::ACCEPTED).await;
    let args = ["--to", &service.url(), "--count", "400", "--broken", "0.25", "--seed", "7"];
    let output = run(&args).await;
    assert_exit(&output, 0);
    let report = text(&output.stdout);
    assert!(report.starts_with("published 400 messages in "), "{report}");
    assert!(report.contains("300 sound, 100 broken"), "{report}");
    assert_eq!(service.payloads().len(), 400);
    let wanted = generated(7, 400, Options { broken: 0.25, ..Options::default() });
    assert_eq!(service.payloads().into_iter().collect::<BTreeSet<_>>(), wanted);
}

#[tokio::test]
async fn a_random_seed_is_printed_and_makes_the_same_messages_again() {
    let service = Service::start(|_, _| StatusCode::ACCEPTED).await;
    let output = run(&["--to", &service.url(), "--count", "20", "--items", "3"]).await;
    assert_exit(&output, 0);
    let report = text(&output.stderr);
    let seed =
        report.split("--seed ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a seed");
    let again = generated(seed.parse().unwrap(), 20, Options { items: Some(3), ..Options::default() });
    assert_eq!(service.payloads().into_iter().collect::<BTreeSet<_>>(), again);
}

#[tokio::test]
async fn a_busy_service_gets_the_message_again_until_it_takes_it() {
    let busy = |number: usize, _: &Bytes| match number {
        0..20 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response(),
        20..30 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => StatusCode::ACCEPTED.into_response(),
    };
    let service = Service::start(busy).await;
    let output = run(&["--to", &service.url(), "--count", "50"]).await;
    assert_exit(&output, 0);
    assert!(text(&output.stdout).contains("\n30 messages sent again"), "{}", text(&output.stdout));
    assert_eq!(service.payloads().len(), 80);
    assert_eq!(service.payloads().into_iter().collect::<BTreeSet<_>>().len(), 50);
}

#[tokio::test]
async fn what_is_refused_is_reported_by_reason_and_the_rest_is_published() {
    let service = Service::start(|number, _| match number % 5 {
        0 => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::ACCEPTED,
    })
    .await;
    let output = run(&["--to", &service.url(), "--count", "50"]).await;
    assert_exit(&output, 1);
    let report = text(&output.stdout);
    assert!(report.starts_with("published 40 messages"), "{report}");
    assert!(report.contains("NOT published, 10 messages:\n      10  413 Payload Too Large\n"), "{report}");
}

#[tokio::test]
async fn a_publisher_who_may_not_stops_and_is_told_what_the_service_says() {
    let problem = r#"{"title": "Forbidden", "status": 403, "detail": "Set PUBLISH_TOKEN"}"#;
    let service = Service::start(move |_, _| (StatusCode::FORBIDDEN, problem)).await;
    let output = run(&["--to", &service.url(), "--count", "100000"]).await;
    assert_exit(&output, 1);
    assert!(text(&output.stdout).contains("403 Forbidden: Set PUBLISH_TOKEN"), "{}", text(&output.stdout));
    assert!(service.payloads().len() < 1000);
}

#[tokio::test]
async fn the_rate_is_kept() {
    let service = Service::start(|_, _| StatusCode::ACCEPTED).await;
    let began = Instant::now();
    let output = run(&["--to", &service.url(), "--count", "61", "--rate", "100"]).await;
    assert_exit(&output, 0);
    let last = service.received.lock().unwrap().last().unwrap().at;
    // Never faster than asked; how much slower is the machine's affair. From the start of the command, for the first message may
    // be late, and the others keep their times.
    assert!(last - began >= Duration::from_millis(600), "{:?}", last - began);
}

#[tokio::test]
async fn files_are_published_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let whole = write("any.bin", b"\xff\0not an order\r\n");
    let lines = write("orders.ndjson", b"{\"order_uid\":\"1\"}\n\n{}\nlast");
    let service = Service::start(|_, _| StatusCode::ACCEPTED).await;
    let output = run(&["--to", &service.url(), &whole, &lines]).await;
    assert_exit(&output, 0);
    let wanted: [&[u8]; 4] = [b"\xff\0not an order\r\n", b"{\"order_uid\":\"1\"}", b"{}", b"last"];
    assert_eq!(
        service.payloads().into_iter().collect::<BTreeSet<_>>(),
        wanted.into_iter().map(Bytes::from_static).collect()
    );
    assert!(text(&output.stdout).starts_with("published 4 messages in "), "{}", text(&output.stdout));
}

#[tokio::test]
async fn nothing_is_published_when_a_file_can_not_be_read() {
    let service = Service::start(|_, _| StatusCode::ACCEPTED).await;
    let sound = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sample/model.json");
    let output = run(&["--to", &service.url(), sound.to_str().unwrap(), "/nowhere/missing.json"]).await;
    assert_exit(&output, 2);
    assert!(text(&output.stderr).contains("/nowhere/missing.json can't be read"), "{}", text(&output.stderr));
    assert!(service.payloads().is_empty());
}

#[tokio::test]
async fn without_an_address_the_service_of_the_same_settings_gets_it_with_the_token() {
    let service = Service::start(|_, _| StatusCode::ACCEPTED).await;
    let environment = [
        ("HTTP_ADDR", service.addr.to_string()),
        ("STAN_URL", String::new()),
        ("ADMIN_TOKEN", "an-admin-token-0".to_owned()),
        ("PUBLISH_TOKEN", "a-publish-token0".to_owned()),
    ];
    let output = publish().envs(environment).args(["--count", "1"]).output().await.unwrap();
    assert_exit(&output, 0);
    let headers = service.received.lock().unwrap()[0].headers.clone();
    assert_eq!(headers["authorization"], "Bearer a-publish-token0");
    assert!(!text(&[output.stdout, output.stderr].concat()).contains("a-publish-token0"));
}

#[tokio::test]
async fn a_service_that_is_not_there_is_an_error_with_what_to_do() {
    let port = crate::support::free_port();
    let output = run(&["--to", &format!("http://127.0.0.1:{port}")]).await;
    assert_exit(&output, 1);
    let error = text(&output.stderr);
    assert!(error.contains("Connection refused") && error.contains("orderbox serve"), "{error}");
}

#[tokio::test]
async fn a_wrong_command_line_is_refused_without_showing_a_password() {
    for args in [
        &["--broken", "1.5"][..],
        &["--rate", "0"],
        &["--rate", "NaN"],
        &["--count", "0"],
        &["--items", "501"],
        &["--seed", "1", "src/sample/model.json"],
        &["--to", "stan://user:s3cret@host:4222"],
        &["--to", "ftp://user:s3cret@host"],
        &["--to", "http://s3cret@host"],
    ] {
        let output = run(args).await;
        assert_exit(&output, 2);
        assert!(!text(&output.stderr).contains("s3cret"), "{}", text(&output.stderr));
    }
}

#[tokio::test]
async fn every_wrong_setting_is_told() {
    let environment = [("STAN_URL", "nats://h:4/x"), ("STAN_CLUSTER_ID", "a.b"), ("STAN_CHANNEL", "c..d")];
    let output = publish().envs(environment).output().await.unwrap();
    assert_exit(&output, 2);
    let told = text(&output.stderr);
    for start in ["STAN_URL=nats://h:4/x ", "STAN_CLUSTER_ID=a.b ", "STAN_CHANNEL=c..d "] {
        assert!(told.lines().any(|line| line.starts_with(&format!("orderbox: {start}"))), "{start}: {told}");
    }
}

#[tokio::test]
async fn an_interrupted_run_reports_what_was_acked_and_what_is_unknown() {
    let service = Service::start(|_, _| StatusCode::ACCEPTED).await;
    let child = publish()
        .args(["--to", &service.url(), "--count", "1000", "--rate", "20"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while service.payloads().len() < 3 {
        service.arrived.notified().await;
    }
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    assert_exit(&output, 1);
    let report = text(&output.stdout);
    assert!(report.ends_with("stopped before the last message: interrupted\n"), "{report}");
    assert!(report.starts_with(&format!("published {} messages", service.payloads().len())), "{report}");
}

/// Every message of the channel `orders`, oldest first.
async fn stored(server: &StanServer) -> Vec<Bytes> {
    let options = stan::Options::new([server.url()], StanServer::CLUSTER, "reader").unwrap();
    let connection = stan::Connection::connect(&options).await.unwrap();
    let mut subscription = connection.subscribe(&stan::SubscribeOptions::new("orders")).await.unwrap();
    let last = server.last_sequence("orders").await;
    let mut payloads = Vec::new();
    loop {
        let message = tokio::time::timeout(LIMIT, subscription.next()).await.unwrap().unwrap();
        message.acker.ack();
        payloads.push(message.data.clone());
        if message.sequence == last {
            return payloads;
        }
    }
}

fn place(server: &StanServer) -> String {
    format!("{}/{}/orders", server.url().replace("nats://", "stan://"), StanServer::CLUSTER)
}

#[tokio::test]
async fn a_channel_gets_the_messages_of_the_seed_oversized_ones_too() {
    let Some(server) = StanServer::builder().login("user", "s3cret").start().await else { return };
    let args = ["--to", &place(&server), "--count", "600", "--broken", "0.5", "--seed", "7"];
    let output = run(&args).await;
    assert_exit(&output, 0);
    assert!(text(&output.stdout).contains("300 sound, 300 broken"), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("  too_large: oversized "), "{}", text(&output.stdout));
    assert!(!text(&[output.stdout, output.stderr].concat()).contains("s3cret"));
    let stored = stored(&server).await;
    assert_eq!(stored.len(), 600);
    let wanted = generated(7, 600, Options { broken: 0.5, oversized: true, ..Options::default() });
    assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), wanted);
}

#[tokio::test]
async fn without_an_address_the_channel_of_the_same_settings_gets_it() {
    let Some(server) = StanServer::builder().start().await else { return };
    let environment = [("STAN_URL", server.url()), ("STAN_CHANNEL", "orders".to_owned())];
    let output = publish().envs(environment).arg("src/sample/model.json").output().await.unwrap();
    assert_exit(&output, 0);
    assert_eq!(stored(&server).await, [Bytes::from_static(orderbox::sample::MODEL)]);
}

#[tokio::test]
async fn a_server_killed_meanwhile_loses_nothing_that_was_acked_and_gets_nothing_twice() {
    const COUNT: usize = 4000;
    let Some(mut server) = StanServer::builder().file_store().start().await else { return };
    let child = publish()
        .args(["--to", &place(&server), "--seed", "7", "--rate", "2000", "--count", &COUNT.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("500 are stored", async || server.last_sequence("orders").await >= 500).await;
    server.kill();
    server.restart().await;
    let output = tokio::time::timeout(2 * LIMIT, child.wait_with_output()).await.unwrap().unwrap();
    let report = text(&output.stdout);
    let number = |before: &str, after: &str| -> usize {
        report
            .split(before)
            .nth(1)
            .and_then(|rest| rest.split(after).next())
            .map_or(0, |number| number.parse().unwrap())
    };
    let (published, unknown) = (number("published ", " message"), number("perhaps published, ", " message"));
    assert_eq!(published + unknown, COUNT, "{report}");
    assert_eq!(output.status.code(), Some(i32::from(unknown > 0)), "{report}");
    let stored = stored(&server).await;
    assert!((published..=COUNT).contains(&stored.len()), "{} stored\n{report}", stored.len());
    assert_eq!(stored.iter().collect::<BTreeSet<_>>().len(), stored.len(), "stored twice");
}

#[tokio::test]
async fn a_streaming_server_that_is_not_there_is_an_error_with_what_to_do() {
    let port = crate::support::free_port();
    let output = run(&["--to", &format!("stan://127.0.0.1:{port}/c/orders")]).await;
    assert_exit(&output, 1);
    let error = text(&output.stderr);
    assert!(error.contains("no connection to NATS") && error.contains("Start the server"), "{error}");
}
