//! The page at `/` in a real browser, over a stand-in for GET /order that can hold any document and can be down.

mod document;
mod looks;
mod lookup;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::{Query, State},
    http::{
        StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use orderbox::http::page_routes;
use serde_json::{Value, json};

use crate::support::browser::{Browser, browse};

const ENTER: &str = "\u{e007}";
const TAB: &str = "\u{e004}";
const SPACE_BAR: &str = " ";

const SAMPLE: &str = "b563feb7b2b84b6test";

/// Answers GET /order as the service does.
#[derive(Debug, Default)]
struct Shop {
    documents: Mutex<HashMap<String, String>>,
    down: AtomicBool,
}

impl Shop {
    fn put(&self, uid: &str, document: impl Into<String>) {
        self.documents.lock().unwrap().insert(uid.to_owned(), document.into());
    }

    fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }
}

async fn answer(State(shop): State<Arc<Shop>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let uid = query.get("order_uid").map_or("", String::as_str);
    if uid.trim().is_empty() {
        return problem(StatusCode::BAD_REQUEST, "order_uid is blank").into_response();
    }
    if shop.down.load(Ordering::SeqCst) {
        let detail = "the store has been unreachable for 12 s";
        return ([(RETRY_AFTER, "1")], problem(StatusCode::SERVICE_UNAVAILABLE, detail)).into_response();
    }
    match shop.documents.lock().unwrap().get(uid) {
        Some(document) => ([(CONTENT_TYPE, "application/json")], document.clone()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no order has this uid").into_response(),
    }
}

fn problem(status: StatusCode, detail: &str) -> impl IntoResponse + use<> {
    let body = json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string())
}

/// The page in a browser, and what stands behind it.
struct Visit {
    base: String,
    shop: Arc<Shop>,
    browser: Browser,
}

impl Visit {
    async fn open(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base)).await;
    }

    /// Puts an order into the shop and opens it.
    async fn show(&self, document: &str) {
        self.shop.put("shown", document);
        self.open("/?order_uid=shown").await;
        self.browser.text("article.order").await;
    }

    async fn path(&self) -> String {
        let url = self.browser.client.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.base).unwrap().to_owned()
    }

    /// What stands next to `label` in the order, as it would be copied.
    async fn value(&self, label: &str) -> Value {
        let rows = "[...document.querySelectorAll('dl > div')]";
        let label = json!(label);
        self.browser
            .run(&format!(
                "return {rows}.find(row => row.children[0].textContent === {label})?.children[1].textContent"
            ))
            .await
    }
}

/// Runs `test` on a page of its own.
async fn visit(test: impl AsyncFnOnce(Visit)) {
    let shop = Arc::new(Shop::default());
    let router = page_routes().route("/order", get(answer)).with_state(Arc::clone(&shop));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::select! {
        stopped = async { axum::serve(listener, router).await } => panic!("the server stopped: {stopped:?}"),
        () = browse(async |browser| test(Visit { base, shop, browser }).await) => {}
    }
}

/// A sound order whose `items` and further members are given as JSON.
fn order(uid: &str, items: &str, more: &str) -> String {
    format!(
        r#"{{"order_uid":"{uid}","track_number":"TRACK-7","entry":"WEB","delivery":{{"name":"Алёна Щукина","phone":"+70000000001",
        "zip":101000,"city":"Тверь","address":"Набережная, 5","region":null,"email":"alyona@example.org"}},"payment":{{"transaction":"t-7",
        "request_id":"","currency":"RUB","provider":"pay","amount":1250,"payment_dt":1700000000,"bank":"first","delivery_cost":250,
        "goods_total":1000,"custom_fee":0}},"items":[{items}],"locale":"ru","customer_id":"c-7","delivery_service":"post",
        "date_created":"2023-11-14T22:13:20Z"{more}}}"#
    )
}

const LAMP: &str = r#"{"chrt_id":1,"track_number":"TRACK-7","price":1000,"rid":"r-1","name":"Лампа","sale":0,"size":"M",
    "total_price":1000,"nm_id":2,"brand":"Свет","status":202}"#;
