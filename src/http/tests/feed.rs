use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{DOCUMENT, Doubles, Server, UID, start_with};
use crate::http::{
    Token, Tokens,
    feed::{self, FOR_ADMINS, MAX_STREAMS},
};

const ADMIN: &str = "the token of an administrator";

/// A stream of events over a socket.
struct Stream(BufReader<TcpStream>);

impl Stream {
    async fn open(server: &Server) -> Self {
        let mut stream = server.connect().await;
        let head = format!("GET /api/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ADMIN}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("written");
        Self(BufReader::new(stream))
    }

    /// The data of the next event of this name; `None` at the end.
    async fn next(&mut self, name: &str) -> Option<Value> {
        let (event, mut line, mut wanted) = (format!("event: {name}\n"), String::new(), false);
        loop {
            line.clear();
            let reading = timeout(Duration::from_secs(20), self.0.read_line(&mut line));
            if reading.await.expect("an event in time").expect("the stream is read") == 0 {
                return None;
            }
            // The last chunk of the body; the connection goes on.
            if line == "0\r\n" {
                return None;
            }
            match line.strip_prefix("data: ") {
                Some(data) if wanted => return serde_json::from_str(data).ok(),
                _ => wanted = wanted && line == "\n" || line == event,
            }
        }
    }
}

async fn start() -> Server {
    start_with(Tokens { admin: Some(Token::new(ADMIN)), ..Tokens::default() }).await
}

#[tokio::test(start_paused = true)]
async fn the_store_is_asked_once_a_second_for_all_who_listen_and_not_at_all_for_nobody() {
    let doubles = Doubles::new();
    let (store, shared) = (&doubles.store, doubles.shared());
    let listening = async {
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(store.calls(), 0, "nobody listens");
        let seats: Vec<_> = std::iter::from_fn(|| shared.feed.join(false)).collect();
        sleep(Duration::from_millis(9500)).await;
        assert_eq!(store.calls(), 10, "at once and then every second, however many listen");
        drop(seats);
        let admin = shared.feed.join(true);
        sleep(Duration::from_millis(9900)).await;
        assert_eq!(store.calls(), 10 + 2 * 10, "orders at once and then every second");
        drop(admin);
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(store.calls(), 30, "nobody listens any more");
    };
    tokio::select! {
        never = feed::run(&shared) => match never {},
        () = listening => {}
    }
}

#[test]
fn whoever_comes_without_a_token_leaves_streams_to_administrators() {
    let shared = Doubles::new().shared();
    let open: Vec<_> = std::iter::from_fn(|| shared.feed.join(false)).collect();
    let admins: Vec<_> = std::iter::from_fn(|| shared.feed.join(true)).collect();
    assert_eq!((open.len(), admins.len()), (MAX_STREAMS - FOR_ADMINS, FOR_ADMINS));
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_and_goes_hears_a_word_and_makes_no_more_questions_than_one_a_second() {
    let doubles = Doubles::new();
    let (store, shared) = (&doubles.store, doubles.shared());
    let coming_and_going = async {
        for _ in 0..1000 {
            let seat = shared.feed.join(false).expect("a place");
            sleep(Duration::from_millis(5)).await;
            assert!(seat.flow.borrow().is_some());
            drop(seat);
            sleep(Duration::from_millis(5)).await;
        }
        assert!((10..=11).contains(&store.calls()), "{} calls in 10 s", store.calls());
    };
    tokio::select! {
        never = feed::run(&shared) => match never {},
        () = coming_and_going => {}
    }
}

#[tokio::test(start_paused = true)]
async fn neither_who_does_not_read_nor_a_slow_list_of_orders_holds_up_the_flow() {
    let doubles = Doubles::new();
    let shared = doubles.shared();
    doubles.store.pause();
    let listening = async {
        let mut unread: Vec<_> = (1..MAX_STREAMS).map(|_| shared.feed.join(true).expect("a place")).collect();
        let mut reads = shared.feed.join(false).expect("a place");
        sleep(Duration::from_secs(5)).await;
        let mut words = std::collections::BTreeSet::new();
        for _ in 0..10 {
            reads.flow.changed().await.expect("it goes on");
            words.extend(reads.flow.borrow_and_update().clone());
            sleep(Duration::from_millis(1)).await;
        }
        assert!(words.len() >= 9, "{words:?}");
        for seat in &mut unread {
            assert_eq!(
                *seat.flow.borrow_and_update(),
                words.last().cloned(),
                "of all words the last is kept"
            );
            assert!(seat.orders.as_ref().is_some_and(|orders| orders.borrow().is_none()));
        }
    };
    tokio::select! {
        never = feed::run(&shared) => match never {},
        heard = timeout(Duration::from_secs(30), listening) => heard.expect("a word a second"),
    }
}

#[tokio::test]
async fn numbers_are_null_while_the_store_does_not_answer_and_come_back() {
    let server = start().await;
    server.doubles.store.fail(Some("gone"));
    let mut stream = Stream::open(&server).await;
    let down = stream.next("flow").await.expect("it goes on");
    for (name, value) in down.as_object().expect("an object") {
        assert_eq!(value.is_null(), name != "at" && name != "status", "{name} in {down}");
    }
    assert_eq!(down["status"], "failing");
    server.doubles.store.commit(UID, DOCUMENT);
    server.doubles.store.fail(None);
    assert_eq!(stream.next("orders").await.expect("it goes on")["orders"][0]["order_uid"], UID);
    assert_eq!(stream.next("flow").await.expect("it goes on")["received"], 3);
}

#[tokio::test]
async fn streams_end_when_the_service_stops_and_none_begins() {
    let server = start().await;
    let mut stream = Stream::open(&server).await;
    stream.next("flow").await.expect("it goes on");
    server.doubles.stopping.cancel();
    while stream.next("flow").await.is_some() {}
    let refused = server.get("/api/events").await;
    assert!(refused.problem(503).contains("stopping"));
    assert_eq!(refused.header("retry-after"), Some("5"));
}
