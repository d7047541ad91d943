//! English and Russian.

use std::{collections::BTreeMap, fs};

use orderbox::{
    order::{ErrorCode, Reason},
    store::Resolution,
};
use serde_json::{Value, json};

use super::{
    ENTER, LAMP, Visit,
    flow::{flow, orders},
    order, visit,
};

#[tokio::test]
async fn every_text_is_there_in_both_languages_and_none_is_unused() {
    visit(async |page| {
        page.open("/").await;
        let script = r#"
            const { TEXTS } = await import("/assets/texts.js");
            const locales = ["en-GB", "ru"];
            const forms = text => typeof text === "string" ? { whole: text } : text;
            const places = text => [...text.matchAll(/\{(\w+)\}/g)].map(match => match[1]).sort().join();
            // One is always 1 in English, and may be told in words; in Russian it is 21 as well.
            const numbered = text => typeof text === "string" || text.one.includes("{n}") ? text
                : { ...text, one: `${text.one}{n}` };
            const wrong = Object.entries(TEXTS).filter(([key, row]) => {
                const texts = [numbered(row[0]), row[1]];
                const kinds = new Set(texts.flatMap(text => Object.values(forms(text)).map(places)));
                const whole = row.every((text, index) => typeof text === "string" ? text !== ""
                    : new Intl.PluralRules(locales[index]).resolvedOptions().pluralCategories.every(category => text[category]));
                const same = row[0] === row[1] && !["order.json", "field.sm_id", "value.null"].includes(key);
                return same || row.length !== 2 || kinds.size !== 1 || !whole || typeof row[0] !== typeof row[1];
            });
            return { keys: Object.keys(TEXTS), wrong: wrong.map(([key]) => key) };"#;
        let report = page.browser.run(script).await;
        assert_eq!(report["wrong"], json!([]), "these lack a language, a plural form or a place");
        let keys: Vec<String> = serde_json::from_value(report["keys"].clone()).unwrap();
        let source = sources();
        let unused: Vec<_> = keys.iter().filter(|key| !is_used(key, &source)).collect();
        assert!(unused.is_empty(), "nothing uses {unused:?}");
        for (list, codes) in closed_lists() {
            for key in codes.iter().map(|code| format!("{list}.{code}")) {
                assert!(keys.contains(&key), "{key} has no text");
            }
        }
        for call in ["say(\"", "sayParts(\"", "data-text=\"", "data-label-text=\""] {
            for key in source.split(call).skip(1).map(|rest| rest.split('"').next().unwrap()) {
                assert!(keys.iter().any(|known| known == key), "{call}{key}: there is no such text");
            }
        }
    })
    .await;
}

/// What of the page may name texts, in one text.
fn sources() -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let named = files.filter(|path| {
        path.extension().is_some_and(|kind| kind == "js" || kind == "html")
            && !path.to_str().unwrap().ends_with("texts.js")
    });
    named.map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Codes that the service may send, by the list of texts that names them.
fn closed_lists() -> BTreeMap<&'static str, Vec<&'static str>> {
    let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    BTreeMap::from([
        ("about", reasons.clone()),
        ("reason", reasons),
        ("code", ErrorCode::ALL.iter().map(|code| code.as_str()).collect()),
        ("resolution", Resolution::ALL.iter().map(|resolution| resolution.as_str()).collect()),
    ])
}

/// By its whole name, or as a part of a list whose members are named elsewhere.
fn is_used(key: &str, source: &str) -> bool {
    let (list, name) = key.split_once('.').unwrap();
    let of_list = source.contains(&format!("`{list}.${{")) && source.contains(&format!("\"{name}\""));
    let of_codes = closed_lists().get(list).is_some_and(|codes| codes.contains(&name));
    source.contains(&format!("\"{key}\"")) || of_list || of_codes
}

