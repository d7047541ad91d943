//! Which order is shown, and what is said when there is none.

use fantoccini::Locator;
use serde_json::json;

use super::{ENTER, LAMP, SAMPLE, SPACE_BAR, TAB, order, visit};

#[tokio::test]
async fn typing_a_uid_and_enter_shows_the_order_under_a_link_of_its_own() {
    visit(async |page| {
        page.shop.put("a b&c=ü", order("a b&c=ü", LAMP, ""));
        page.open("/").await;
        page.browser.press(&format!("a b&c=ü{ENTER}")).await;
        assert_eq!(page.browser.text("article h2").await, "a b&c=ü");
        assert_eq!(page.path().await, "/?order_uid=a+b%26c%3D%C3%BC");
        assert_eq!(page.browser.client.title().await.unwrap(), "a b&c=ü · orderbox");
        assert_eq!(page.value("Name").await, "Алёна Щукина");
        assert_eq!(page.value("Postcode").await, "101000");
        assert_eq!(page.value("Amount").await, "1250 RUB");
        assert_eq!(page.value("Paid").await, "14 Nov 2023, 22:13:20 UTC 1700000000");
        assert_eq!(page.value("Created").await, "14 Nov 2023, 22:13:20 UTC 2023-11-14T22:13:20Z");
        assert_eq!(page.browser.text("tbody td.name > bdi").await, "Лампа");
        let said = page.browser.run("return document.getElementById('announce').textContent").await;
        assert_eq!(said, "Order a b&c=ü: 1 item");
    })
    .await;
}

#[tokio::test]
async fn a_shared_link_opens_its_order_and_back_and_forward_move_between_orders() {
    visit(async |page| {
        page.shop.put("one", order("one", LAMP, ""));
        page.shop.put("two", order("two", LAMP, ""));
        page.open("/?order_uid=one").await;
        assert_eq!(page.browser.text("article h2").await, "one");
        page.browser.run("document.getElementById('order_uid').select()").await;
        page.browser
            .client
            .find(Locator::Id("order_uid"))
            .await
            .unwrap()
            .send_keys(&format!("two{ENTER}"))
            .await
            .unwrap();
        page.browser.until("document.querySelector('article h2')?.textContent === 'two'").await;
        page.browser.client.back().await.unwrap();
        page.browser.until("document.querySelector('article h2')?.textContent === 'one'").await;
        page.browser.until("document.getElementById('order_uid').value === 'one'").await;
        page.browser.client.forward().await.unwrap();
        page.browser.until("document.querySelector('article h2')?.textContent === 'two'").await;
        assert_eq!(page.path().await, "/?order_uid=two");
    })
    .await;
}

#[tokio::test]
async fn the_first_visit_offers_the_sample_order() {
    visit(async |page| {
        page.shop.put(SAMPLE, order(SAMPLE, LAMP, ""));
        page.open("/").await;
        assert_eq!(
            page.browser.text("pre.command").await,
            format!("curl '{}/order?order_uid={SAMPLE}'", page.base)
        );
        let link = page.browser.client.find(Locator::LinkText(SAMPLE)).await.unwrap();
        link.click().await.unwrap();
        assert_eq!(page.browser.text("article h2").await, SAMPLE);
        assert_eq!(page.path().await, format!("/?order_uid={SAMPLE}"));
        page.browser.client.back().await.unwrap();
        page.browser.until("document.querySelector('pre.command')").await;
    })
    .await;
}

#[tokio::test]
async fn an_unknown_uid_is_not_found_and_a_stray_space_is_pointed_out() {
    visit(async |page| {
        page.shop.put("one", order("one", LAMP, ""));
        page.open("/?order_uid=none").await;
        assert_eq!(page.browser.text(".message h2").await, "No order with this uid");
        assert_eq!(page.browser.client.title().await.unwrap(), "Not found · orderbox");
        page.open("/?order_uid=one+").await;
        assert!(page.browser.text(".message").await.contains("A space stands before or after this uid."));
        page.browser
            .client
            .find(Locator::LinkText("Look up without it"))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
        assert_eq!(page.browser.text("article h2").await, "one");
    })
    .await;
}

#[tokio::test]
async fn a_refused_uid_says_why() {
    visit(async |page| {
        page.open("/?order_uid=%20").await;
        assert_eq!(page.browser.text(".message h2").await, "This is not an order uid");
        assert!(page.browser.text(".message").await.contains("order_uid is blank"));
    })
    .await;
}

#[tokio::test]
async fn an_outage_says_what_is_wrong_and_ends_by_itself() {
    visit(async |page| {
        page.shop.put("one", order("one", LAMP, ""));
        page.shop.down(true);
        page.open("/?order_uid=one").await;
        let said = page.browser.text(".message").await;
        assert!(said.contains("The order can't be read right now"), "{said}");
        assert!(said.contains("the store has been unreachable for 12 s"), "{said}");
        assert!(said.contains("The page tries again in"), "{said}");
        page.shop.down(false);
        assert_eq!(page.browser.text("article h2").await, "one");
    })
    .await;
}

