//! Whoever reads: with a keyboard alone, a screen reader, a narrow screen, in the dark.

use serde_json::json;

use super::{
    ENTER, LAMP, TAB, TOO_WIDE, Visit,
    flow::{failing, flow, gaps},
    order, visit,
};

impl Visit {
    /// Where the focus is, as it is called; says so when it can't be seen.
    async fn focus(&self) -> String {
        let stop = "const at = document.activeElement;
            return (at.labels?.[0] ?? at).textContent.trim() + (at.matches(':focus-visible') && getComputedStyle(at).outlineStyle === 'solid' ? '' : ': unseen')";
        self.browser.run(stop).await.as_str().unwrap().to_owned()
    }

    /// Has axe look at what is open, and a ruler.
    async fn nothing_is_wrong(&self, view: &str) {
        assert_eq!(self.browser.breaches().await, Vec::<String>::new(), "{view}");
        assert_eq!(self.browser.run(TOO_WIDE).await, 0, "{view}");
    }

    /// Presses Tab until the focus is on what is called so.
    pub(super) async fn tab_to(&self, name: &str) {
        let mut stops = Vec::new();
        while stops.len() < 40 {
            self.browser.press(TAB).await;
            stops.push(self.focus().await);
            if stops.last().unwrap() == name {
                return;
            }
        }
        panic!("{name} is not among {stops:?}");
    }
}

