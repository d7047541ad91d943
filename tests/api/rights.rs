use axum::http::Method;
use serde_json::Value;

use super::{ADMIN, PUBLISH, order, publish, see, start};
use crate::support::{
    client::Answer,
    database::Database,
    orderbox::Orderbox,
    wire::{ask, statuses},
};

/// Each operation of the document that is for administrators, as a method and an address.
async fn admin_routes(service: &Orderbox) -> Vec<(Method, String)> {
    let document = service.client().get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (method, path, operation))
    });
    let routes = operations.filter(|(.., operation)| {
        let right = operation["security"].as_array();
        right.is_some_and(|right| *right == [serde_json::json!({"admin_token": []})])
    });
    let route = |(method, path, _): (&String, &String, _)| {
        let method = method.to_uppercase().parse().unwrap();
        (method, path.replace("{order_uid}", "a").replace("{id}", "1"))
    };
    routes.map(route).collect()
}

/// Every other operation of the document.
async fn open_routes(service: &Orderbox) -> Vec<String> {
    let document = service.client().get("/openapi.json").await.json();
    let admin = serde_json::json!([{"admin_token": []}]);
    let operations = document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (method, path, operation))
    });
    operations
        .filter(|(.., operation)| operation["security"] != admin)
        .map(|(method, path, _)| format!("{} {path}", method.to_uppercase()))
        .collect()
}

fn assert_challenged(answer: &Answer, path: &str) -> String {
    assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"orderbox\"", "{path}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_administrators_needs_their_token_and_no_other() {
    let database = Database::sqlite().unwrap();
    let service = start(&database).await;
    let routes = admin_routes(&service).await;
    let names: Vec<String> = routes.iter().map(|(method, path)| format!("{method} {path}")).collect();
    assert_eq!(
        names,
        [
            "GET /api/dead-letters",
            "POST /api/dead-letters/discard",
            "POST /api/dead-letters/replay",
            "GET /api/dead-letters/selection",
            "DELETE /api/dead-letters/1",
            "GET /api/dead-letters/1",
            "POST /api/dead-letters/1/replay",
            "GET /api/orders/recent",
            "GET /api/orders/a/history"
        ]
    );
    let client = service.client();
    for (method, path) in &routes {
        assert_challenged(&client.send_as(None, method, path, "").await, path);
        for token in [PUBLISH, "", "the-token-of-an-administrato"] {
            let detail = assert_challenged(&client.send_as(Some(token), method, path, "").await, path);
            assert!(detail.contains("ADMIN_TOKEN"), "{detail}");
        }
        // The right comes first: who lacks it does not learn what a route would have said.
        assert_challenged(&client.send_as(None, method, &format!("{path}?unknown=1"), "").await, path);
        let seen = client.send_as(Some(ADMIN), method, path, "").await;
        assert!([200, 400, 404].contains(&seen.status.as_u16()), "{method} {path}: {}", seen.text());
    }
    let others = ["/api/status", "/healthz", "/readyz", "/livez", "/metrics", "/openapi.json", "/"];
    for path in others {
        assert_eq!(service.client().get(path).await.status, 200, "{path} is for everyone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_administrator_may_do_is_refused_to_others_on_the_head_alone_and_nothing_is_done() {
    let database = Database::sqlite().unwrap();
    let service = start(&database).await;
    publish(&service, &[b"no order", &order("a", 1)]).await;
    let before = everything(&service, &database).await;
    let (admin, open) = (admin_routes(&service).await, open_routes(&service).await);
    // Whatever is added is for administrators unless it is added here.
    assert_eq!(
        open,
        [
            "GET /api/events",
            "GET /api/status",
            "GET /healthz",
            "GET /livez",
            "GET /metrics",
            "GET /openapi.json",
            "GET /order",
            "POST /order",
            "GET /order/{order_uid}",
            "GET /readyz",
        ]
    );
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    let once = bearer(ADMIN);
    for (method, path) in &admin {
        let line = format!("{method} {path}");
        for (what, header) in [
            ("no token", String::new()),
            ("that of a publisher", bearer(PUBLISH)),
            ("one that begins like it", bearer(&format!("{ADMIN}x"))),
            ("its beginning", bearer(ADMIN.trim_end_matches('r'))),
            ("in other letters", bearer(&ADMIN.to_uppercase())),
            ("a long one", bearer(&ADMIN.repeat(400))),
            ("twice", once.repeat(2)),
            ("of another scheme", once.replace("Bearer", "Basic")),
            ("without a scheme", once.replace("Bearer ", "")),
            ("in a cookie", format!("Cookie: token={ADMIN}\r\n")),
        ] {
            // The body that a POST or a DELETE announces never comes.
            let length = if *method == Method::GET { "" } else { "Content-Length: 9\r\n" };
            let said =
                ask(&service, format!("{line} HTTP/1.1\r\nConnection: close\r\n{length}{header}\r\n")).await;
            assert_eq!(statuses(&said), [401], "{line}, {what}: {said}");
        }
        let in_query =
            format!("{line}?token={ADMIN}&access_token={ADMIN} HTTP/1.1\r\nConnection: close\r\n\r\n");
        assert_eq!(
            statuses(&ask(&service, in_query).await),
            [401],
            "{line}: an address is no place for a token"
        );
    }
    assert_eq!(everything(&service, &database).await, before);
}

/// What an operation could have changed.
async fn everything(service: &Orderbox, database: &Database) -> (Value, i64) {
    let received = "SELECT CAST(sum(messages) AS BIGINT) FROM ledger WHERE outcome = 'received'";
    (see(service, "/api/dead-letters/1").await.json(), database.number(received).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_and_a_terminal_nobody_is_an_administrator_and_this_machine_may_publish() {
    let service = Orderbox::start(&[]).await;
    for (method, path) in admin_routes(&service).await {
        for token in ["", "0", "undefined"] {
            let answer = service.client().send_as(Some(token), &method, &path, "").await;
            let detail = assert_challenged(&answer, &path);
            assert!(detail.contains("ADMIN_TOKEN, which is not set"), "{detail}");
        }
    }
    assert_eq!(service.client().post("/order", "x").await.status, 202);
    let log = service.log();
    assert!(log.contains("ADMIN_TOKEN is not set"), "{log}");
    assert!(!log.contains("#token="), "{log}");
}
