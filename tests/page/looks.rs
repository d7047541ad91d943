//! How the page looks, and what it may load.

use serde_json::json;

use super::{
    ENTER, LAMP, TOO_WIDE,
    flow::{flow, orders},
    order, visit,
};

#[tokio::test]
async fn nothing_is_wider_than_a_narrow_screen() {
    visit(async |page| {
        let word = "Слово".repeat(60);
        let items = format!(
            r#"{{"name":"{word}","brand":"{word}","rid":"{word}","track_number":"{word}","size":"{word}","price":9223372036854775807,
            "total_price":0.12345678901234567891,"sale":-9223372036854775808,"status":9223372036854775807,"chrt_id":9223372036854775807,
            "nm_id":9223372036854775807,"{word}":[[["{word}"]]]}}"#
        );
        let document = order("shown", &[&*items, LAMP].join(","), &format!(r#","{word}":"{word}""#))
            .replace("RUB", &word)
            .replace("first", &word)
            .replace("\"TRACK-7\"", &format!("\"{word}\""))
            .replace("\"shown\"", &format!("\"{word}\""))
            .replace("\"amount\":1250", "\"amount\":9223372036854775807");
        page.shop.tell("orders", orders(&[&word]));
        page.shop.tell("flow", flow(0, u64::pow(10, 15), 0, u64::pow(10, 14)));
        let text = format!("{{\"{word}\":\"{word}\"}}");
        let pointer = format!("/{word}");
        for (payload, reason) in [(text.as_bytes(), "invalid_fields"), (b"\xff", "not_utf8")] {
            let id = page.shop.refuse(payload, reason, &[(&pointer, &word), (&pointer, "blank")]);
            page.shop.amend(id, json!({ "order_uid": word, "message_id": word, "channel": word, "note": word, "resolved_by": word, "resolution": "discarded" }));
        }
        page.sign_in().await;
        for width in [320, 375, 800, 1280] {
            page.browser.size(width, 700).await;
            page.show(&document).await;
            page.browser.run("document.querySelector('details').open = true").await;
            assert_eq!(page.browser.run(TOO_WIDE).await, 0, "an order at {width}");
            // Cards have nothing that scrolls sideways inside them either.
            let inside = page.browser.run("const box = document.querySelector('.scroll'); return box.scrollWidth > box.clientWidth").await;
            assert_eq!(inside, width > 760, "the items at {width}");
            page.open("/").await;
            page.browser.text(".newest li").await;
            page.browser.text(".flow[data-kind=live]").await;
            assert_eq!(page.browser.run(TOO_WIDE).await, 0, "the flow at {width}");
            let list = "/?dead_letters=&resolution=all";
            for path in ["/?order_uid=%20", &format!("/?order_uid={word}"), list, "/?dead_letter=1", "/?dead_letter=2"] {
                page.open(path).await;
                page.browser.text(".message, .letters, .letter").await;
                assert_eq!(page.browser.run(TOO_WIDE).await, 0, "{path} at {width}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_page_asks_nobody_else_and_breaks_no_policy() {
    visit(async |page| {
        page.shop.put("one", order("one", LAMP, ""));
        page.open("/").await;
        page.browser.press(&format!("one{ENTER}")).await;
        page.browser.text("article.order").await;
        page.browser.run("document.querySelector('details').open = true").await;
        page.open("/favicon.ico").await;
        let requests = page.browser.requests().await;
        assert!(requests.iter().any(|url| url.ends_with("/order?order_uid=one")), "{requests:?}");
        // The browser shows a page of its own (chrome:) before it is sent to ours, and has a picture of its own (data:) in it.
        let ours = |url: &&String| {
            url.starts_with(&page.base) || url.starts_with("chrome:") || url.starts_with("data:")
        };
        let elsewhere: Vec<_> = requests.iter().filter(|url| !ours(url)).collect();
        assert!(elsewhere.is_empty(), "{elsewhere:?}");
        assert_eq!(page.browser.console().await, Vec::<String>::new());
        // The policy is in force: what it forbids fails.
        page.open("/").await;
        let markup =
            "try { document.body.innerHTML = '<b>'; return 'set' } catch (error) { return error.name }";
        assert_eq!(page.browser.run(markup).await, "TypeError");
        let elsewhere = "return await fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'refused')";
        assert_eq!(page.browser.run(elsewhere).await, "refused");
        assert!(page.browser.console().await.iter().any(|line| line.contains("Content Security Policy")));
    })
    .await;
}

#[tokio::test]
async fn light_and_dark_differ_and_all_text_can_be_read_in_both() {
    visit(async |page| {
        let mut papers = Vec::new();
        for scheme in ["light", "dark"] {
            page.browser.color_scheme(scheme).await;
            page.show(&order("shown", &[r#"{"odd":1}"#, LAMP].join(","), r#","other":[1]"#)).await;
            page.browser.run("document.querySelector('details').open = true").await;
            // WCAG 2.1, 1.4.3: the contrast of text with what is behind it is 4.5 or more.
            let faint = "
                const luminance = color => color.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
                    .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
                    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
                const behind = element => { const color = getComputedStyle(element).backgroundColor;
                    return color === 'rgba(0, 0, 0, 0)' ? behind(element.parentElement) : color; };
                const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                return [...document.querySelectorAll('body *')].filter(element => element.innerText)
                    .filter(element => contrast(luminance(getComputedStyle(element).color), luminance(behind(element))) < 4.5)
                    .map(element => element.outerHTML)";
            assert_eq!(page.browser.run(faint).await, json!([]), "{scheme}");
            papers.push(page.browser.run("return getComputedStyle(document.body).backgroundColor").await);
        }
        assert_ne!(papers[0], papers[1]);
    })
    .await;
}
