//! What an order is shown as, whatever is in it.

use fantoccini::Locator;
use serde_json::json;

use crate::support::shared;

use super::{LAMP, TAB, order, visit};

#[tokio::test]
async fn numbers_are_shown_and_added_exactly() {
    visit(async |page| {
        let items = r#"{"price":0.10,"total_price":9007199254740993,"chrt_id":9223372036854775807,"nm_id":9007199254740993},
            {"price":2.0e-1,"total_price":9223372036854775807,"size":1.50}"#;
        let order = order("big", items, r#","far":1e400,"long":0.1000000000000000055511151231257827"#)
            .replace("\"amount\":1250", "\"amount\":9223372036854775807")
            .replace("\"payment_dt\":1700000000", "\"payment_dt\":-9223372036854775808");
        page.show(&order).await;
        assert_eq!(page.value("Amount").await, "9223372036854775807 RUB");
        assert_eq!(page.value("Paid").await, "-9223372036854775808 not a date in the years 1 to 9999");
        assert_eq!(page.value("far").await, "1e400");
        assert_eq!(page.value("long").await, "0.1000000000000000055511151231257827");
        let cells = page
            .browser
            .run("return [...document.querySelectorAll('tbody tr')].map(row => [...row.cells].map(cell => cell.textContent))")
            .await;
        assert_eq!(cells[0], json!(["1", "——", "0.10", "—", "9007199254740993", "—", "—", "9007199254740993", "9223372036854775807", "—", "—"]));
        assert_eq!(cells[1], json!(["2", "——", "0.2", "—", "9223372036854775807", "1.50", "—", "—", "—", "—", "—"]));
        let totals = page.browser.run("return [...document.querySelectorAll('tfoot td')].map(cell => cell.textContent)").await;
        assert_eq!(totals, json!(["0.30", "", "9232379236109516800", ""]));
    })
    .await;
}

/// The forms are those that src/order/date.rs reads.
#[tokio::test]
async fn every_form_of_date_that_an_order_may_use_is_shown_in_utc() {
    visit(async |page| {
        for (written, shown) in [
            ("2021-11-26", "26 Nov 2021"),
            ("2021-11-26Z", "26 Nov 2021, 00:00:00 UTC"),
            ("2021-11-26z", "26 Nov 2021, 00:00:00 UTC"),
            ("2021-11-26+03:00", "25 Nov 2021, 21:00:00 UTC"),
            ("2021-11-26 -0300", "26 Nov 2021, 03:00:00 UTC"),
            ("2021-11-26 06:22", "26 Nov 2021, 06:22:00 UTC"),
            ("2021-11-26t06:22:19.5z", "26 Nov 2021, 06:22:19 UTC"),
            ("2021-11-26T06:22:19 +00:00", "26 Nov 2021, 06:22:19 UTC"),
            ("2021-11-26T00:52:19-0530", "26 Nov 2021, 06:22:19 UTC"),
            ("0000-12-31T23:30:00-01:00", "1 Jan 1, 00:30:00 UTC"),
            ("9999-12-31T23:59:59.999999Z", "31 Dec 9999, 23:59:59 UTC"),
            ("2023-03-30 21:31:00.5773854 +0300 MSK m=+1.111687201", "30 Mar 2023, 18:31:00 UTC"),
        ] {
            page.show(&order("dated", LAMP, "").replace("2023-11-14T22:13:20Z", written)).await;
            assert_eq!(page.value("Created").await, format!("{shown} {written}"));
        }
    })
    .await;
}

#[tokio::test]
async fn absent_values_are_dashes_and_nothing_unknown_is_left_out() {
    visit(async |page| {
        let item = r#"{"name":"","gift":{"to":["x",1.0]}}"#;
        let more = r#","__proto__":{"polluted":true},"note":"a","note":"b","constructor":null,"":7"#;
        page.show(&order("odd", item, more)).await;
        assert_eq!(page.value("Region").await, "—");
        assert_eq!(page.value("Signature").await, "—");
        assert_eq!(page.value("Request").await, "empty");
        let absent = "return ['Region', 'Signature'].map(label => [...document.querySelectorAll('dl > div')]
            .find(row => row.children[0].textContent === label).querySelector('[role=img]').ariaLabel)";
        assert_eq!(page.browser.run(absent).await, json!(["null", "missing"]));
        let others = page
            .browser
            .run("return [...document.querySelectorAll('article > .other dl > div')].map(row => [...row.children].map(cell => cell.textContent))")
            .await;
        let expected = json!([
            ["__proto__", "{\n  \"polluted\": true\n}"],
            ["note", "a"],
            ["note", "b"],
            ["constructor", "null"],
            ["\"\"", "7"]
        ]);
        assert_eq!(others, expected);
        assert_eq!(page.value("gift").await, "{\n  \"to\": [\n    \"x\",\n    1.0\n  ]\n}");
        assert_eq!(page.browser.run("return ({}).polluted ?? 'clean'").await, "clean");
    })
    .await;
}

