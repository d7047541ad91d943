//! The list of dead letters.

use orderbox::order::ErrorCode;
use serde_json::json;

use super::{ENTER, Visit, visit};

impl Visit {
    /// Opens the desk with the token.
    pub(super) async fn open_desk(&self) {
        self.sign_in().await;
        self.click("#to_desk").await;
        self.browser.text(".desk").await;
    }

    /// The ids that the list shows.
    async fn ids(&self) -> serde_json::Value {
        self.browser.run("return [...document.querySelectorAll('[data-letter]')].map(link => Number(link.dataset.letter))").await
    }
}

#[tokio::test]
async fn without_the_token_the_desk_says_how_to_get_it() {
    visit(async |page| {
        page.shop.refuse(b"{", "not_json", &[]);
        page.open("/?dead_letters=").await;
        let said = page.browser.text(".locked").await;
        assert!(said.contains("Dead letters hold what was published"), "{said}");
        assert!(
            said.contains("It is what ADMIN_TOKEN was set to") && said.contains("prints a link with it"),
            "{said}"
        );
        assert_eq!(page.texts("[data-letter]").await, json!([]));
    })
    .await;
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_and_filtered_by_reason_and_state() {
    visit(async |page| {
        page.shop.refuse(b"{", "not_json", &[]);
        page.shop.refuse(
            b"{}",
            "invalid_fields",
            &[("/items", "missing"), ("/payment", "missing"), ("/delivery", "missing")],
        );
        page.shop.refuse(b"[", "not_json", &[]);
        page.shop.refuse(b"", "empty", &[]);
        page.shop.amend(4, json!({ "resolution": "discarded" }));
        page.open_desk().await;
        assert_eq!(page.ids().await, json!([3, 2, 1]));
        page.until_text(
            ".letters li:nth-child(2) div",
            "stan:test-cluster/orders/2@1767225600000000000 /items Missing and 2 more",
        )
        .await;
        assert_eq!(
            page.texts(".filters nav:first-child a").await,
            json!(["All 3", "Not JSON 2", "Invalid fields 1"])
        );
        page.click(".filters li:nth-child(2) a").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 2").await;
        assert_eq!(page.ids().await, json!([3, 1]));
        assert_eq!(page.path().await, "/?dead_letters=not_json");
        assert_eq!(page.texts(".filters [aria-current]").await, json!(["Not JSON 2", "Open"]));
        let states = json!(["Open", "Replayed", "Discarded", "Any state"]);
        assert_eq!(page.texts(".filters nav:last-child a").await, states);
        page.click(".filters nav:last-child li:nth-child(3) a").await;
        page.until_text(".none", "None found.").await;
        assert_eq!(page.path().await, "/?dead_letters=not_json&resolution=discarded");
        page.click(".filters nav:first-child a").await;
        page.browser.until("document.querySelector('[data-letter]')?.dataset.letter === '4'").await;
        assert_eq!(page.ids().await, json!([4]));
        // A filter is a link that can be shared.
        page.open("/?dead_letters=&resolution=all").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 4").await;
        page.until_text(".letters li .badge", "Discarded").await;
        page.open("/?dead_letters=too_large").await;
        page.until_text(".none", "None found.").await;
        assert_eq!(page.texts(".filters [aria-current]").await, json!(["Too large 0", "Open"]));
        for id in 1..=4 {
            page.shop.amend(id, json!({ "resolution": "replayed" }));
        }
        page.open("/?dead_letters=").await;
        page.until_text(".none", "None is open: everything that came was accepted or dealt with.").await;
    })
    .await;
}

#[tokio::test]
async fn a_filter_by_code_uid_and_time_is_kept_in_the_address() {
    visit(async |page| {
        let many: Vec<_> = (0..30).map(|_| ("/items", "missing")).collect();
        for (errors, day) in [(&many[..], 1), (&[("/a", "blank")], 2), (&[("/a", "blank")], 3)] {
            let id = page.shop.refuse(b"{}", "invalid_fields", errors);
            page.shop.amend(id, json!({ "order_uid": format!("u & {id}"), "rejected_at": format!("2026-01-0{day}T00:00:00Z") }));
        }
        page.open_desk().await;
        // All errors count, also those that a list leaves out.
        page.until_text(".letters li:nth-child(3) p:last-child", "/items Missing and 29 more").await;
        page.click(".narrow summary").await;
        let codes = "return [...document.querySelectorAll('#filter_code option')].map(option => option.value).filter(Boolean)";
        let mut known: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        let mut offered: Vec<String> = serde_json::from_value(page.browser.run(codes).await).unwrap();
        known.sort_unstable();
        offered.sort_unstable();
        assert_eq!(offered, known);
        page.browser.run("document.getElementById('filter_code').value = 'blank'; document.getElementById('filter_until').value = '2026-01-03T00:00'").await;
        page.press_button("Filter").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 1").await;
        assert_eq!(page.ids().await, json!([2]));
        assert_eq!(page.path().await, "/?dead_letters=&code=blank&until=2026-01-03T00%3A00%3A00Z");
        // Another choice keeps the rest, the look-up stays out of it, and what is filled in is seen.
        page.click(".filters nav:last-child li:last-child a").await;
        page.browser.until("location.search.endsWith('&resolution=all')").await;
        page.browser.until("document.getElementById('filter_code')?.value === 'blank'").await;
        page.type_over("#filter_uid", &format!("u & 2{ENTER}")).await;
        page.browser.until("location.search.includes('uid=u+%26+2')").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 1").await;
        assert_eq!(page.browser.run("return document.getElementById('order_uid').value").await, "");
        page.click("[data-letter]").await;
        page.click(".kind a").await;
        page.browser.until("document.getElementById('filter_until')?.value.startsWith('2026-01-03T00:00')").await;
        page.click(".narrow a").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 3").await;
        assert_eq!(page.path().await, "/?dead_letters=&resolution=all");
        page.open("/?dead_letters=&since=2026-01-02T00%3A00%3A00Z&until=2026-01-03T00%3A00%3A00Z").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 1").await;
        page.open("/?dead_letters=&since=yesterday").await;
        page.until_text(".message p", "since is no time of RFC 3339").await;
    })
    .await;
}

#[tokio::test]
async fn older_ones_are_pages_away_and_the_way_back_leads_to_where_one_was() {
    visit(async |page| {
        for _ in 0..120 {
            page.shop.refuse(b"{", "not_json", &[]);
        }
        page.open_desk().await;
        let newest: Vec<_> = (71..=120).rev().collect();
        let said = page.browser.run("return document.getElementById('announce').textContent").await;
        assert_eq!(said, "50 dead letters, and there are older ones");
        assert_eq!(page.ids().await, json!(newest));
        page.click(".paging a").await;
        page.browser.until("document.querySelector('[data-letter]').dataset.letter === '70'").await;
        assert_eq!(page.texts(".paging a").await, json!(["Newest", "Older"]));
        page.click("[data-letter='33']").await;
        page.browser.text(".letter").await;
        page.click(".kind a").await;
        page.browser.until("document.activeElement.dataset.letter === '33'").await;
        assert_eq!(page.path().await, "/?dead_letters=&before=71");
        page.click(".paging li:last-child a").await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 20").await;
        assert_eq!(page.texts(".paging a").await, json!(["Newest"]));
        page.click(".paging a").await;
        page.browser.until("document.querySelector('[data-letter]').dataset.letter === '120'").await;
    })
    .await;
}

#[tokio::test]
async fn an_address_that_means_nothing_leads_back_to_the_desk() {
    visit(async |page| {
        page.shop.refuse(b"{", "not_json", &[]);
        page.sign_in().await;
        page.open("/?dead_letter=626%22").await;
        page.until_text(".message h2", "The service answered 400").await;
        assert_eq!(page.texts(".message button").await, json!([]));
        page.click(".message a").await;
        page.browser.text(".letters").await;
        assert_eq!(page.ids().await, json!([1]));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_not_of_the_service_is_said_to_be_unreadable() {
    visit(async |page| {
        page.shop.refuse(b"{", "not_json", &[]);
        page.sign_in().await;
        for (path, shown) in [("/?dead_letters=", ".letters"), ("/?dead_letter=1", ".letter")] {
            page.shop.stranger(true);
            page.open(path).await;
            page.until_text(".message h2", "The answer can't be read").await;
            assert_eq!(page.browser.run("return document.getElementById('result').ariaBusy").await, "false");
            page.shop.stranger(false);
            page.click(".message button").await;
            page.browser.text(shown).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_outage_of_the_desk_is_said_and_ends_by_itself() {
    visit(async |page| {
        page.shop.refuse(b"{", "not_json", &[]);
        page.sign_in().await;
        page.shop.down(true);
        page.click("#to_desk").await;
        page.until_text(".message h2", "Dead letters can't be read right now").await;
        page.shop.down(false);
        page.browser.text(".letters").await;
    })
    .await;
}
