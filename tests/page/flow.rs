//! The live flow and the newest orders.

use serde_json::{Value, json};

use super::{LAMP, Visit, order, visit};
use crate::support::stan_server::eventually;

/// A `flow` event, so many seconds after midnight.
pub(super) fn flow(second: u32, received: u64, applied: u64, rejected: u64) -> Value {
    json!({
        "at": format!("2026-01-01T00:{:02}:{:02}.000Z", second / 60, second % 60), "status": "ok", "received": received,
        "applied": applied, "replaced": 0, "unchanged": 0, "outdated": 0, "rejected": rejected,
        "pending": received - applied - rejected, "oldest_pending_seconds": 1.25, "lag": null, "dead_letters_open": rejected,
    })
}

/// The same from a service whose store does not answer.
pub(super) fn failing(second: u32) -> Value {
    let mut event = flow(second, 0, 0, 0);
    let unknown = [
        "received",
        "applied",
        "replaced",
        "unchanged",
        "outdated",
        "rejected",
        "pending",
        "oldest_pending_seconds",
        "dead_letters_open",
    ];
    for name in unknown {
        event[name] = Value::Null;
    }
    event["status"] = json!("failing");
    event
}

/// What /api/status says of an open gap and of one that was closed.
pub(super) fn gaps() -> Value {
    let gap = |first: u64, last: u64, closed_at: Value| {
        json!({ "source": "stan", "channel": "orders", "first": first, "last": last, "messages": last - first + 1,
            "seen_at": "2026-01-01T00:00:03Z", "closed_at": closed_at })
    };
    let closed = gap(3, 4, json!("2026-01-01T00:00:05Z"));
    json!({ "gaps": { "open": 1, "latest": [gap(1201, 1203, Value::Null), closed] } })
}

pub(super) fn orders(uids: &[&str]) -> Value {
    let order = |uid: &&str| {
        json!({ "order_uid": uid, "source": "stan", "channel": "orders", "sequence": 7, "published_at": "2026-01-01T00:00:00.000000001Z",
            "updated_at": "2026-01-01T06:22:19.25Z" })
    };
    json!({ "orders": uids.iter().map(order).collect::<Vec<_>>() })
}

impl Visit {
    /// Tells an event once the page listens.
    pub(super) async fn tell(&self, event: &'static str, data: Value) {
        eventually("the page listens", || async { self.shop.listening() > 0 }).await;
        self.shop.tell(event, data);
    }

    pub(super) async fn figure(&self, name: &str, text: &str) {
        self.until_text(&format!(".{name} .figure"), text).await;
    }
}

