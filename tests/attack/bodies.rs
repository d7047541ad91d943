use std::time::Duration;

use futures_util::future::join_all;

use super::{assert_sound, on, received};
use crate::support::{
    database::Database,
    wire::{Wire, ask, statuses},
};

/// Longer than `MAX_MESSAGE_BYTES`.
const TOO_LONG: usize = (256 << 10) + 1;

fn post(headers: &str, body: &str) -> String {
    format!("POST /order HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_trickle_are_cut_off_and_meanwhile_messages_are_taken() {
    let database = Database::sqlite().unwrap();
    let service = on(&database, &[("HTTP_BODY_TIMEOUT", "2s")]).await;
    let before = received(&database).await;
    // More than are read at once, each with more than a body may have without a place.
    let slow = (0..100).map(|n| {
        let service = &service;
        async move {
            let mut wire = Wire::to(service).await;
            let sent = if n % 2 == 0 { "x".repeat(20 << 10) } else { String::new() };
            wire.send(post("Content-Length: 200000\r\n", &sent)).await;
            wire.trickle("x", Duration::from_millis(50)).await
        }
    });
    let (answers, ()) = tokio::join!(join_all(slow), async {
        for n in 0..20 {
            assert_eq!(service.client().post("/order", format!("small {n}")).await.status, 202);
        }
        // Waits for a place, which those that dawdle lose.
        assert_eq!(service.client().post("/order", "x".repeat(100_000)).await.status, 202);
    });
    for said in answers {
        assert_eq!(statuses(&said), [408], "{said}");
        assert!(said.contains("HTTP_BODY_TIMEOUT"), "{said}");
    }
    assert_eq!(received(&database).await - before, 21, "no part of a message is one");
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_long_or_lies_about_its_length_is_no_message() {
    let database = Database::sqlite().unwrap();
    let service = on(&database, &[]).await;
    let before = received(&database).await;
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000));
    let announced = |length: &str| post(&format!("Content-Length: {length}\r\n"), "x");
    for (what, request, status) in [
        ("one byte too long", post(&format!("Content-Length: {TOO_LONG}\r\n"), &"x".repeat(TOO_LONG)), 413),
        ("announced, and awaited", post("Content-Length: 9999999999\r\nExpect: 100-continue\r\n", ""), 413),
        (
            "too many chunks",
            post("Transfer-Encoding: chunked\r\nConnection: close\r\n", &(chunk.repeat(5) + "0\r\n\r\n")),
            413,
        ),
        ("a chunk that is no number", post("Transfer-Encoding: chunked\r\n", "xyz\r\nx\r\n0\r\n\r\n"), 400),
        (
            "a chunk longer than 64 bits",
            post("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nx"),
            400,
        ),
        (
            "a chunk that is longer than it says",
            post("Transfer-Encoding: chunked\r\n", "1\r\nxx\r\n0\r\n\r\n"),
            400,
        ),
        ("a coding that is not chunked", post("Transfer-Encoding: gzip\r\n", "x"), 400),
        ("a length below nothing", announced("-1"), 400),
        ("a length in words", announced("one"), 400),
        ("a length beyond 64 bits", announced("18446744073709551616"), 400),
        ("two lengths", post("Content-Length: 1\r\nContent-Length: 2\r\n", "xx"), 400),
        ("a list of lengths", announced("1, 2"), 400),
    ] {
        let said = ask(&service, request).await;
        assert_eq!(statuses(&said), [status], "{what}: {said}");
    }
    for (what, begun) in [
        ("less than announced", announced("1000")),
        ("no last chunk", post("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n")),
        ("no last line", post("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\n")),
    ] {
        let mut wire = Wire::to(&service).await;
        wire.send(begun).await;
        wire.end().await;
        let said = wire.hear().await;
        assert!(statuses(&said).iter().all(|status| *status == 400), "{what}: {said}");
    }
    assert_eq!(received(&database).await, before);
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_body_is_a_request_of_its_own_and_no_part_of_the_message() {
    let database = Database::sqlite().unwrap();
    let service = on(&database, &[]).await;
    let before = received(&database).await;
    let said = ask(&service, post("Content-Length: 1\r\n", "x") + "more than announced\r\n\r\n").await;
    assert_eq!(statuses(&said), [202, 400], "{said}");
    // Both framings at once are how a request is hidden from a proxy: chunks count, as RFC 9112 has it.
    let hidden =
        post("Content-Length: 40\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n", "0\r\n\r\n")
            + &post("", "");
    let said = ask(&service, hidden).await;
    assert_eq!(statuses(&said), [202], "{said}");
    service.until_settled().await;
    assert_eq!(received(&database).await - before, 2);
    assert_sound(&service).await;
}
