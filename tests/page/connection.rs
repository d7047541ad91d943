//! The stream behind the live flow: lost, silent, refused, told to stop.

use serde_json::json;

use super::{
    flow::{failing, flow},
    visit,
};
use crate::support::stan_server::eventually;

#[tokio::test]
async fn a_lost_connection_is_said_and_made_again() {
    visit(async |page| {
        page.open("/").await;
        page.tell("flow", flow(0, 10, 9, 0)).await;
        page.tell("flow", flow(1, 20, 18, 0)).await;
        page.figure("received", "10 /s").await;
        page.until_text(".times span:last-child", "now").await;
        page.shop.down(true);
        page.shop.cut();
        page.browser.until("/^Connection lost, next try in [0-9]+ s$/.test(document.querySelector('.state').innerText)").await;
        // The last numbers stay, and none of them passes for one of now.
        page.figure("received", "—").await;
        page.figure("pending", "2").await;
        page.until_text(".times", "1 min earlier at 00:00:01 UTC").await;
        let words = page.browser.run("return document.querySelector('.plot svg').getAttribute('aria-label')").await;
        assert!(words.as_str().unwrap().contains("Received: at 00:00:01 UTC 10,"), "{words}");
        let ink = "return getComputedStyle(document.querySelector('.pending .figure')).color";
        let dimmed = page.browser.run(ink).await;
        let announced = page.browser.run("return document.getElementById('announce').textContent").await;
        assert_eq!(announced, "Connection lost");
        // What the service says is passed on, and the wait is longer with every try in vain.
        page.browser.until("document.querySelector('.state').innerText.startsWith('No connection: the store has been unreachable for 12 s; next')").await;
        page.browser.until("document.querySelector('.state').innerText.endsWith('next try in 4 s')").await;
        page.shop.down(false);
        page.until_text(".state", "Live, the store answers").await;
        page.tell("flow", flow(2, 40, 40, 0)).await;
        page.figure("received", "20 /s").await;
        page.until_text(".times span:last-child", "now").await;
        assert_ne!(page.browser.run(ink).await, dimmed);
    })
    .await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_given_up_after_ten_seconds() {
    visit(async |page| {
        page.open("/").await;
        page.tell("flow", flow(0, 10, 10, 0)).await;
        page.until_text(".state", "Live, the store answers").await;
        page.browser.until("document.querySelector('.state').innerText.startsWith('Connection lost')").await;
        eventually("the stream ends", || async { page.shop.listening() == 0 }).await;
        page.until_text(".state", "Live, the store answers").await;
    })
    .await;
}

#[tokio::test]
async fn the_store_and_the_rest_of_the_service_are_told_apart() {
    visit(async |page| {
        page.open("/").await;
        let mut event = flow(0, 10, 9, 0);
        event["status"] = json!("failing");
        page.tell("flow", event).await;
        page.until_text(".state", "Live; a part of the service is failing: which one").await;
        page.figure("pending", "1").await;
        let link = page.browser.run("return document.querySelector('.state a').href").await;
        assert_eq!(link, format!("{}/healthz", page.base));
        let mut event = failing(1);
        event["status"] = json!("ok");
        page.tell("flow", event).await;
        page.until_text(".state", "The store does not answer: its numbers are unknown").await;
        page.figure("pending", "unknown").await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_asked_while_the_page_is_hidden_or_shows_something_else() {
    visit(async |page| {
        page.open("/").await;
        page.tell("flow", flow(0, 10, 10, 0)).await;
        page.until_text(".state", "Live, the store answers").await;
        let client = &page.browser.client;
        let ours = client.window().await.unwrap();
        let other = client.new_window(true).await.unwrap();
        client.switch_to_window(other.handle).await.unwrap();
        page.browser.devtools("Page.bringToFront", json!({})).await;
        // Events go on, so that it is not silence that ends the stream.
        let ended = || async {
            page.shop.tell("flow", flow(1, 20, 20, 0));
            page.shop.listening() == 0
        };
        eventually("the stream ends", ended).await;
        page.shop.tell("flow", flow(4, 50, 50, 0));
        client.close_window().await.unwrap();
        client.switch_to_window(ours).await.unwrap();
        page.browser.devtools("Page.bringToFront", json!({})).await;
        page.until_text(".received .quiet", "50 in all").await;
        page.tell("flow", flow(5, 90, 90, 0)).await;
        page.figure("received", "40 /s").await;
        page.click("#to_desk").await;
        page.browser.text(".locked").await;
        eventually("the stream ends", || async { page.shop.listening() == 0 }).await;
    })
    .await;
}
