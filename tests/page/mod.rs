//! The page at `/` in a real browser, over a stand-in for the service; `service` has the service itself.

mod accessible;
mod bulk;
mod connection;
mod desk;
mod document;
mod flow;
mod language;
mod letter;
mod looks;
mod lookup;
mod mend;
mod pictures;
mod service;
mod shop;
mod token;

use std::sync::Arc;

use serde_json::{Value, json};

use self::shop::{Shop, TOKEN};
use crate::support::browser::{Browser, browse};

const ENTER: &str = "\u{e007}";
const TAB: &str = "\u{e004}";
const SPACE_BAR: &str = " ";

/// By how much the page is wider than its window.
const TOO_WIDE: &str = "const root = document.documentElement; return root.scrollWidth - root.clientWidth";

const SAMPLE: &str = "b563feb7b2b84b6test";

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

    /// Opens the page with the admin token, as the link that the service prints does.
    async fn sign_in(&self) {
        self.open(&format!("/#token={TOKEN}")).await;
        self.browser.until("sessionStorage.getItem('orderbox.token') !== null").await;
    }

    /// Waits until an element that matches `css` shows `text`, white space aside.
    async fn until_text(&self, css: &str, text: &str) {
        let (css, text) = (json!(css), json!(text));
        self.browser
            .until(&format!(
                "document.querySelector({css})?.innerText.replace(/\\s+/g, ' ').trim() === {text}"
            ))
            .await;
    }

    /// The texts of all elements that match `css`, as they would be copied.
    async fn texts(&self, css: &str) -> Value {
        self.browser
            .run(&format!(
                "return [...document.querySelectorAll({})].map(element => element.textContent)",
                json!(css)
            ))
            .await
    }

    async fn click(&self, css: &str) {
        self.browser.text(css).await;
        self.browser.client.find(fantoccini::Locator::Css(css)).await.unwrap().click().await.unwrap();
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
    let shop = Arc::new(Shop::new());
    let router = shop.routes();
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
