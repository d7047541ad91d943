use super::{KNOWN, assert_sound, start};
use crate::support::wire::{ask, statuses};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_odd_address_finds_what_it_names_or_nothing() {
    let service = start(&[]).await;
    for (line, status) in [
        (format!("GET /order/{KNOWN}"), 200),
        (format!("GET /order/{KNOWN}?order_uid=other"), 200),
        (format!("GET http://other.example/order/{KNOWN}"), 200),
        (format!("GET /order/{KNOWN}%00"), 400),
        ("GET /order/%0d%0aSet-Cookie:x".to_owned(), 400),
        ("GET /order/%FF%FE".to_owned(), 400),
        ("GET /order?order_uid=%C0%AE".to_owned(), 400),
        (format!("GET /order?order_uid={KNOWN}&order_uid={KNOWN}"), 400),
        ("GET /order?order_uid[]=a".to_owned(), 400),
        (format!("GET /order?order_uid={}", "a".repeat(256)), 400),
        ("GET /order/..%2F..%2Fetc%2Fpasswd".to_owned(), 404),
        ("GET /order/'%20OR%201=1--".to_owned(), 404),
        (format!("GET /order/{KNOWN}/"), 404),
        (format!("GET //order/{KNOWN}"), 404),
        (format!("GET /%6Frder/{KNOWN}"), 404),
        ("GET /../../etc/passwd".to_owned(), 404),
        ("GET /assets/..%2F..%2FCargo.toml".to_owned(), 404),
        (format!("GET /ORDER/{KNOWN}"), 404),
        (format!("DELETE /order/{KNOWN}"), 405),
        (format!("TRACE /order/{KNOWN}"), 405),
        (format!("get /order/{KNOWN}"), 405),
        ("OPTIONS *".to_owned(), 404),
        ("CONNECT other.example:443".to_owned(), 404),
        ("GET *".to_owned(), 404),
        ("GET order".to_owned(), 404),
        ("GET /order/a b".to_owned(), 400),
        ("GET".to_owned(), 400),
        ("G\0T /".to_owned(), 400),
    ] {
        let said =
            ask(&service, format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(statuses(&said), [status], "{line}: {said}");
        assert!(!said.contains("Set-Cookie"), "{line}: {said}");
    }
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_http_1_is_answered_or_refused_at_once() {
    let service = start(&[]).await;
    let order = format!("GET /order/{KNOWN}");
    for (what, sent, expected) in [
        ("HTTP/1.0", format!("{order} HTTP/1.0\r\n\r\n"), 200),
        ("HTTP/0.9", format!("{order}\r\n\r\n"), 400),
        ("HTTP/3", format!("{order} HTTP/3.0\r\n\r\n"), 400),
        ("a word", "HELLO localhost\r\n\r\n".to_owned(), 400),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\r\n\r\n".to_owned(), 400),
        ("a folded header", format!("{order} HTTP/1.1\r\nX: a\r\n b: c\r\n\r\n"), 400),
        ("a header without a name", format!("{order} HTTP/1.1\r\n: x\r\n\r\n"), 400),
        ("a space before the colon", format!("{order} HTTP/1.1\r\nHost : localhost\r\n\r\n"), 400),
        ("a NUL in a header", format!("{order} HTTP/1.1\r\nX: a\0b\r\n\r\n"), 400),
    ] {
        let said = ask(&service, sent).await;
        assert_eq!(statuses(&said), [expected], "{what}: {said}");
    }
    let said = ask(&service, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(statuses(&said).iter().all(|status| *status == 400), "HTTP/2: {said}");
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_their_order() {
    let service = start(&[]).await;
    let pair = format!("GET /order/{KNOWN} HTTP/1.1\r\n\r\nGET /order/unknown HTTP/1.1\r\n\r\n");
    let said = ask(&service, pair.repeat(500) + "GET /order HTTP/1.1\r\nConnection: close\r\n\r\n").await;
    let mut expected = [200, 404].repeat(500);
    expected.push(400);
    assert_eq!(statuses(&said), expected);
    assert_sound(&service).await;
}
