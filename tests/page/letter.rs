//! One dead letter: where its errors are, whatever its bytes.

use serde_json::{Value, json};

use super::{Visit, visit};
use crate::support::stan_server::eventually;

impl Visit {
    /// Opens a dead letter by a link to it.
    pub(super) async fn open_letter(&self, id: usize) {
        self.open(&format!("/?dead_letter={id}")).await;
        self.browser
            .until(&format!(
                "document.querySelector('.letter h2')?.innerText.startsWith('Dead letter {id} ')"
            ))
            .await;
    }

    /// Each mark as the numbers of its errors, how many characters stand before it, and its own.
    async fn marks(&self) -> Value {
        self.browser
            .run(
                "return [...document.querySelectorAll('.source mark')].map(mark => {
                    const before = document.createRange();
                    before.setStart(document.querySelector('.source'), 0);
                    before.setEndBefore(mark);
                    return [mark.dataset.places, before.toString().length, mark.textContent];
                })",
            )
            .await
    }
}

#[tokio::test]
async fn every_error_of_a_field_is_marked_at_its_characters() {
    visit(async |page| {
        let text = "{\n \"a/b~\": {\"é😀\": [1, {\"x\" : -5e1}]},\n \"order_uid\":\"\",\n \"order_uid\" : \"u\",\n \"payment\": {\"amount\":\"\\u0031\"},\"items\":[ [ ] ]\n}";
        let errors = [
            ("/a~1b~0/é😀/1/x", "out_of_range"),
            ("/order_uid", "duplicate_key"),
            ("/payment/amount", "wrong_type"),
            ("/payment/currency", "missing"),
            ("/items/0", "wrong_type"),
            ("/delivery", "missing"),
            ("/track_number", "missing"),
            ("/nowhere/at/all", "blank"),
        ];
        let id = page.shop.refuse(text.as_bytes(), "invalid_fields", &errors);
        page.sign_in().await;
        page.open_letter(id).await;
        // Offsets are in UTF-16, as JavaScript counts.
        let at = |part: &str| text.split_once(part).unwrap().0.encode_utf16().count();
        let expected = json!([
            ["6, 7", 0, "{"],
            ["1", at("-5e1"), "-5e1"],
            ["2", at("\"order_uid\" :"), "\"order_uid\""],
            ["4", at("{\"amount"), "{"],
            ["3", at("\"\\u0031"), "\"\\u0031\""],
            ["5", at("[ ]"), "[ ]"],
        ]);
        assert_eq!(page.marks().await, expected);
        assert_eq!(page.browser.run("return document.querySelector('.source').textContent").await, text);
        let rows = page.browser.run("return [...document.querySelectorAll('.errors li')].map(row => row.innerText.replace(/\\s+/g, ' '))").await;
        assert_eq!(rows[0], "/a~1b~0/é😀/1/x Out of range out_of_range breaks the rule out_of_range Line 2, character 28");
        assert_eq!(rows[1], "/order_uid Repeated duplicate_key breaks the rule duplicate_key Line 4, character 2");
        assert_eq!(rows[7], "/nowhere/at/all Blank blank breaks the rule blank not found in the bytes");
        // An error leads to its mark.
        page.click(".errors li:nth-child(3) button").await;
        page.browser.until("document.activeElement.dataset.places === '3'").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_no_json_is_marked_where_it_breaks() {
    visit(async |page| {
        page.sign_in().await;
        for (text, at, marked, said) in [
            ("{\"a\" 1}", 5, "1", "a colon is missing"),
            ("{\"a\": [1, 2", 11, "end of the text", "the text ends too early"),
            ("{\"a\": \"b\nc\"}", 8, "\n", "something that JSON does not know"),
            ("{\"a\": \"\\x\"}", 7, "\\", "something that JSON does not know"),
            ("{\"a\": 1 \"b\": 2}", 8, "\"", "a comma or a closing bracket is missing"),
            ("{} 😀", 3, "😀", "something stands after the value"),
            ("\u{feff}{}", 0, "⟨U+FEFF⟩", "a byte-order mark stands before it"),
            ("{\"a\": \"\\\\ud83d\\ud83d\"}", 14, "\\ud83d", "half of a surrogate pair"),
            (&"[".repeat(128), 127, "[", "it is nested deeper than 127"),
        ] {
            let id = page.shop.refuse(text.as_bytes(), "not_json", &[]);
            page.open_letter(id).await;
            assert_eq!(page.marks().await, json!([["1", at, marked]]), "{text}");
            let row = page.browser.text(".errors li").await;
            assert!(row.contains(&format!("It is not JSON: {said}.")), "{text}: {row}");
        }
        let id = page.shop.refuse(b" [1] ", "not_object", &[]);
        page.open_letter(id).await;
        assert_eq!(page.marks().await, json!([["1", 1, "[1]"]]));
    })
    .await;
}

#[tokio::test]
async fn bytes_that_are_no_text_are_shown_in_hexadecimal() {
    visit(async |page| {
        page.sign_in().await;
        page.browser.size(1280, 900).await;
        for (tail, broken) in [
            (&b"\xff"[..], 0),
            (b"\xc0\xaf", 0),
            (b"\xed\xa0\x80", 0),
            (b"\xf4\x90\x80\x80", 0),
            ("é€😀\u{fffd}".as_bytes(), 12),
            (b"\xf0\x9f\x98", 0),
        ] {
            let mut payload = b"0123456789abcdef0123".to_vec();
            payload.extend(tail);
            if broken > 0 {
                payload.push(0x80);
            }
            let at = payload.len() - tail.len() - usize::from(broken > 0) + broken;
            let id = page.shop.refuse(&payload, "not_utf8", &[]);
            page.open_letter(id).await;
            assert_eq!(page.texts("mark").await, json!([format!("{:02x}", payload[at])]), "{payload:x?}");
            assert!(
                page.browser.text(".errors li").await.contains(&format!("Offset {at:05x}")),
                "{payload:x?}"
            );
            let shown = page.browser.run("return document.querySelector('.hex').textContent").await;
            let lines: Vec<_> = shown.as_str().unwrap().lines().collect();
            assert_eq!(lines[0], "00000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef");
            assert!(lines[1].starts_with("00010  30 31 32 33 ") && lines[1].contains("  0123·"), "{lines:?}");
        }
        let id = page.shop.refuse(b"", "empty", &[]);
        page.open_letter(id).await;
        page.until_text(".bytes .note", "The message has no bytes.").await;
    })
    .await;
}

#[tokio::test]
async fn what_was_done_with_it_stands_below_and_leads_to_what_it_is_a_replay_of() {
    visit(async |page| {
        page.shop.refuse(b"{", "not_json", &[]);
        let id = page.shop.refuse(b"{", "not_json", &[]);
        let done = json!({ "resolution": "discarded", "resolved_at": "2026-01-02T03:04:05Z", "resolved_by": "Anna", "note": "a <b>test</b>", "parent_id": 1, "order_uid": "u" });
        page.shop.amend(id, done);
        page.sign_in().await;
        page.open_letter(id).await;
        let history = page.browser.run("return document.querySelector('.history').innerText.replace(/\\s+/g, ' ')").await;
        assert_eq!(
            history,
            "What happened It is a replay of Dead letter 1 1 Jan 2026, 00:00:02 UTC Published 1 Jan 2026, 00:00:00 UTC Received 1 Jan 2026, 00:00:01 UTC \
             Rejected 1 Jan 2026, 00:00:02 UTC Discarded, by Anna 2 Jan 2026, 03:04:05 UTC a <b>test</b>"
        );
        page.click(".history a").await;
        page.until_text(".letter h2", "Dead letter 1 Open").await;
        page.until_text(".history li:last-child", "Open: nobody has dealt with it yet").await;
        page.open("/?dead_letter=77").await;
        page.until_text(".message h2", "There is no dead letter 77").await;
    })
    .await;
}

#[tokio::test]
async fn what_is_cut_off_is_said_and_no_place_is_told_twice() {
    visit(async |page| {
        let id = page.shop.refuse("{\"é".as_bytes().split_last().unwrap().1, "too_large", &[]);
        page.shop.amend(id, json!({ "bytes": 300_000, "truncated": true }));
        page.sign_in().await;
        page.open_letter(id).await;
        page.until_text(".bytes h3", "As it came (300,000 bytes)").await;
        page.until_text(".bytes .note", "Only the beginning is shown: 3 bytes.").await;
        // Half a character at the end is no fault of the message.
        assert_eq!(page.texts("mark").await, json!([]));
        let id = page.shop.refuse(b"{\"a\" 1}", "not_json", &[]);
        page.shop.amend(id, json!({ "detail": "expected `:` at line 1 column 6" }));
        page.open_letter(id).await;
        let row = page.browser.text(".errors li").await;
        assert!(row.contains("Line 1, character 6") && row.ends_with("\n\nexpected `:`"), "{row}");
    })
    .await;
}

#[tokio::test]
async fn a_saved_file_holds_the_bytes_exactly_and_is_called_by_its_id() {
    visit(async |page| {
        let folder = tempfile::tempdir().unwrap();
        let behavior = json!({ "behavior": "allow", "downloadPath": folder.path() });
        page.browser.devtools("Browser.setDownloadBehavior", behavior).await;
        page.sign_in().await;
        for (payload, name) in
            [(&b"\0\xff\r\n\x80"[..], "dead-letter-1.bin"), (b"\xef\xbb\xbf{\r\n", "dead-letter-2.json")]
        {
            let id = page.shop.refuse(payload, "not_json", &[]);
            page.open_letter(id).await;
            page.click("a[download]").await;
            let saved =
                || async { std::fs::read(folder.path().join(name)).is_ok_and(|saved| saved == payload) };
            eventually(name, saved).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_never_becomes_markup_and_hides_or_reorders_nothing() {
    visit(async |page| {
        let attack = "<img src=x onerror=alert(1)></pre><script>alert(2)</script>";
        let text = format!("{{\"{attack}\":\"\u{202e}{attack}\u{2066}\u{0}\u{7f}\u{200b}\u{3164}\u{e0041}\r\"}}");
        let pointer = format!("/{}", attack.replace('/', "~1"));
        let id = page.shop.refuse(text.as_bytes(), "invalid_fields", &[(&pointer, attack)]);
        let hostile = json!({ "order_uid": attack, "message_id": attack, "channel": attack, "note": attack, "resolved_by": attack, "resolution": "discarded" });
        page.shop.amend(id, hostile);
        page.sign_in().await;
        page.open_letter(id).await;
        // U+0000 is no JSON; what is left of it is shown all the same.
        let shown = page.browser.run("return document.querySelector('.source').textContent").await;
        assert_eq!(shown, format!("{{\"{attack}\":\"⟨U+202E⟩{attack}⟨U+2066⟩␀␡⟨U+200B⟩⟨U+3164⟩⟨U+E0041⟩␍\"}}"));
        page.open("/?dead_letters=&resolution=all").await;
        page.browser.text(".letters").await;
        assert_eq!(page.browser.run("return document.querySelectorAll('img, pre script, #result script').length").await, 0);
        assert!(page.browser.client.get_alert_text().await.is_err());
        assert_eq!(page.browser.console().await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_quarter_of_a_megabyte_stays_usable() {
    visit(async |page| {
        page.sign_in().await;
        let members: Vec<_> = (0..20_000).map(|index| format!("\"k{index}\":\"\u{1}\"")).collect();
        let pointers: Vec<_> = (0..1000).map(|index| format!("/k{}", index * 20)).collect();
        let errors: Vec<_> = pointers.iter().map(|pointer| (pointer.as_str(), "blank")).collect();
        let many = format!("{{{}}}", members.join(",").replace('\u{1}', ""));
        for (payload, reason, errors, marks) in [
            (many.into_bytes(), "invalid_fields", errors, 1000),
            (
                vec![b'"'; 1].into_iter().chain("a\u{1}".repeat(131_000).into_bytes()).collect(),
                "not_json",
                vec![],
                1,
            ),
            (vec![0xff; 262_144], "not_utf8", vec![], 1),
        ] {
            let id = page.shop.refuse(&payload, reason, &errors);
            page.open_letter(id).await;
            assert_eq!(
                page.browser.run("return document.querySelectorAll('mark').length").await,
                marks,
                "{reason}"
            );
            // Names of many more would take the browser longer than a reader waits.
            let named =
                page.browser.run("return document.querySelectorAll('.unseen-character').length").await;
            assert!(named.as_u64().unwrap() <= 2_000, "{reason}: {named}");
        }
        page.click(".bytes .more").await;
        let rows = page
            .browser
            .run("return document.querySelector('.hex').textContent.split('\\n').length - 1")
            .await;
        assert_eq!(rows, 4096);
    })
    .await;
}