/// Opens every view, for those who prefer `scheme` on a window of `width`, and has axe look at it.
async fn axe_finds_nothing(scheme: &str, width: u32) {
    visit(async |page| {
        page.shop.put("one", order("one", &[LAMP, r#"{"odd":1}"#].join(","), r#","other":1"#));
        page.shop.refuse(b"{\"a\":\"\x7f\", \"a\":1}", "invalid_fields", &[("/items", "missing"), ("/a", "duplicate_key")]);
        page.shop.refuse(b"abc\xff", "not_utf8", &[]);
        let replay = json!({ "message_id": "replay:2.1", "edited": true, "state": "order", "order_uid": "one", "dead_letter_id": null });
        page.shop.amend(2, json!({ "resolution": "replayed", "resolved_at": "2026-01-02T03:04:05Z", "note": "mended", "parent_id": 1, "replay": replay }));
        page.shop.tell("flow", flow(0, 0, 0, 0));
        page.shop.tell("orders", json!({ "orders": [{ "order_uid": "one", "updated_at": "2026-01-01T06:22:19Z" }] }));
        let views = [
            ("/#token=stale", ".wrong"),
            ("/?dead_letters=", ".locked"),
            ("/#token=a-token-of-the-shop", ".newest li"),
            ("/?order_uid=one", "article.order"),
            ("/?order_uid=none", ".message"),
            ("/?dead_letters=&resolution=all", ".letters"),
            ("/?dead_letter=1", ".source mark"),
            ("/?dead_letter=2", ".hex mark"),
            ("/?dead_letters=empty", ".none"),
            ("/?dead_letter=99", ".message"),
        ];
        page.browser.color_scheme(scheme).await;
        page.browser.size(width, 800).await;
        for (path, shown) in views {
            // Another page before it, or an address that differs in its fragment alone would not be loaded.
            page.open("/favicon.ico").await;
            page.open(path).await;
            page.browser.text(shown).await;
            page.browser.run("document.querySelector('details')?.setAttribute('open', '')").await;
            page.nothing_is_wrong(path).await;
        }
        page.open("/?dead_letter=1").await;
        page.press_button("Discard…").await;
        page.nothing_is_wrong("a question").await;
        page.press_button("Cancel").await;
        page.press_button("Edit and replay").await;
        page.nothing_is_wrong("an edit").await;
        page.press_button("Drop the edit").await;
        page.click("#to_desk").await;
        page.press_button("Replay or discard all that match…").await;
        page.browser.until("document.querySelectorAll('.bulk button').length === 3").await;
        page.nothing_is_wrong("a choice").await;
        page.shop.room(0);
        page.press_button("Replay it").await;
        page.click("dialog [type=submit]").await;
        page.browser.text(".bulk progress").await;
        page.nothing_is_wrong("a bulk").await;
        page.press_button("Stop").await;
        page.press_button("Close").await;
        page.open("/").await;
        for second in 1..6 {
            page.tell("flow", flow(second, u64::from(second) * 9, u64::from(second) * 7, u64::from(second))).await;
        }
        page.figure("received", "9 /s").await;
        page.nothing_is_wrong("a filled chart").await;
        page.shop.report(gaps());
        let mut gap = flow(6, 54, 42, 6);
        gap["gaps_open"] = json!(1);
        page.tell("flow", gap).await;
        page.browser.text(".gaps li").await;
        page.nothing_is_wrong("a gap").await;
        let mut partly = flow(7, 54, 42, 6);
        partly["status"] = json!("failing");
        page.tell("flow", partly).await;
        page.browser.text("[data-kind=partly] .state a").await;
        page.nothing_is_wrong("a part that fails").await;
        page.tell("flow", failing(8)).await;
        page.browser.text(".flow[data-kind=failing]").await;
        page.nothing_is_wrong("a store that fails").await;
        page.shop.down(true);
        page.shop.cut();
        page.browser.text(".flow[data-kind=lost]").await;
        page.nothing_is_wrong("a lost connection").await;
        page.open("/?order_uid=one").await;
        page.browser.text(".message button").await;
        page.nothing_is_wrong("an outage").await;
    })
    .await;
}

#[tokio::test]
async fn axe_finds_nothing_on_any_wide_view_in_the_light() {
    axe_finds_nothing("light", 1280).await;
}

#[tokio::test]
async fn axe_finds_nothing_on_any_wide_view_in_the_dark() {
    axe_finds_nothing("dark", 1280).await;
}

#[tokio::test]
async fn axe_finds_nothing_on_any_narrow_view_in_the_light() {
    axe_finds_nothing("light", 390).await;
}

#[tokio::test]
async fn axe_finds_nothing_on_any_narrow_view_in_the_dark() {
    axe_finds_nothing("dark", 390).await;
}

#[tokio::test]
async fn the_desk_is_walked_through_by_keyboard_alone() {
    visit(async |page| {
        page.shop.refuse(b"{\"a\":1}", "invalid_fields", &[("/items", "missing"), ("/a", "wrong_type")]);
        page.shop.refuse(b"{", "not_json", &[]);
        page.open("/").await;
        page.browser.until("document.activeElement.id === 'order_uid'").await;
        page.tab_to("Dead letters").await;
        page.browser.press(ENTER).await;
        page.tab_to("Admin token").await;
        page.browser.press(&format!("{}{ENTER}", super::TOKEN)).await;
        page.browser.text(".letters").await;
        // What had the focus is gone; the next stop is the first of the view that came.
        page.browser.until("document.activeElement.id === 'result'").await;
        page.browser.press(TAB).await;
        assert_eq!(page.focus().await, "All 2");
        page.tab_to("Invalid fields 1").await;
        page.browser.press(ENTER).await;
        page.browser.until("document.querySelectorAll('[data-letter]').length === 1").await;
        page.tab_to("№ 1").await;
        page.browser.press(ENTER).await;
        page.browser.text(".letter").await;
        page.tab_to("/a").await;
        page.browser.press(ENTER).await;
        page.browser
            .until("document.activeElement.matches('mark') && document.activeElement.textContent === '1'")
            .await;
        // On from there is what follows the bytes; back is the list, at the place where it was left.
        page.browser.client.back().await.unwrap();
        page.browser.until("document.activeElement.dataset.letter === '1'").await;
        assert_eq!(page.path().await, "/?dead_letters=invalid_fields");
    })
    .await;
}

#[tokio::test]
async fn nothing_moves_for_those_who_ask_for_less_motion() {
    visit(async |page| {
        let features = json!({ "features": [{ "name": "prefers-reduced-motion", "value": "reduce" }] });
        page.browser.devtools("Emulation.setEmulatedMedia", features).await;
        page.open("/").await;
        page.browser.text(".flow").await;
        let moving = "
            const item = document.createElement('li');
            item.className = 'fresh';
            document.querySelector('.newest').append(Object.assign(document.createElement('ol'), { className: 'rows' }));
            document.querySelector('.newest .rows').append(item);
            return [...document.querySelectorAll('*')].filter(element => {
                const style = getComputedStyle(element);
                return style.animationName !== 'none' || style.transitionDuration !== '0s';
            }).map(element => element.outerHTML)";
        assert_eq!(page.browser.run(moving).await, json!([]));
    })
    .await;
}