/// Everything that is shown or read aloud and is a text of the other language, whatever fills its places.
async fn foreign(page: &Visit, language: usize) -> Value {
    let script = format!(
        r#"
            const {{ TEXTS }} = await import("/assets/texts.js");
            const forms = text => typeof text === "string" ? [text] : Object.values(text);
            const all = language => Object.values(TEXTS).flatMap(row => forms(row[language]));
            const pattern = text => new RegExp("^" + RegExp.escape(text).replace(/\\\{{\w+\\\}}/g, ".+") + "$");
            const ours = all({language}).map(pattern);
            const theirs = all({}).map(pattern);
            const shown = [...document.querySelectorAll(":not(.code)")].flatMap(element => [
                ...[...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).map(node => node.textContent.trim()),
                element.getAttribute("aria-label"), element.getAttribute("title"), element.getAttribute("data-label")]);
            return shown.filter(text => text && theirs.some(form => form.test(text)) && !ours.some(form => form.test(text)));"#,
        1 - language
    );
    page.browser.run(&script).await
}

#[tokio::test]
async fn every_view_speaks_the_language_of_the_browser_or_the_one_chosen() {
    visit(async |page| {
        page.shop.put("one", order("one", &[LAMP, r#"{"odd":1}"#].join(","), r#","other":1"#));
        page.shop.refuse(b"{}", "invalid_fields", &[("/items", "missing")]);
        page.shop.refuse(b"\xff", "not_utf8", &[]);
        page.shop.refuse(b"{", "not_json", &[]);
        let replay = json!({ "message_id": "replay:3.1", "edited": true, "state": "unchanged", "order_uid": null, "dead_letter_id": null });
        page.shop.amend(3, json!({ "resolution": "replayed", "parent_id": 1, "replay": replay }));
        page.shop.tell("flow", flow(0, 5, 2, 1));
        page.shop.tell("orders", orders(&["one"]));
        let (english, russian) = (0, 1);
        for (languages, expected) in
            [("de,en;q=0.9,ru;q=0.8", english), ("ru-RU,en;q=0.5", russian), ("fr", english)]
        {
            page.browser.languages(languages).await;
            page.sign_in().await;
            for path in [
                "/",
                "/?order_uid=one",
                "/?order_uid=none",
                "/?order_uid=%20",
                "/?dead_letters=",
                "/?dead_letter=1",
                "/?dead_letter=2",
                "/?dead_letter=3",
                "/?dead_letter=9",
            ] {
                page.open(path).await;
                page.browser.text("#result > :not(.late)").await;
                page.browser
                    .until("[undefined, 'live'].includes(document.querySelector('.flow')?.dataset.kind)")
                    .await;
                assert_eq!(
                    page.browser.run("return document.documentElement.lang").await,
                    ["en", "ru"][expected]
                );
                assert_eq!(foreign(&page, expected).await, json!([]), "{path} for {languages}");
            }
        }
        page.browser.languages("ru").await;
        page.open("/?order_uid=one").await;
        assert_eq!(page.browser.text(".kind").await, "Заказ");
        assert_eq!(page.value("Создан").await, "14 нояб. 2023 г., 22:13:20 UTC 2023-11-14T22:13:20Z");
        let said = "document.getElementById('announce').textContent";
        page.browser.until(&format!("{said} === 'Заказ one: 2 товара'")).await;
        // The switch is by keyboard as good as by mouse, keeps the focus, and is remembered.
        page.browser.run("document.getElementById('language').focus()").await;
        page.browser.press(ENTER).await;
        page.browser.until(&format!("{said} === 'Order one: 2 items'")).await;
        assert_eq!(page.browser.run("return document.activeElement.id").await, "language");
        assert_eq!(foreign(&page, english).await, json!([]));
        for (path, shown) in
            [("/", ".flow[data-kind=live]"), ("/?dead_letters=", ".letters"), ("/?dead_letter=1", ".letter")]
        {
            page.open(path).await;
            for language in [russian, english] {
                page.browser.text(shown).await;
                page.click("#language").await;
                page.browser
                    .until(&format!(
                        "document.querySelector('#language').lang === '{}'",
                        ["ru", "en"][language]
                    ))
                    .await;
                page.browser.text(shown).await;
                assert_eq!(foreign(&page, language).await, json!([]), "{path}");
            }
        }
        page.open("/").await;
        page.until_text(".flow h2", "Live flow").await;
        assert_eq!(page.browser.run("return document.documentElement.lang").await, "en");
    })
    .await;
}
