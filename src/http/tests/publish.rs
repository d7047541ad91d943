use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::Body,
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    response::IntoResponse,
};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Doubles, LIMITS, MAX_MESSAGE_BYTES, start, start_with};
use crate::{
    http::{Api, MAX_UPLOADS, Shared, Token, Tokens, intake},
    inbox::SubmitError,
};

#[tokio::test]
async fn a_message_is_taken_as_it_is_up_to_the_limit() {
    let server = start().await;
    let longest = "x".repeat(MAX_MESSAGE_BYTES);
    for body in ["not even JSON", longest.as_str(), ""] {
        let reply = server.post(body).await;
        assert_eq!(reply.status, 202, "{}", reply.body);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.body, r#"{"message_id":"http:0123456789abcdef0123456789abcdef"}"#);
    }
    assert_eq!(server.doubles.intake.got(), ["not even JSON", longest.as_str(), ""]);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_whether_its_length_is_announced_or_not() {
    let server = start().await;
    let host = server.address;
    for length in [MAX_MESSAGE_BYTES + 1, 3 << 20] {
        let body = "x".repeat(length);
        server.post(&body).await.problem(413);
        let chunked = format!(
            "POST /order HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        );
        assert!(server.raw(chunked.as_bytes()).await.problem(413).contains("1000 bytes"));
    }
    // Too long to be read on: answered at once, without a byte of it.
    let head = format!("POST /order HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999999999\r\n\r\n");
    server.raw(head.as_bytes()).await.problem(413);
    assert!(server.doubles.intake.got().is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_long_is_read_on_for_a_while_so_that_its_sender_reads_the_answer() {
    const CHUNK: usize = 64 << 10;
    for (chunks, read) in [(16, 16), (usize::MAX, 66)] {
        let taken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&taken);
        let body = futures_util::stream::iter(0..chunks).map(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; CHUNK]))
        });
        let request = Request::post("/order")
            .header("host", "localhost")
            .body(Body::from_stream(body))
            .expect("a request");
        let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1)));
        let problem =
            intake::post(State(Doubles::new().shared()), peer, request).await.expect_err("it is too long");
        assert_eq!(problem.into_response().status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert!((read - 1..=read).contains(&taken.load(Ordering::SeqCst)), "{taken:?} of {chunks}");
    }
}

#[tokio::test]
async fn a_message_holds_no_more_memory_than_its_length() {
    let doubles = Doubles::new();
    for body in [
        Body::from("x".repeat(MAX_MESSAGE_BYTES)),
        Body::from_stream(futures_util::stream::iter(
            (0..65).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"x"))),
        )),
    ] {
        let request = Request::post("/order").header("host", "localhost").body(body).expect("a request");
        let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1)));
        drop(intake::post(State(doubles.shared()), peer, request).await.expect("it is taken"));
    }
    let messages = std::mem::take(&mut *doubles.intake.got.lock().expect("not poisoned"));
    assert_eq!(messages.len(), 2);
    for message in messages {
        let buffer = message.try_into_mut().expect("nobody else holds it");
        assert_eq!(buffer.capacity(), buffer.len());
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_a_message() {
    let server = start().await;
    let mut stream = server.connect().await;
    let head = format!("POST /order HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\n\r\nhalf", server.address);
    stream.write_all(head.as_bytes()).await.expect("the server reads");
    stream.shutdown().await.expect("close our half");
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    assert!(!answer.starts_with(b"HTTP/1.1 202"));
    assert!(server.doubles.intake.got().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_too_slowly_is_408() {
    let doubles = Doubles::new();
    let chunks = futures_util::stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
    });
    let request = Request::post("/order")
        .header("host", "localhost")
        .body(Body::from_stream(chunks))
        .expect("a request");
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1)));
    let problem = intake::post(State(doubles.shared()), peer, request).await.expect_err("a byte a second");
    assert_eq!(problem.into_response().status(), StatusCode::REQUEST_TIMEOUT);
}

/// More than a body may have without a place, its second half after `pause`.
fn large(pause: Duration) -> Request {
    let half = Bytes::from(vec![b'x'; 20 << 10]);
    let halves = futures_util::stream::iter([Duration::ZERO, pause]).then(move |pause| {
        let half = half.clone();
        async move {
            tokio::time::sleep(pause).await;
            Ok::<_, std::io::Error>(half)
        }
    });
    Request::post("/order").header("host", "localhost").body(Body::from_stream(halves)).expect("a request")
}

#[tokio::test(start_paused = true)]
async fn a_client_is_not_blamed_for_the_time_that_its_body_waits_for_a_place() {
    let doubles = Doubles::new();
    let shared = Shared::new(Api { max_message_bytes: 256 << 10, ..doubles.api(Tokens::default()) });
    let peer = ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 1)));
    let places = u32::try_from(MAX_UPLOADS).expect("a few");
    let taken = shared.uploads.acquire_many(places).await.expect("never closed");

    let problem = intake::post(State(Arc::clone(&shared)), peer, large(Duration::ZERO)).await;
    let answer = problem.expect_err("no place gets free").into_response();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers()["retry-after"], "1");

    let freeing = async {
        tokio::time::sleep(LIMITS.body_timeout - Duration::from_millis(1)).await;
        drop(taken);
    };
    let posting = intake::post(State(Arc::clone(&shared)), peer, large(Duration::from_secs(1)));
    let (answer, ()) = tokio::join!(posting, freeing);
    drop(answer.expect("it has its own time after the wait"));
}

#[tokio::test]
async fn a_message_that_is_not_taken_says_when_to_try_again() {
    let server = start().await;
    for (error, status, after) in [
        (SubmitError::Full, 429, "1"),
        (SubmitError::Store("the password is wrong".to_owned()), 503, "5"),
        (SubmitError::Stopping, 503, "5"),
    ] {
        server.doubles.intake.refuse(error);
        let reply = server.post("x").await;
        assert!(!reply.problem(status).contains("password"));
        assert_eq!(reply.header("retry-after"), Some(after));
    }
}

#[tokio::test]
async fn who_may_not_publish_is_told_so_before_the_body_is_read() {
    let body_to_come = |host: &str, more: &str| {
        format!(
            "POST /order HTTP/1.1\r\nHost: {host}\r\n{more}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n"
        )
    };
    let server = start().await;
    let reply = server.raw(body_to_come("evil.example", "").as_bytes()).await;
    assert!(reply.problem(403).contains("PUBLISH_TOKEN"));

    let server = start_with(Tokens { publish: Some(Token::new("secret")), ..Tokens::default() }).await;
    let reply = server.raw(body_to_come("localhost", "").as_bytes()).await;
    reply.problem(401);
    assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"orderbox\""));
    let reply = server.send("POST /order", "Authorization: Bearer secret\r\n", "x").await;
    assert_eq!(reply.status, 202);
}
