//! The page over the service itself.

use std::sync::Arc;

use serde_json::json;

use super::{Shop, TOKEN, Visit};
use crate::support::{browser::browse, orderbox::Orderbox};

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
