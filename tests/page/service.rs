//! The page over the service itself.

use std::sync::Arc;

use serde_json::json;

use super::{SAMPLE, Shop, TOKEN, Visit};
use crate::support::{browser::browse, orderbox::Orderbox};

const MODEL: &str = include_str!("../../src/sample/model.json");

/// Runs `test` on the page of a service that is started for it.
async fn serve(test: impl AsyncFnOnce(Visit, Orderbox)) {
    let service = Orderbox::start(&[("ADMIN_TOKEN", TOKEN)]).await;
    let (host, port) = service.address();
    let base = format!("http://{host}:{port}");
    browse(async |browser| {
        // The shop has nothing to do here.
        test(Visit { base, shop: Arc::new(Shop::new()), browser }, service).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_seen_to_flow_and_what_was_refused_is_marked() {
    serve(async |page, mut service| {
        page.sign_in().await;
        page.until_text(".state", "Live, the store answers").await;
        page.until_text(".newest li a", "b563feb7b2b84b6test").await;
        service.ok(&["publish", "--count", "200", "--broken", "0.2", "--seed", "7"]);
        page.until_text(".received .quiet", "201 in all").await;
        page.until_text(".lag .figure", "—").await;
        page.browser.until("document.querySelector('.plot .received').getAttribute('d') !== ''").await;
        page.browser.until("document.querySelectorAll('.newest li').length === 20").await;
        page.click(".newest li a").await;
        page.browser.text("article.order").await;

        page.click("#to_desk").await;
        page.browser.text(".letters").await;
        let ids = page.browser.run("return [...document.querySelectorAll('[data-letter]')].map(link => Number(link.dataset.letter))").await;
        let ids = ids.as_array().unwrap();
        assert!(ids.len() >= 30, "{ids:?}");
        for id in ids {
            page.open(&format!("/?dead_letter={id}")).await;
            page.browser.text(".errors li").await;
            // Whatever the generator broke, its place is found, but for messages that have no place.
            let unmarked = page
                .browser
                .run(
                    "return [...document.querySelectorAll('.errors li')].filter(row => row.querySelector('button') === null)
                        .map(row => row.querySelector('strong + .code').textContent)
                        .filter(code => !['empty', 'too_large', 'refused_by_store'].includes(code))",
                )
                .await;
            assert_eq!(unmarked, json!([]), "dead letter {id}");
        }
        assert_eq!(page.browser.console().await, Vec::<String>::new());

        page.open("/").await;
        page.until_text(".state", "Live, the store answers").await;
        service.kill();
        page.browser.until("document.querySelector('.state').innerText.startsWith('Connection lost')").await;
        service.restart().await;
        page.until_text(".state", "Live, the store answers").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn edit_and_replay_a_dead_letter_becomes_an_order_and_its_lineage_shows_both() {
    serve(async |page, service| {
        let broken = MODEL.replace(SAMPLE, "mended-on-the-page").replace("\"price\": 453", "\"price\": \"453\"");
        std::fs::write(service.folder().join("broken.json"), &broken).unwrap();
        service.ok(&["publish", "broken.json"]);
        page.sign_in().await;
        page.click("#to_desk").await;
        page.click("[data-letter]").await;
        page.until_text(".letter h2", "Dead letter 1 Open").await;
        // Still broken: it comes back as a dead letter of its own, whose parent is the first.
        page.press_button("Edit and replay").await;
        let edit = |from: &str, to: &str| {
            format!("const field = document.getElementById('edit'); field.value = field.value.replace({}, {}); field.dispatchEvent(new Event('input'))", json!(from), json!(to))
        };
        page.browser.run(&edit("\"453\"", "true")).await;
        page.press_button("Replay this text").await;
        page.until_text(".history li:last-child", "It was rejected again: Dead letter 2").await;
        page.until_text(".letter h2", "Dead letter 1 Replayed").await;
        page.click(".became a").await;
        page.until_text(".letter h2", "Dead letter 2 Open").await;
        page.until_text(".history li:first-child a", "Dead letter 1").await;
        page.press_button("Edit and replay").await;
        page.browser.run(&edit("true", "453")).await;
        page.press_button("Replay this text").await;
        page.until_text(".history li:last-child", "It became the order mended-on-the-page").await;
        let history = page.browser.text(".history").await;
        assert!(history.contains("It is a replay of Dead letter 1") && history.contains("Replayed, edited, by token:"), "{history}");
        // The original stays untouched.
        assert_eq!(page.browser.run("return document.querySelector('.source').textContent").await, broken.replace("\"453\"", "true"));
        page.click(".became a").await;
        page.until_text("article.order h2", "mended-on-the-page").await;
        assert_eq!(page.browser.console().await, Vec::<String>::new());
        service.ok(&["audit"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bulk_empties_the_desk_of_a_reason_and_leaves_the_rest() {
    serve(async |page, service| {
        service.ok(&["publish", "--count", "300", "--broken", "0.3", "--seed", "7"]);
        page.sign_in().await;
        page.open("/?dead_letters=not_json").await;
        page.press_button("Replay or discard all that match…").await;
        page.browser.until("/^[0-9]+ match. 0 of [0-9]+ would pass now.$/.test(document.querySelector('.bulk > p')?.innerText)").await;
        page.click(".bulk button:nth-of-type(2)").await;
        page.click("dialog [type=submit]").await;
        page.browser.until("/^Done: ([0-9]+) of \\1 discarded.$/.test(document.querySelector('.bulk > p')?.innerText)").await;
        page.until_text(".none", "None found.").await;
        page.click(".filters li:first-child a").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length > 10").await;
        assert_eq!(page.browser.console().await, Vec::<String>::new());
        service.ok(&["audit"]);
    })
    .await;
}
