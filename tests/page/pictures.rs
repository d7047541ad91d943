//! The pictures that the README shows: `make screenshots`.

use std::path::PathBuf;

use super::{Shop, TOKEN, Visit};
use crate::support::{browser::browse, orderbox::Orderbox};

const MODEL: &str = include_str!("../../src/sample/model.json");

/// The folder that `make screenshots` names, or one that is thrown away.
fn folder() -> (PathBuf, Option<tempfile::TempDir>) {
    match std::env::var_os("ORDERBOX_PICTURES") {
        Some(named) => (PathBuf::from(named), None),
        None => {
            let thrown_away = tempfile::tempdir().unwrap();
            (thrown_away.path().to_owned(), Some(thrown_away))
        }
    }
}

#[ignore = "long: takes the pictures of the README from a service under load"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pictures_of_the_readme_can_be_taken() {
    let (folder, _thrown_away) = folder();
    std::fs::create_dir_all(&folder).unwrap();
    let service = Orderbox::start(&[("ADMIN_TOKEN", TOKEN)]).await;
    let (host, port) = service.address();
    let base = format!("http://{host}:{port}");
    browse(async |browser| {
        let page = Visit { base, shop: std::sync::Arc::new(Shop::new()), browser };
        let take =
            async |name: &str| std::fs::write(folder.join(name), page.browser.picture().await).unwrap();
        let load: Vec<_> = [("120", "7", "0.04"), ("60", "8", "0.1"), ("180", "9", "0.02")]
            .iter()
            .map(|(rate, seed, broken)| {
                let count = (rate.parse::<u32>().unwrap() * 60).to_string();
                service.spawn(
                    seed,
                    &["publish", "--count", &count, "--rate", rate, "--broken", broken, "--seed", seed],
                )
            })
            .collect();
        page.browser.size(1280, 900).await;
        page.sign_in().await;
        page.browser.devtools("Emulation.setScrollbarsHidden", serde_json::json!({ "hidden": true })).await;
        // So many seconds of the minute that the chart begins with: enough of a line to see.
        page.browser.until("document.querySelectorAll('.newest li').length === 20").await;
        let long_enough =
            "document.querySelector('.plot .received').getAttribute('d').split('L').length > 40";
        let waited = tokio::time::timeout(std::time::Duration::from_secs(90), async {
            while page.browser.run(&format!("return {long_enough}")).await != true {
                tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            }
        });
        waited.await.expect("the chart fills");
        page.browser.run("document.activeElement.blur()").await;
        take("flow.png").await;
        page.browser.size(390, 844).await;
        take("phone.png").await;
        drop(load);
        // The sample with several faults of a hasty publisher, as people would write it.
        let faulty = MODEL
            .replace("\"delivery_cost\": 1500", "\"delivery_cost\": -1500")
            .replace("\"price\": 453", "\"price\": \"453\"")
            .replace("  \"track_number\": \"WBILMTESTTRACK\",\n  \"entry\"", "  \"entry\"")
            .replace("2021-11-26T06:22:19Z", "26.11.2021");
        std::fs::write(service.folder().join("faulty.json"), faulty).unwrap();
        service.ok(&["publish", "faulty.json"]);

        page.browser.size(1280, 900).await;
        page.open("/?order_uid=b563feb7b2b84b6test").await;
        page.browser.text("article.order").await;
        take("order.png").await;
        page.browser.color_scheme("dark").await;
        page.open("/?dead_letters=invalid_fields").await;
        page.browser.text(".letters").await;
        page.browser.until("document.querySelector('.letters li').innerText.includes('and 3 more')").await;
        page.click("[data-letter]").await;
        page.browser.text(".source mark").await;
        take("dead-letter.png").await;
    })
    .await;
}
