use super::{ADMIN, PUBLISH, start};
use crate::support::{client::Answer, database::Database, orderbox::Orderbox};

/// Each route of the document that is for administrators, as an address.
async fn admin_routes(service: &Orderbox) -> Vec<String> {
    let document = service.client().get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().filter(|(_, item)| {
        item["get"]["security"]
            .as_array()
            .is_some_and(|right| *right == [serde_json::json!({"admin_token": []})])
    });
    routes.map(|(path, _)| path.replace("{order_uid}", "a").replace("{id}", "1")).collect()
}

fn assert_challenged(answer: &Answer, path: &str) -> String {
    assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"orderbox\"", "{path}");
    assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
    answer.json()["detail"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_for_administrators_needs_their_token_and_no_other() {
    let service = start(&Database::sqlite().unwrap()).await;
    let routes = admin_routes(&service).await;
    assert_eq!(
        routes,
        ["/api/dead-letters", "/api/dead-letters/1", "/api/orders/recent", "/api/orders/a/history"]
    );
    for path in &routes {
        assert_challenged(&service.client().get(path).await, path);
        for token in [PUBLISH, "", "the-token-of-an-administrato"] {
            let detail = assert_challenged(&service.client().get_as(token, path).await, path);
            assert!(detail.contains("ADMIN_TOKEN"), "{detail}");
        }
        // The right comes first: who lacks it does not learn what a route would have said.
        assert_challenged(&service.client().get(&format!("{path}?unknown=1")).await, path);
        let seen = service.client().get_as(ADMIN, path).await;
        assert!(seen.status == 200 || seen.status == 404, "{path}: {}", seen.text());
    }
    let others = ["/api/status", "/healthz", "/readyz", "/livez", "/metrics", "/openapi.json", "/"];
    for path in others {
        assert_eq!(service.client().get(path).await.status, 200, "{path} is for everyone");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_and_a_terminal_nobody_is_an_administrator_and_this_machine_may_publish() {
    let service = Orderbox::start(&[]).await;
    for path in admin_routes(&service).await {
        for token in ["", "0", "undefined"] {
            let detail = assert_challenged(&service.client().get_as(token, &path).await, &path);
            assert!(detail.contains("ADMIN_TOKEN, which is not set"), "{detail}");
        }
    }
    assert_eq!(service.client().post("/order", "x").await.status, 202);
    let log = service.log();
    assert!(log.contains("ADMIN_TOKEN is not set"), "{log}");
    assert!(!log.contains("#token="), "{log}");
}
