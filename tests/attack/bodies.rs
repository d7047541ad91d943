use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use super::{assert_sound, on, received, start};
use crate::support::{
    database::Database,
    orderbox::Orderbox,
    stan_server::eventually,
    wire::{Wire, ask, statuses},
};

/// Longer than `MAX_MESSAGE_BYTES`.
const TOO_LONG: usize = (256 << 10) + 1;

fn post(headers: &str, body: &str) -> String {
    format!("POST /order HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}")
}

/// So many bytes of a body at once, and then a byte every 50 ms, until the service closes the connection; all that it says.
async fn trickling(service: &Orderbox, at_once: usize) -> String {
    let mut wire = Wire::to(service).await;
    wire.send(post("Content-Length: 200000\r\n", &"x".repeat(at_once))).await;
    wire.trickle("x", Duration::from_millis(50)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_trickle_are_cut_off_and_meanwhile_messages_are_taken() {
    // Each may take 1 s and 2.3 s of these: as much of it as 20 KiB are of MAX_MESSAGE_BYTES.
    const ALL_OF_IT: Duration = Duration::from_secs(30);
    let database = Database::sqlite().unwrap();
    let service = on(&database, &[("HTTP_BODY_TIMEOUT", "30s")]).await;
    let before = received(&database).await;
    // More than are read at once, each with more than a body may have without a place.
    let slow = (0..100).map(|_| trickling(&service, 20 << 10));
    let (answers, ()) = tokio::join!(join_all(slow), async {
        eventually("all of them have begun", || async {
            service.metric("orderbox_http_requests_in_flight").await >= Some(100.0)
        })
        .await;
        for n in 0..20 {
            assert_eq!(service.client().post("/order", format!("small {n}")).await.status, 202);
        }
        // Waits for a place, which those that dawdle lose.
        let posting = service.client().post("/order", "x".repeat(100_000));
        let answer = timeout(ALL_OF_IT * 2 / 3, posting).await.expect("those that dawdle lose their places");
        assert_eq!(answer.status, 202);
    });
    for said in answers {
        assert_eq!(statuses(&said), [408], "{said}");
    }
    assert_eq!(received(&database).await - before, 21, "no part of a message is one");
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_needs_no_place_has_its_time_as_well() {
    let service = start(&[("HTTP_BODY_TIMEOUT", "2s")]).await;
    for said in join_all((0..20).map(|n| trickling(&service, n))).await {
        assert_eq!(statuses(&said), [408], "{said}");
        assert!(said.contains("HTTP_BODY_TIMEOUT"), "{said}");
    }
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_sent_all_of_its_body_gets_an_answer_however_long_that_takes() {
    let database = Database::sqlite().unwrap();
    let mut service = on(&database, &[("HTTP_HEADER_TIMEOUT", "1s"), ("STORE_TIMEOUT", "3s")]).await;
    let blocker = database.sqlite_write_lock();
    let mut wire = Wire::to(&service).await;
    wire.send(post("Connection: close\r\nContent-Length: 2\r\n", "x")).await;
    eventually("the head is there", || async {
        // Beside the one that asks.
        service.metric("orderbox_http_requests_in_flight").await == Some(2.0)
    })
    .await;
    wire.send("x").await;
    let said = wire.hear().await;
    assert_eq!(statuses(&said), [503], "{said}");
    assert!(said.to_lowercase().contains("retry-after"), "{said}");
    drop(blocker);
    assert_eq!(service.client().post("/order", "xx").await.status, 202);
    service.until_status("/healthz", 200).await;
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
