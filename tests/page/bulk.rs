//! All dead letters of a filter at once.

use serde_json::json;

use super::{ENTER, TOKEN, Visit, shop::Mishap, visit};

impl Visit {
    async fn offer(&self, counted: &str) {
        self.press_button("Replay or discard all that match…").await;
        self.until_text(".bulk > p", counted).await;
    }

    /// Answers the dialog once it asks this.
    async fn confirm(&self, title: &str) {
        self.until_text("dialog h2", title).await;
        self.click("dialog [type=submit]").await;
    }

    fn seven_letters(&self) {
        for id in 1..=7 {
            self.shop.refuse(b"{", if id == 4 { "empty" } else { "not_json" }, &[]);
            self.shop.amend(id, json!({ "passes": id % 2 == 0 }));
        }
    }
}

#[tokio::test]
async fn a_bulk_counts_before_it_asks_stops_when_told_and_goes_on_where_it_stopped() {
    visit(async |page| {
        page.seven_letters();
        page.open_desk().await;
        page.click(".filters li:nth-child(2) a").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 6").await;
        page.offer("6 match. 2 of 6 would pass now.").await;
        page.press_button("Replay all 6").await;
        page.until_text("dialog h2", "Replay 6 dead letters?").await;
        assert!(page.browser.text("dialog").await.contains("Only: Not JSON."));
        assert_eq!(page.browser.run("return document.activeElement.textContent").await, "Cancel");
        page.browser.press(ENTER).await;
        page.browser.until("document.querySelector('dialog') === null").await;
        page.shop.room(3);
        // What arrives after the count is not of the set.
        page.shop.refuse(b"{", "not_json", &[]);
        page.press_button("Replay all 6").await;
        page.confirm("Replay 6 dead letters?").await;
        page.browser.until("/^At work: 3 of 6 replayed. Goes on in [0-9] s.$/.test(document.querySelector('.bulk > p').innerText)").await;
        assert_eq!(page.browser.run("return document.querySelector('progress').value").await, 3);
        page.press_button("Stop").await;
        page.until_text(".bulk > p", "Stopped: 3 of 6 replayed.").await;
        // It outlives the view and a change of the language.
        page.browser.until("document.querySelectorAll('[data-letter]').length === 4").await;
        page.click("#to_home").await;
        page.browser.text(".flow").await;
        page.click("#to_desk").await;
        page.click("#language").await;
        page.until_text(".bulk > p", "Остановлено: отправлено 3 из 6.").await;
        page.click("#language").await;
        page.until_text(".bulk > p", "Stopped: 3 of 6 replayed.").await;
        page.shop.room(100);
        page.press_button("Go on").await;
        page.until_text(".bulk > p", "Done: 6 of 6 replayed. What is rejected again comes back as a new dead letter.").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 2").await;
        let sent = page.shop.sent();
        let set = r#"POST replay {"filter":{"reason":"not_json"},"up_to":7"#;
        assert_eq!(sent[0], format!("{set}}}"));
        assert!(sent[1..].iter().all(|request| *request == format!("{set},\"after\":3}}")), "{sent:?}");
        page.press_button("Close").await;
        page.browser.until("document.activeElement.textContent === 'Replay or discard all that match…'").await;
    })
    .await;
}