#[tokio::test]
async fn text_of_an_order_never_becomes_markup() {
    visit(async |page| {
        for attack in [
            "<img src=x onerror=alert(1)>",
            "</script><script>alert(2)</script>",
            "\\\"><svg onload=alert(3)>",
            "javascript:alert(4)",
            "<b>&lt;</b>{{7*7}}",
        ] {
            // Every text of the order, and the keys of the unknown members, in place of harmless ones.
            let text = r#""(?:Алёна Щукина|\+70000000001|Тверь|Набережная, 5|alyona@example.org|TRACK-7|WEB|t-7|RUB|pay|first|ru|c-7|post|Лампа|Свет|r-1|M|2023-11-14T22:13:20Z|UNKNOWN)""#;
            let harmless = order("shown", LAMP, r#","UNKNOWN":"UNKNOWN","x":{"UNKNOWN":["UNKNOWN"]}"#).replace("101000", "\"M\"");
            let attacked = replace_all(&harmless, text, attack);
            page.show(&harmless).await;
            let shape = "return JSON.stringify([...document.querySelectorAll('body *')].map(e => e.tagName).filter(tag => !['SPAN', 'BDI', 'TIME'].includes(tag)))";
            let before = page.browser.run(shape).await;
            page.show(&attacked).await;
            page.browser.run("document.querySelector('details').open = true").await;
            assert_eq!(page.browser.run(shape).await, before, "{attack}");
            assert_eq!(page.value("Name").await, attack.replace('\\', ""));
            page.open(&format!("/?order_uid={}", attack.replace('\\', "").replace('&', "%26"))).await;
            assert_eq!(page.browser.text(".message .code").await, attack.replace('\\', ""));
            assert!(page.browser.client.get_alert_text().await.is_err(), "{attack} opened a dialog");
        }
        let console = page.browser.console().await;
        assert!(console.iter().all(|line| line.contains("404 (Not Found)")), "{console:?}");
    })
    .await;
}

/// Puts `with` in place of every quoted text that `pattern` (an alternation in parentheses and quotes) names.
fn replace_all(document: &str, pattern: &str, with: &str) -> String {
    let names = pattern.trim_start_matches("\"(?:").trim_end_matches(")\"").replace('\\', "");
    names.split('|').fold(document.to_owned(), |document, name| {
        document.replace(&format!("\"{name}\""), &format!("\"{with}\""))
    })
}

#[tokio::test]
async fn the_json_is_shown_exactly_and_copied_as_published() {
    visit(async |page| {
        let document = "{\"order_uid\":\"shown\",\"a\":\t1.50,\"a\":\"\\u0416\",\"items\":[]}\n";
        page.show(document).await;
        page.browser.press(TAB).await;
        page.browser.client.find(Locator::Css("summary")).await.unwrap().click().await.unwrap();
        let indented = "{\n  \"order_uid\": \"shown\",\n  \"a\": 1.50,\n  \"a\": \"\\u0416\",\n  \"items\": []\n}";
        page.browser.until("document.querySelector('.source').textContent !== ''").await;
        assert_eq!(page.browser.run("return document.querySelector('.source').textContent").await, indented);
        let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
        page.browser.devtools("Browser.grantPermissions", permissions).await;
        let copy = page.browser.client.find(Locator::Css(".json button")).await.unwrap();
        // Over plain HTTP from another machine a page has no clipboard to write to, only the copying of a selection.
        for without in ["", "navigator.clipboard.writeText = () => Promise.reject(new Error('refused'));"] {
            page.browser.run(&format!("await navigator.clipboard.writeText('before'); document.querySelector('.json [role=status]').textContent = ''; {without}")).await;
            copy.click().await.unwrap();
            page.browser.until("document.querySelector('.json [role=status]').textContent.endsWith('copied')").await;
            assert_eq!(page.browser.run("return await navigator.clipboard.readText()").await, document);
        }
    })
    .await;
}

#[tokio::test]
async fn thousands_of_items_are_added_up_at_once_and_drawn_in_parts() {
    visit(async |page| {
        let items = vec![r#"{"total_price":0.01}"#; 1_200].join(",");
        page.show(&order("shown", &items, "")).await;
        assert_eq!(
            page.browser.run("return document.querySelector('tfoot .total_price').textContent").await,
            "12.00"
        );
        let drawn = "return document.querySelectorAll('tbody tr').length";
        assert_eq!(page.browser.run(drawn).await, 500);
        for left in [1_000, 1_200] {
            page.browser.client.find(Locator::Css("button.more")).await.unwrap().click().await.unwrap();
            assert_eq!(page.browser.run(drawn).await, left);
        }
        assert_eq!(page.browser.run("return document.querySelectorAll('button.more').length").await, 0);
        assert_eq!(
            page.browser
                .run("return document.querySelector('tbody tr:last-child').cells[0].textContent")
                .await,
            "1200"
        );
    })
    .await;
}

#[tokio::test]
async fn every_order_that_was_seen_in_the_wild_is_laid_out_whole() {
    let Some(folder) = shared() else { return };
    let verdicts = std::fs::read_to_string(folder.join("wild/VERDICTS.tsv")).unwrap();
    let accepted = verdicts.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        let file = columns.next().unwrap();
        (columns.next() == Some("accept")).then_some(file)
    });
    visit(async |page| {
        let mut drawn = 0;
        for file in accepted {
            let document = std::fs::read_to_string(folder.join("wild").join(file)).unwrap();
            page.show(&document).await;
            // Every text and number of the document stands somewhere on the page, the escapes of JSON undone.
            let script = "
                const { parse } = await import('/assets/json.js');
                const order = parse(await (await fetch('/order?order_uid=shown')).text());
                const leaves = value => value.members?.flatMap(m => leaves(m.value)) ?? value.items?.flatMap(leaves) ?? [value];
                const shown = document.querySelector('article').textContent;
                return leaves(order).filter(leaf => leaf.kind === 'string' || leaf.kind === 'number')
                    .map(leaf => leaf.text ?? leaf.source).filter(text => !shown.includes(text));";
            assert_eq!(page.browser.run(script).await, json!([]), "{file}");
            drawn += 1;
        }
        assert!(drawn > 20, "{drawn} accepted documents");
        assert_eq!(page.browser.console().await, Vec::<String>::new());
    })
    .await;
}