#[tokio::test]
async fn the_focus_stays_on_try_now_however_often_it_fails() {
    visit(async |page| {
        page.shop.down(true);
        page.open("/?order_uid=one").await;
        page.browser.text(".message button").await;
        page.browser.run("document.querySelector('.message button').focus()").await;
        page.browser.press(SPACE_BAR).await;
        page.browser.until("document.querySelector('.message').innerText.includes('(attempt 4)')").await;
        assert_eq!(page.browser.run("return document.activeElement.textContent").await, "Try now");
        page.shop.put("one", order("one", LAMP, ""));
        page.shop.down(false);
        page.browser.press(SPACE_BAR).await;
        page.browser.text("article.order").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_half_typed_outlives_a_change_of_the_language() {
    visit(async |page| {
        page.open("/").await;
        page.browser.press("half").await;
        page.click("#language").await;
        page.until_text(".flow h2", "Поток").await;
        assert_eq!(page.browser.run("return document.getElementById('order_uid').value").await, "half");
        page.click("#to_desk").await;
        page.browser.until("document.getElementById('order_uid').value === ''").await;
    })
    .await;
}

#[tokio::test]
async fn a_browser_that_lacks_something_is_told_what() {
    visit(async |page| {
        let source = json!({ "source": "delete Map.groupBy" });
        page.browser.devtools("Page.addScriptToEvaluateOnNewDocument", source).await;
        page.open("/").await;
        page.until_text(".message h2", "This browser is too old for this page").await;
        assert!(page.browser.text(".message p").await.contains("It lacks Map.groupBy."));
    })
    .await;
}

#[tokio::test]
async fn a_dead_network_is_said_and_the_page_goes_on_when_it_is_back() {
    visit(async |page| {
        page.shop.put("one", order("one", LAMP, ""));
        page.open("/").await;
        let network = |offline: bool| json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        page.browser.devtools("Network.emulateNetworkConditions", network(true)).await;
        page.browser.press(&format!("one{ENTER}")).await;
        assert!(page.browser.text(".message").await.contains("orderbox does not answer"));
        page.browser.devtools("Network.emulateNetworkConditions", network(false)).await;
        assert_eq!(page.browser.text("article h2").await, "one");
    })
    .await;
}

#[tokio::test]
async fn the_keyboard_alone_is_enough() {
    visit(async |page| {
        page.shop.put("one", order("one", LAMP, ""));
        page.open("/?order_uid=one").await;
        page.browser.text("article.order").await;
        let mut stops = Vec::new();
        for _ in 0..10 {
            page.browser.press(TAB).await;
            let stop = "const at = document.activeElement;
                return (at.labels?.[0] ?? at).textContent.trim().slice(0, 24) + (at.matches(':focus-visible') && getComputedStyle(at).outlineStyle === 'solid' ? '' : ': unseen')";
            stops.push(page.browser.run(stop).await.as_str().unwrap().to_owned());
        }
        assert_eq!(stops[..8], ["orderbox", "Order uid", "Look up", "Live flow", "Dead letters", "Русский", "Copy link", "Open as JSON"]);
        assert!(stops[9].starts_with("JSON, "), "{stops:?}");
        assert!(stops.iter().all(|stop| !stop.contains("unseen")), "{stops:?}");
        // `/` is typed into nothing: it brings the cursor to the uid and selects what is there.
        page.browser.press("/").await;
        page.browser.until("document.activeElement.id === 'order_uid'").await;
        page.browser.press(&format!("none{ENTER}")).await;
        assert_eq!(page.browser.text(".message h2").await, "No order with this uid");
        // What had the focus is gone after the retry; the focus stays with the result and is not thrown to the top.
        page.tab_to("Try again").await;
        page.shop.put("none", order("none", LAMP, ""));
        page.browser.press(SPACE_BAR).await;
        page.browser.text("article.order").await;
        page.browser.until("document.activeElement.id === 'result'").await;
    })
    .await;
}

#[tokio::test]
async fn without_javascript_the_page_says_how_to_read_an_order_and_its_form_can() {
    visit(async |page| {
        page.shop.put("one", order("one", LAMP, ""));
        page.browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        page.open("/").await;
        assert!(page.browser.text("noscript .command").await.starts_with("curl '"));
        let client = &page.browser.client;
        client.find(Locator::Id("order_uid")).await.unwrap().send_keys("one").await.unwrap();
        client.find(Locator::Css("[formaction]")).await.unwrap().click().await.unwrap();
        assert!(page.browser.text("body > pre").await.contains("Алёна Щукина"));
        assert_eq!(page.path().await, "/order?order_uid=one");
    })
    .await;
}
