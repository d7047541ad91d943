//! Every row of the routes' contract, over real sockets; time limits over pipes in memory with a clock that is moved.

mod connections;
mod feed;
mod lists;
mod publish;
mod read;
mod service;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Api, Intake, Limits, Shared, Tokens, run};
use crate::inbox::SubmitError;
use crate::{
    cache::{Cache, testing::TestStore},
    telemetry::{Board, Metrics, Part},
};

const UID: &str = "b563feb7b2b84b6test";
const DOCUMENT: &str = r#"{"order_uid":"b563feb7b2b84b6test"}"#;
const MAX_MESSAGE_BYTES: usize = 1000;
const LIMITS: Limits = Limits {
    max_connections: 128,
    header_timeout: Duration::from_secs(10),
    body_timeout: Duration::from_secs(15),
    idle_timeout: Duration::from_secs(75),
    max_lookups: 4,
};

/// Answers as the test says, and keeps what it got.
#[derive(Debug, Default)]
struct TestIntake {
    refusal: Mutex<Option<SubmitError>>,
    takes: Mutex<Duration>,
    bug: Mutex<bool>,
    got: Mutex<Vec<Bytes>>,
}

impl TestIntake {
    fn refuse(&self, error: SubmitError) {
        *self.refusal.lock().expect("not poisoned") = Some(error);
    }

    /// How long each commit takes from now on.
    fn take(&self, time: Duration) {
        *self.takes.lock().expect("not poisoned") = time;
    }

    fn got(&self) -> Vec<Bytes> {
        self.got.lock().expect("not poisoned").clone()
    }
}

#[async_trait]
impl Intake for TestIntake {
    async fn submit(&self, payload: Bytes) -> Result<Arc<str>, SubmitError> {
        let bug = *self.bug.lock().expect("not poisoned");
        assert!(!bug, "a bug that a test put here");
        let takes = *self.takes.lock().expect("not poisoned");
        tokio::time::sleep(takes).await;
        if let Some(error) = self.refusal.lock().expect("not poisoned").clone() {
            return Err(error);
        }
        self.got.lock().expect("not poisoned").push(payload);
        Ok("http:0123456789abcdef0123456789abcdef".into())
    }
}

/// The API on doubles.
struct Doubles {
    cache: Arc<Cache>,
    store: Arc<TestStore>,
    intake: Arc<TestIntake>,
    board: Board,
    store_health: Part,
    stopping: CancellationToken,
}

impl Doubles {
    fn new() -> Self {
        let board = Board::default();
        Self {
            cache: Arc::new(Cache::new(1 << 20)),
            store: Arc::default(),
            intake: Arc::default(),
            store_health: board.register("store", None),
            board,
            stopping: CancellationToken::new(),
        }
    }

    fn api(&self, tokens: Tokens) -> Api {
        Api {
            cache: Arc::clone(&self.cache),
            store: Arc::clone(&self.store) as _,
            intake: Arc::clone(&self.intake) as _,
            board: self.board.clone(),
            store_health: self.store_health.clone(),
            metrics: Metrics::install(),
            upstreams: Vec::new(),
            tokens,
            max_message_bytes: MAX_MESSAGE_BYTES,
            limits: LIMITS,
            stopping: self.stopping.clone(),
        }
    }

    fn shared(&self) -> Arc<Shared> {
        Shared::new(self.api(Tokens::default()))
    }
}

struct Server {
    doubles: Doubles,
    address: SocketAddr,
    stop: CancellationToken,
    task: TaskTracker,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn start() -> Server {
    start_with(Tokens::default()).await
}

async fn start_with(tokens: Tokens) -> Server {
    let doubles = Doubles::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind a free port");
    let address = listener.local_addr().expect("a bound address");
    let (stop, task) = (CancellationToken::new(), TaskTracker::new());
    task.spawn(run(listener, doubles.api(tokens), stop.clone()));
    task.close();
    Server { doubles, address, stop, task }
}

struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }

    /// Asserts that it is a problem of this status, and returns its detail.
    fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}\n{}", self.head, self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let json = self.json();
        assert_eq!(json["type"], "about:blank");
        assert_eq!(json["status"], status);
        assert!(json["title"].as_str().is_some_and(|title| !title.is_empty()));
        json["detail"].as_str().expect("a detail").to_owned()
    }
}

async fn read_reply(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Reply {
    let mut bytes = Vec::new();
    // A reset after the answer is not what these tests are about.
    drop(stream.read_to_end(&mut bytes).await);
    let text = String::from_utf8(bytes).expect("answers are text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the server listens")
    }

    /// Sends bytes as they are and reads until the server closes.
    async fn raw(&self, request: &[u8]) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(request).await.expect("the server reads");
        read_reply(&mut stream).await
    }

    async fn send(&self, line: &str, headers: &str, body: &str) -> Reply {
        let length =
            if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
        let address = self.address;
        self.raw(
            format!("{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}{length}\r\n{body}")
                .as_bytes(),
        )
        .await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path}"), "", "").await
    }

    async fn post(&self, body: &str) -> Reply {
        self.send("POST /order", "", body).await
    }
}