/// A reader of JSON of our own must be as strict and as right as the browser's. Everything that one change of a
/// character makes of a document is read by both.
#[tokio::test]
async fn the_json_reader_agrees_with_the_browsers_own_on_every_mutation() {
    visit(async |page| {
        page.open("/").await;
        let script = r##"
            const { parse, format } = await import("/assets/json.js");
            const words = { true: true, false: false, null: null };
            const plain = value => value.kind === "object" ? Object.fromEntries(value.members.map(m => [m.name, plain(m.value)]))
                : value.kind === "array" ? value.items.map(plain) : value.kind === "string" ? value.text
                : value.kind === "number" ? Number(value.source) : words[value.source];
            const attempt = (read, text) => { try { return JSON.stringify(read(text)) } catch (error) { return error.name } };
            const seed = '{"a" : [1,-0.5e+10,"x\\u0041\\n\\\\",true,false,null,{}],"b":{"":[ ]},"c":"\u2028é😀"}\n';
            const marks = [...'{}[]:,"\\/-+.0 19eEtfnu\t\u0000\u00a0\ufeff', ''];
            const texts = ['', ' ', '01', '-', '1.', '.5', '1e', '+1', '"\\x"', '"\\u12"', '"\\ud800"', 'nul', 'NaN', '1 2',
                '[1,]', '{"a":1,}', '{a:1}', "'a'", '\ufeff1', '1\u0000', '"\t"', '-0', '1E400',
                '"' + 'x\\n'.repeat(100000) + '"', '['.repeat(100) + ']'.repeat(100)];
            for (let at = 0; at < seed.length; at++) for (const mark of marks) {
                texts.push(seed.slice(0, at) + mark + seed.slice(at + 1), seed.slice(0, at) + mark + seed.slice(at));
            }
            const differing = texts.filter(text => attempt(text => plain(parse(text)), text) !== attempt(JSON.parse, text)
                || attempt(text => plain(parse(format(parse(text)))), text) !== attempt(JSON.parse, text));
            const tooDeep = depth => attempt(parse, '['.repeat(depth) + ']'.repeat(depth)) === 'SyntaxError';
            return { tried: texts.length, differing, tooDeep: [127, 128, 100_000].map(tooDeep) };"##;
        let report = page.browser.run(script).await;
        assert_eq!(report["differing"], json!([]));
        assert!(report["tried"].as_u64().unwrap() > 3_000, "{}", report["tried"]);
        assert_eq!(report["tooDeep"], json!([false, true, true]));
    })
    .await;
}