#[tokio::test]
async fn only_those_that_would_pass_are_replayed_and_the_rest_discarded_with_a_note() {
    visit(async |page| {
        page.seven_letters();
        page.open_desk().await;
        page.offer("7 match. 3 of 7 would pass now.").await;
        page.press_button("Replay the 3 that would pass").await;
        page.confirm("Replay, of 7 dead letters, those that would pass?").await;
        let done = "Done: 3 of 7 replayed, 4 passed over";
        page.browser
            .until(&format!("document.querySelector('.bulk > p').innerText.startsWith('{done}')"))
            .await;
        page.press_button("Close").await;
        page.offer("4 match. 0 of 4 would pass now.").await;
        assert_eq!(page.texts(".bulk button").await, json!(["Replay all 4", "Discard all 4…", "Do nothing"]));
        page.press_button("Discard all 4…").await;
        page.until_text("dialog h2", "Discard 4 dead letters?").await;
        assert!(page.browser.text("dialog").await.contains("All that are open, whatever the reason."));
        page.browser.press("noise").await;
        page.confirm("Discard 4 dead letters?").await;
        page.until_text(".bulk > p", "Done: 4 of 4 discarded.").await;
        page.until_text(".none", "None is open: everything that came was accepted or dealt with.").await;
        let last = page.shop.sent().pop().unwrap();
        assert_eq!(last, r#"POST discard {"filter":{},"up_to":7,"note":"noise","after":5}"#);
    })
    .await;
}

#[tokio::test]
async fn a_bulk_waits_out_an_outage_says_what_it_does_not_know_and_needs_the_token() {
    visit(async |page| {
        page.seven_letters();
        page.open_desk().await;
        page.offer("7 match. 3 of 7 would pass now.").await;
        // The first step is made but its answer is lost, the second refused for now.
        page.shop.mishap(Mishap::Lost);
        page.shop.mishap(Mishap::Refused(503, "no store"));
        page.shop.room(4);
        page.press_button("Replay all 7").await;
        page.confirm("Replay 7 dead letters?").await;
        page.browser.until("document.querySelector('.bulk > p').innerText.endsWith('(no store)')").await;
        page.browser.until("document.querySelector('.bulk > p').innerText.startsWith('At work: at least 1 of 7 replayed.')").await;
        page.shop.restart();
        page.browser.text(".wrong").await;
        page.shop.relent();
        page.shop.room(100);
        page.browser.until("document.activeElement.id === 'token'").await;
        page.browser.press(&format!("{TOKEN}{ENTER}")).await;
        page.until_text(".bulk > p", "Stopped: at least 1 of 7 replayed.").await;
        page.shop.mishap(Mishap::Refused(400, "odd"));
        page.press_button("Go on").await;
        page.until_text(".bulk > p", "The service refused to go on: at least 1 of 7 replayed. (odd)").await;
        page.press_button("Go on").await;
        page.browser.until("document.querySelector('.bulk > p').innerText.startsWith('Done: at least 4 of 7 replayed.')").await;
    })
    .await;
}

#[tokio::test]
async fn a_bulk_stops_with_a_reload_and_can_go_on_where_it_was() {
    visit(async |page| {
        page.seven_letters();
        page.open_desk().await;
        page.offer("7 match. 3 of 7 would pass now.").await;
        page.shop.room(3);
        page.press_button("Replay all 7").await;
        page.confirm("Replay 7 dead letters?").await;
        page.browser
            .until("document.querySelector('.bulk > p').innerText.startsWith('At work: 3 of 7 replayed.')")
            .await;
        page.browser.client.refresh().await.unwrap();
        page.until_text(".bulk > p", "Stopped: at least 3 of 7 replayed.").await;
        page.shop.room(100);
        page.press_button("Go on").await;
        page.until_text(
            ".bulk > p",
            "Done: at least 7 of 7 replayed. What is rejected again comes back as a new dead letter.",
        )
        .await;
        let last = page.shop.sent().pop().unwrap();
        assert_eq!(last, r#"POST replay {"filter":{},"up_to":7,"after":6}"#);
        page.press_button("Close").await;
        page.browser.until("sessionStorage.getItem('orderbox.bulk') === null").await;
    })
    .await;
}

#[tokio::test]
async fn one_that_matches_is_told_as_one() {
    visit(async |page| {
        page.shop.refuse(b"{", "not_json", &[]);
        page.shop.amend(1, json!({ "passes": true }));
        page.open_desk().await;
        page.offer("1 matches. 1 of 1 would pass now.").await;
        let english = ["Replay it", "Replay the one that would pass", "Discard it…", "Do nothing"];
        assert_eq!(page.texts(".bulk button").await, json!(english));
        page.press_button("Replay the one that would pass").await;
        page.until_text("dialog h2", "Replay 1 dead letter if it would pass?").await;
        page.browser.press(ENTER).await;
        page.click("#language").await;
        page.press_button("Отправить или списать все подходящие…").await;
        page.until_text(".bulk > p", "Подходит 1. Сейчас прошли бы проверку: 1 из 1.").await;
        let russian = [
            "Отправить 1 сообщение",
            "Отправить 1 сообщение, которое прошло бы",
            "Списать 1 сообщение…",
            "Ничего не делать",
        ];
        assert_eq!(page.texts(".bulk button").await, json!(russian));
        page.press_button("Отправить 1 сообщение, которое прошло бы").await;
        page.until_text("dialog h2", "Отправить то, что прошло бы, из 1 отклонённого сообщения?").await;
    })
    .await;
}