#[tokio::test]
async fn rates_are_the_differences_of_totals_over_the_time_between_them() {
    visit(async |page| {
        page.open("/").await;
        page.tell("flow", flow(0, 1_000, 900, 50)).await;
        page.figure("pending", "50").await;
        // A rate needs two events.
        page.figure("received", "—").await;
        page.tell("flow", flow(2, 6_000, 4_900, 51)).await;
        page.figure("received", "2,500 /s").await;
        page.figure("applied", "2,000 /s").await;
        page.figure("rejected", "0.5 /s").await;
        page.figure("pending", "1,049").await;
        page.figure("open", "51").await;
        page.until_text(".received .quiet", "6,000 in all").await;
        page.until_text(".pending .quiet", "for up to 1.3 s").await;
        page.until_text(".state", "Live, the store answers").await;
        // Replaced orders are applied too.
        let mut event = flow(3, 6_100, 4_900, 51);
        event["replaced"] = json!(100);
        page.tell("flow", event).await;
        page.figure("applied", "100 /s").await;
        // Totals that shrink are those of another store: nothing is known of what was between.
        page.tell("flow", flow(4, 1, 1, 0)).await;
        page.figure("received", "unknown").await;
        page.figure("pending", "0").await;
        page.until_text(".pending .quiet", "nothing waits").await;
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_begins_the_past_anew() {
    visit(async |page| {
        page.open("/").await;
        page.tell("flow", flow(100, 1_000, 1_000, 0)).await;
        page.tell("flow", flow(101, 1_020, 1_020, 0)).await;
        page.figure("received", "20 /s").await;
        page.tell("flow", flow(3, 1_030, 1_030, 0)).await;
        page.figure("received", "—").await;
        page.tell("flow", flow(4, 1_060, 1_060, 0)).await;
        page.figure("received", "30 /s").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_not_known_is_said_to_be_unknown_and_never_zero() {
    visit(async |page| {
        page.open("/").await;
        page.tell("flow", flow(0, 10, 10, 0)).await;
        page.figure("lag", "—").await;
        page.until_text(".lag .quiet", "no broker, or not known yet").await;
        page.tell("flow", failing(1)).await;
        page.until_text(".state", "The store does not answer: its numbers are unknown").await;
        for name in ["received", "applied", "rejected", "pending", "lag", "open"] {
            page.figure(name, "unknown").await;
        }
        let announced = "document.getElementById('announce').textContent";
        page.browser
            .until(&format!("{announced} === 'The store does not answer: its numbers are unknown'"))
            .await;
        page.tell("flow", flow(2, 20, 20, 0)).await;
        page.browser.until(&format!("{announced} === 'Live, the store answers'")).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_deleted_for_its_age_is_said_once_there_is_some_and_the_lag_of_each_source_where_there_are_two()
 {
    visit(async |page| {
        page.open("/").await;
        let mut event = flow(0, 10, 10, 0);
        event["expired"] = json!({ "orders": 0, "dead_letters": 0, "history": 0 });
        (event["lag"], event["lag_by_source"]) = (json!(1_200), json!({ "stan": 1_200 }));
        page.tell("flow", event.clone()).await;
        page.figure("lag", "1,200").await;
        page.until_text(".lag .quiet", "published, not yet taken in").await;
        page.until_text(".expired", "").await;
        event["at"] = json!("2026-01-01T00:00:01.000Z");
        event["expired"] = json!({ "orders": 4_000, "dead_letters": 3, "history": 0 });
        (event["lag"], event["lag_by_source"]) = (json!(1_207), json!({ "jetstream": 7, "stan": 1_200 }));
        page.tell("flow", event).await;
        page.figure("lag", "1,207").await;
        page.until_text(".lag .quiet", "published, not yet taken in: jetstream 7, stan 1,200").await;
        let deleted = "Deleted for their age: orders 4,000, dead letters 3, earlier documents 0";
        page.until_text(".expired", deleted).await;
        page.tell("flow", failing(2)).await;
        page.until_text(".expired", "").await;
    })
    .await;
}

#[tokio::test]
async fn the_chart_follows_the_rates_and_says_them_in_words() {
    visit(async |page| {
        page.open("/").await;
        for (second, received, applied, rejected) in [(0, 0, 0, 0), (30, 9_000, 9_000, 0), (31, 9_040, 9_030, 10), (32, 9_060, 9_050, 10), (33, 9_160, 9_140, 20)] {
            page.tell("flow", flow(second, received, applied, rejected)).await;
            // What came in during the gap came at no known time.
            if second == 30 {
                page.until_text(".received .quiet", "9,000 in all").await;
                page.figure("received", "—").await;
            }
        }
        page.figure("received", "100 /s").await;
        // The picture is 600 wide for the first minute and 150 high for 100 a second. After a gap the line begins anew.
        let line = page.browser.run("return document.querySelector('.plot .received').getAttribute('d')").await;
        assert_eq!(line, "M580.0 90.0L590.0 120.0L600.0 0.0");
        let area = page.browser.run("return document.querySelector('.plot .rejected').getAttribute('d')").await;
        assert_eq!(area, "M580.0 90.0L590.0 120.0L600.0 0.0L600.0 15.0L590.0 120.0L580.0 105.0Z");
        assert_eq!(page.texts(".plot > span").await, json!(["100", "50", "0"]));
        let words = page.browser.run("return document.querySelector('.plot svg').getAttribute('aria-label')").await;
        let said = "Messages a second, 1 min back. Received: now 100, at most 100. Applied: now 90. Rejected: now 10.";
        assert_eq!(words, said);
        // The past is there again after a look at something else.
        page.click("a[href*=order_uid]").await;
        page.browser.text(".message h2").await;
        page.browser.client.back().await.unwrap();
        page.figure("received", "100 /s").await;
        let line = page.browser.run("return document.querySelector('.plot .received').getAttribute('d')").await;
        assert_eq!(line, "M580.0 90.0L590.0 120.0L600.0 0.0");
    })
    .await;
}

#[tokio::test]
async fn newest_orders_appear_with_the_token_each_a_link_to_its_look_up() {
    visit(async |page| {
        page.shop.put("two & <b>", order("two & <b>", LAMP, ""));
        page.open("/").await;
        assert!(page.browser.text(".newest").await.contains("shown to whoever has the admin token"));
        page.shop.tell("orders", orders(&["one"]));
        page.tell("flow", flow(0, 1, 1, 0)).await;
        page.figure("pending", "0").await;
        assert_eq!(page.texts(".newest li").await, json!([]));
        page.sign_in().await;
        page.until_text(".newest li", "one 1 Jan 2026, 06:22:19").await;
        page.tell("orders", orders(&["two & <b>", "one"])).await;
        page.until_text(".newest li", "two & <b> 1 Jan 2026, 06:22:19").await;
        assert_eq!(page.texts(".newest li a").await, json!(["two & <b>", "one"]));
        assert_eq!(page.texts(".newest li.fresh a").await, json!(["two & <b>"]));
        page.click(".newest li a").await;
        assert_eq!(page.browser.text("article h2").await, "two & <b>");
        assert_eq!(page.path().await, "/?order_uid=two+%26+%3Cb%3E");
    })
    .await;
}

#[tokio::test]
async fn the_list_stands_still_while_somebody_is_in_it() {
    visit(async |page| {
        page.sign_in().await;
        page.tell("orders", orders(&["one"])).await;
        page.until_text(".newest li a", "one").await;
        page.browser.run("document.querySelector('.newest li a').focus()").await;
        page.tell("orders", orders(&["two", "one"])).await;
        page.until_text(".newest > p", "The list stands still while you are in it.").await;
        assert_eq!(page.browser.run("return document.activeElement.textContent").await, "one");
        page.browser.run("document.activeElement.blur()").await;
        page.until_text(".newest li a", "two").await;
    })
    .await;
}

#[tokio::test]
async fn open_gaps_are_named_beside_the_flow_and_nothing_is_said_without_any() {
    visit(async |page| {
        page.open("/").await;
        for (second, open) in [(0, None), (1, Some(Value::Null)), (2, Some(json!(0)))] {
            let mut event = flow(second, 10, 10, 0);
            if let Some(open) = open {
                event["gaps_open"] = open;
            }
            page.tell("flow", event).await;
            page.until_text(".times span:last-child", "now").await;
            assert_eq!(page.texts(".gaps > *").await, json!([]));
        }
        page.shop.report(gaps());
        let mut event = flow(3, 10, 10, 0);
        event["gaps_open"] = json!(1);
        page.tell("flow", event.clone()).await;
        let said = "1 gap is open: messages between others of a channel never came.";
        page.until_text(".gaps p", said).await;
        page.until_text(".gaps ul", "stan orders 1201–1203 3 messages, noticed 1 Jan 2026, 00:00:03 UTC")
            .await;
        page.browser
            .until(&format!("document.getElementById('announce').textContent === {}", json!(said)))
            .await;
        // Without an answer of /api/status the count stays.
        page.shop.report(json!({}));
        event["gaps_open"] = json!(2);
        page.tell("flow", event.clone()).await;
        page.until_text(".gaps", "2 gaps are open: messages between others of a channel never came.").await;
        // While the store does not answer, what was known stays, and is no news when it does again.
        page.browser.run("document.getElementById('announce').textContent = 'other'").await;
        for open in [Value::Null, json!(2)] {
            event["gaps_open"] = open;
            page.tell("flow", event.clone()).await;
        }
        // A list that is missing, or old, is asked for again.
        page.shop.report(gaps());
        page.browser.run("const now = performance.now() + 10_000; performance.now = () => now").await;
        page.tell("flow", event.clone()).await;
        page.browser.text(".gaps ul").await;
        assert_eq!(page.browser.run("return document.getElementById('announce').textContent").await, "other");
        event["gaps_open"] = json!(0);
        page.tell("flow", event).await;
        page.browser.until("document.querySelector('.gaps').childElementCount === 0").await;
    })
    .await;
}
