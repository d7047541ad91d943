//! What is done about one dead letter.

use serde_json::json;

use super::{ENTER, TAB, TOKEN, Visit, shop::Mishap, visit};

impl Visit {
    /// Clicks the button that is called so.
    pub(super) async fn press_button(&self, name: &str) {
        let find = format!(
            "[...document.querySelectorAll('#result button')].find(button => button.textContent === {})",
            json!(name)
        );
        self.browser.until(&find).await;
        self.browser
            .run(&format!("{find}.scrollIntoView({{ block: 'center' }}); {find}.id = 'pressed'"))
            .await;
        self.click("#pressed").await;
        self.browser.run("document.getElementById('pressed')?.removeAttribute('id')").await;
    }

    /// Puts a text into the field that edits a letter, as a reader does.
    pub(super) async fn type_over(&self, css: &str, text: &str) {
        self.browser.text(css).await;
        self.browser
            .run(&format!(
                "const field = document.querySelector({}); field.focus(); field.select()",
                json!(css)
            ))
            .await;
        let field = self.browser.client.active_element().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// What stands in a field.
    async fn field(&self, css: &str) -> serde_json::Value {
        self.browser.text(css).await;
        self.browser.run(&format!("return document.querySelector({}).value", json!(css))).await
    }

    async fn last_step(&self, text: &str) {
        self.until_text(".history li:last-child", text).await;
    }
}

#[tokio::test]
async fn a_replay_is_followed_until_it_is_settled_whatever_it_becomes() {
    visit(async |page| {
        page.sign_in().await;
        for (state, uid, said, link) in [
            ("order", Some("u <b>"), "It became the order u <b>", "./?order_uid=u+%3Cb%3E"),
            ("history", Some("u"), "It is a former version of the order u", "./?order_uid=u"),
            ("dead_letter", None, "It was rejected again: Dead letter 1", "./?dead_letter=1"),
            ("unchanged", None, "It changed nothing: the store said the same already", ""),
        ] {
            let id = page.shop.refuse(b"{", "not_json", &[]);
            page.open_letter(id).await;
            page.press_button("Replay").await;
            page.until_text(".told", "It was replayed as it was.").await;
            page.browser.until("document.activeElement.className === 'told'").await;
            page.until_text(
                ".history li:nth-last-child(2)",
                "Replayed, as it was, by token:0a1b2c3d 2 Jan 2026, 03:04:05 UTC",
            )
            .await;
            page.last_step("The replay waits to be settled").await;
            assert_eq!(page.texts(".mend button").await, json!([]));
            page.shop.settle(id, state, uid, (state == "dead_letter").then_some(1));
            page.last_step(said).await;
            page.browser
                .until(&format!("document.getElementById('announce').textContent === {}", json!(said)))
                .await;
            let leads = page
                .browser
                .run("return document.querySelector('.became a')?.getAttribute('href') ?? ''")
                .await;
            assert_eq!(leads, link);
            assert_eq!(page.shop.sent().last().unwrap(), &format!("POST {id}/replay "));
        }
    })
    .await;
}

#[tokio::test]
async fn an_edit_is_sent_as_it_stands_and_an_untouched_one_as_the_message_came() {
    visit(async |page| {
        let crlf = page.shop.refuse(b"{\r\n\t\"a\": 1,\0\r}", "not_json", &[]);
        let other = page.shop.refuse("{\"é\": \"😀\"".as_bytes(), "not_json", &[]);
        page.sign_in().await;
        page.open_letter(crlf).await;
        page.press_button("Edit and replay").await;
        page.browser.until("document.activeElement.id === 'edit'").await;
        page.until_text(
            "#edit_about",
            "What is sent is a message of its own, with line ends LF; the original stays as it came.",
        )
        .await;
        page.press_button("Replay this text").await;
        page.until_text(".told", "It was replayed as it was.").await;
        assert_eq!(page.shop.sent(), ["POST 1/replay "]);
        page.open_letter(other).await;
        page.press_button("Edit and replay").await;
        assert_eq!(page.field("#edit").await, "{\"é\": \"😀\"");
        // Emptied, it would be replayed as it was.
        page.type_over("#edit", "\u{e017}").await;
        page.press_button("Replay this text").await;
        page.until_text(".mend .wrong", "Nothing is left to send. To be rid of the message, discard it.")
            .await;
        page.type_over("#edit", "{\"é\": \"<b>\"}\n").await;
        page.press_button("Replay this text").await;
        page.until_text(".told", "Your text was sent in its place.").await;
        page.until_text(
            ".history li:nth-last-child(2)",
            "Replayed, edited, by token:0a1b2c3d 2 Jan 2026, 03:04:05 UTC",
        )
        .await;
        assert_eq!(page.shop.sent()[1..], ["POST 2/replay {\"é\": \"<b>\"}\n"]);
        // The original stands as it came.
        assert_eq!(
            page.browser.run("return document.querySelector('.source').textContent").await,
            "{\"é\": \"😀\"end of the text"
        );
    })
    .await;
}

#[tokio::test]
async fn an_edit_outlives_a_refused_token_another_language_and_a_look_elsewhere() {
    visit(async |page| {
        let id = page.shop.refuse(b"{", "not_json", &[]);
        page.sign_in().await;
        page.open_letter(id).await;
        let leaving = "const event = new Event('beforeunload', { cancelable: true }); dispatchEvent(event); return event.defaultPrevented";
        page.press_button("Edit and replay").await;
        assert_eq!(page.browser.run(leaving).await, false);
        page.type_over("#edit", "{}").await;
        // A reload would lose it, so the browser asks.
        assert_eq!(page.browser.run(leaving).await, true);
        page.click("#language").await;
        page.until_text(".mend label", "Сообщение для правки").await;
        assert_eq!(page.field("#edit").await, "{}");
        page.click("#language").await;
        page.click("#to_desk").await;
        page.until_text(".letters .badge", "Unsent edit").await;
        page.click("[data-letter]").await;
        assert_eq!(page.field("#edit").await, "{}");
        page.shop.restart();
        page.press_button("Replay this text").await;
        page.until_text(".locked p", "What you typed is kept, and comes back with the token.").await;
        assert_eq!(page.shop.sent(), Vec::<String>::new());
        page.shop.relent();
        page.browser.until("document.activeElement.id === 'token'").await;
        page.browser.press(&format!("{TOKEN}{ENTER}")).await;
        assert_eq!(page.field("#edit").await, "{}");
        page.press_button("Drop the edit").await;
        page.browser.until("document.activeElement.textContent === 'Edit and replay'").await;
        page.press_button("Edit and replay").await;
        assert_eq!(page.field("#edit").await, "{");
        assert_eq!(page.browser.run(leaving).await, false);
    })
    .await;
}

#[tokio::test]
async fn a_change_that_fails_says_why_and_what_to_do_and_keeps_the_text() {
    visit(async |page| {
        let id = page.shop.refuse(b"{", "not_json", &[]);
        page.sign_in().await;
        page.open_letter(id).await;
        page.press_button("Edit and replay").await;
        page.type_over("#edit", "{}").await;
        let host = page.base.trim_start_matches("http://").to_owned();
        let silent = format!("Nothing answered at {host}, so it is not known whether this was done. Send it again once orderbox answers: it is done once at most.");
        for (mishap, said) in [
            (Mishap::Refused(413, "2 bytes"), "The text is larger than the service takes. Shorten it, or have MAX_MESSAGE_BYTES raised. (2 bytes)"),
            (Mishap::Refused(503, "no store"), "The service can't do this right now. Send it again in a moment: it is done once at most. (no store)"),
            (Mishap::Refused(400, "odd"), "The service answered 400, and did nothing. (odd)"),
            (Mishap::Dropped, &silent),
        ] {
            page.shop.mishap(mishap);
            page.press_button("Replay this text").await;
            page.until_text(".mend .wrong", said).await;
            assert_eq!(page.field("#edit").await, "{}");
        }
        // An answer that was lost is found out about.
        page.shop.mishap(Mishap::Lost);
        page.press_button("Replay this text").await;
        page.until_text(".told", "The answer was lost on the way, but it is no longer open. What happened stands below.").await;
        page.until_text(".history li:nth-last-child(2)", "Replayed, edited, by token:0a1b2c3d 2 Jan 2026, 03:04:05 UTC").await;
        // What somebody else has dealt with is not dealt with twice, and the text is still there.
        let id = page.shop.refuse(b"{", "not_json", &[]);
        page.open_letter(id).await;
        page.press_button("Edit and replay").await;
        page.type_over("#edit", "{\"a\":1}").await;
        page.shop.amend(id, json!({ "resolution": "discarded", "resolved_by": "cli:anna", "resolved_at": "2026-01-02T03:04:05Z" }));
        page.press_button("Replay this text").await;
        page.until_text(".told", "It is no longer open: somebody dealt with it before, or this very request arrived twice. What happened stands below.").await;
        page.last_step("Discarded, by cli:anna 2 Jan 2026, 03:04:05 UTC").await;
        assert_eq!(page.field(".mend textarea").await, "{\"a\":1}");
        page.press_button("Drop the edit").await;
        page.browser.until("document.querySelector('.mend textarea') === null").await;
    })
    .await;
}

#[tokio::test]
async fn a_letter_is_discarded_with_a_note_by_keyboard_alone() {
    visit(async |page| {
        let id = page.shop.refuse(b"{", "not_json", &[]);
        page.sign_in().await;
        page.open_letter(id).await;
        page.tab_to("Discard…").await;
        page.browser.press(ENTER).await;
        page.browser.until("document.activeElement.id === 'note'").await;
        page.browser.press("\u{e00c}").await;
        page.browser.until("document.activeElement.textContent === 'Discard…'").await;
        assert_eq!(page.texts("dialog").await, json!([]));
        page.browser.press(ENTER).await;
        page.browser.until("document.activeElement.id === 'note'").await;
        page.shop.mishap(Mishap::Refused(503, "no store"));
        page.browser.press(&format!("a <b>test</b>{TAB}")).await;
        page.browser.press(ENTER).await;
        page.until_text("dialog .wrong", "The service can't do this right now. Send it again in a moment: it is done once at most. (no store)").await;
        page.browser.press(ENTER).await;
        page.until_text(".told", "It was discarded.").await;
        page.browser.until("document.activeElement.className === 'told'").await;
        page.until_text(".history blockquote", "a <b>test</b>").await;
        assert_eq!(page.shop.sent()[1..], ["DELETE 1 {\"note\":\"a <b>test</b>\"}"]);
    })
    .await;
}

#[tokio::test]
async fn a_dialog_stays_until_it_is_known_whether_its_change_was_made() {
    visit(async |page| {
        let id = page.shop.refuse(b"{", "not_json", &[]);
        page.sign_in().await;
        page.open_letter(id).await;
        page.press_button("Discard…").await;
        page.browser.until("document.activeElement.id === 'note'").await;
        page.browser.press("noise").await;
        page.shop.hold(true);
        page.shop.mishap(Mishap::Refused(503, "no store"));
        page.click("dialog [type=submit]").await;
        page.browser.until("document.querySelector('dialog [type=button]').disabled").await;
        for _ in 0..2 {
            page.browser.press("\u{e00c}").await;
        }
        page.shop.hold(false);
        page.until_text("dialog .wrong", "The service can't do this right now. Send it again in a moment: it is done once at most. (no store)").await;
        assert_eq!(page.field("dialog textarea").await, "noise");
        page.press_button("Cancel").await;
        page.browser.until("document.querySelector('dialog') === null").await;
    })
    .await;
}

#[tokio::test]
async fn nothing_else_is_begun_and_nothing_typed_while_a_change_is_under_way() {
    visit(async |page| {
        let (one, two) = (page.shop.refuse(b"{", "not_json", &[]), page.shop.refuse(b"{", "not_json", &[]));
        page.sign_in().await;
        page.open_letter(one).await;
        page.shop.hold(true);
        page.press_button("Replay").await;
        page.browser.until("document.querySelector('.mend[aria-busy]')").await;
        for button in ["Replay", "Edit and replay", "Discard…"] {
            page.press_button(button).await;
            assert_eq!(page.texts("dialog, #edit").await, json!([]), "{button}");
        }
        page.shop.hold(false);
        page.until_text(".told", "It was replayed as it was.").await;
        page.open_letter(two).await;
        page.press_button("Edit and replay").await;
        page.type_over("#edit", "{}").await;
        page.shop.hold(true);
        page.shop.mishap(Mishap::Refused(503, "no store"));
        page.press_button("Replay this text").await;
        page.browser.until("document.getElementById('edit').readOnly").await;
        page.press_button("Drop the edit").await;
        assert_eq!(page.field("#edit").await, "{}");
        page.shop.hold(false);
        page.browser.until("!document.getElementById('edit').readOnly").await;
        page.press_button("Replay this text").await;
        page.until_text(".told", "Your text was sent in its place.").await;
        assert_eq!(page.shop.sent(), ["POST 1/replay ", "POST 2/replay {}", "POST 2/replay {}"]);
    })
    .await;
}

#[tokio::test]
async fn what_can_not_be_edited_here_says_how_to_edit_it() {
    visit(async |page| {
        let bytes = page.shop.refuse(b"{\xff", "not_utf8", &[]);
        let long = page.shop.refuse(b"{\"", "too_large", &[]);
        page.shop.amend(long, json!({ "bytes": 2_000_000, "truncated": true }));
        page.sign_in().await;
        for (id, why) in
            [(bytes, "The bytes are not UTF-8"), (long, "Only the beginning of the message is here")]
        {
            page.open_letter(id).await;
            page.press_button("Edit and replay").await;
            let said = page.browser.text(".mend").await;
            assert!(
                said.contains(why)
                    && said.contains(&format!("orderbox dead-letters replay --edit FILE {id}")),
                "{said}"
            );
            let whole = format!("orderbox dead-letters show --raw {id} > FILE");
            assert_eq!(said.contains(&whole), id == long, "{said}");
            assert_eq!(page.texts("textarea").await, json!([]));
            page.press_button("Close").await;
            page.press_button("Replay").await;
            page.browser.text(".told").await;
        }
    })
    .await;
}
