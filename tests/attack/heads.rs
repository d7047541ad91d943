use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::{KNOWN, assert_sound, start};
use crate::support::wire::{Wire, ask, statuses};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_trickle_are_cut_off_and_meanwhile_others_are_served() {
    let service = start(&[("HTTP_HEADER_TIMEOUT", "1s")]).await;
    let began = Instant::now();
    let slow = (0..100).map(|_| async {
        let mut wire = Wire::to(&service).await;
        wire.send("GET /livez HTTP/1.1\r\n").await;
        wire.trickle("X: y\r\n", Duration::from_millis(50)).await
    });
    let (answers, ()) = tokio::join!(join_all(slow), async {
        for _ in 0..100 {
            assert_eq!(service.client().get(&format!("/order/{KNOWN}")).await.status, 200);
        }
    });
    assert!(answers.iter().all(String::is_empty), "{answers:?}");
    assert!(began.elapsed() < Duration::from_secs(30), "each byte must not begin the time anew");
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hold_half_a_request_on_every_connection_make_room_for_others() {
    let service = start(&[
        ("HTTP_MAX_CONNECTIONS", "128"),
        ("HTTP_HEADER_TIMEOUT", "600s"),
        ("HTTP_BODY_TIMEOUT", "600s"),
        ("HTTP_IDLE_TIMEOUT", "600s"),
    ])
    .await;
    let mut held = Vec::new();
    for n in 0..300 {
        let mut wire = Wire::to(&service).await;
        wire.send(
            ["", "GET /ord", "POST /order HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx"][n % 3],
        )
        .await;
        held.push(wire);
    }
    let request = format!("GET /order/{KNOWN} HTTP/1.1\r\nConnection: close\r\n\r\n");
    for _ in 0..50 {
        let answer = timeout(Duration::from_secs(30), ask(&service, &request)).await;
        assert_eq!(statuses(&answer.expect("nobody has to wait for the idle")), [200]);
    }
    let log = service.log();
    assert!(log.contains("all connections that HTTP_MAX_CONNECTIONS allows are taken"), "{log}");
    drop(held);
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_headers_is_refused_with_the_reason_while_it_can_be_read() {
    let service = start(&[]).await;
    let get =
        |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
    for (what, request, status, told) in [
        ("20 KiB in one header", get("/livez", &format!("X: {}\r\n", "x".repeat(20 << 10))), 431, true),
        (
            "20 KiB in a token",
            get("/livez", &format!("Authorization: Bearer {}\r\n", "x".repeat(20 << 10))),
            431,
            true,
        ),
        (
            "90 headers of 250 bytes",
            get("/livez", &format!("X: {}\r\n", "x".repeat(250)).repeat(90)),
            431,
            true,
        ),
        (
            "20 KiB beside an order in memory",
            get(&format!("/order/{KNOWN}"), &format!("X: {}\r\n", "x".repeat(20 << 10))),
            431,
            true,
        ),
        ("150 headers", get("/livez", &"X: y\r\n".repeat(150)), 431, false),
        ("40 KiB", get("/livez", &format!("X: {}\r\n", "x".repeat(40 << 10))), 431, false),
        ("a path of 9 KiB", get(&format!("/{}", "x".repeat(9 << 10)), ""), 414, true),
        ("a query of 9 KiB", get(&format!("/order?order_uid=a&{}", "x".repeat(9 << 10)), ""), 414, true),
    ] {
        let said = ask(&service, request).await;
        assert_eq!(statuses(&said), [status], "{what}: {said}");
        assert_eq!(said.contains("application/problem+json"), told, "{what}: {said}");
    }
    // Megabytes: the answer may be lost with the connection, which is closed on what was not read.
    for (what, piece) in [("headers", "X: yyyyyyyyyyyyyyyy\r\n".repeat(1000)), ("a path", "x".repeat(20_000))]
    {
        let mut wire = Wire::to(&service).await;
        wire.send(if what == "a path" { "GET /" } else { "GET / HTTP/1.1\r\n" }).await;
        let said = wire.trickle(&piece, Duration::from_millis(1)).await;
        assert!(statuses(&said).iter().all(|status| [414, 431].contains(status)), "{what}: {said}");
    }
    assert_sound(&service).await;
}
