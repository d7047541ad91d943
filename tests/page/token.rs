//! The admin token: where it stays, and what becomes of a wrong one.

use serde_json::json;

use super::{ENTER, TOKEN, flow::flow, visit};

#[tokio::test]
async fn a_token_leaves_the_address_at_once_and_stays_in_the_tab() {
    visit(async |page| {
        page.sign_in().await;
        assert_eq!(page.path().await, "/");
        assert_eq!(page.browser.run("return localStorage.length").await, 0);
        page.open("/?dead_letters=").await;
        page.browser.text(".desk").await;
        // Nothing of it is in the history either: the way back leads to the bare address.
        page.browser.client.back().await.unwrap();
        page.browser.text(".flow").await;
        assert_eq!(page.path().await, "/");
        let requests = page.browser.requests().await;
        assert!(
            requests
                .iter()
                .filter(|url| url.contains("token"))
                .all(|url| url.contains("/#token=") || url.ends_with("token.js")),
            "{requests:?}"
        );
        page.click(".newest button").await;
        page.browser.text(".locked").await;
        assert_eq!(page.browser.run("return sessionStorage.length").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_wrong_token_is_said_and_forgotten_and_another_can_be_pasted() {
    visit(async |page| {
        page.shop.tell("flow", flow(0, 1, 1, 0));
        for path in ["/", "/?dead_letters=", "/?dead_letter=1"] {
            page.open("/favicon.ico").await;
            page.open(&format!("{path}#token=stale")).await;
            let said = "The token is wrong, or of an earlier start of the service. It was forgotten.";
            page.until_text(".wrong", said).await;
            page.browser.until(&format!("document.getElementById('announce').textContent === {}", json!(said))).await;
            let field = "const { ariaInvalid, attributes } = document.getElementById('token'); return [ariaInvalid, attributes['aria-describedby'].value]";
            assert_eq!(page.browser.run(field).await, json!(["true", "wrong"]), "{path}");
            assert_eq!(page.browser.run("return sessionStorage.length").await, 0, "{path}");
            assert_eq!(page.path().await, path);
        }
        page.shop.refuse(b"{", "not_json", &[]);
        // The focus waits where the next one is to be pasted.
        page.browser.until("document.activeElement.id === 'token'").await;
        page.browser.press(&format!("{TOKEN}{ENTER}")).await;
        assert_eq!(page.browser.text(".letter h2").await, "Dead letter 1 Open");
    })
    .await;
}

#[tokio::test]
async fn a_token_of_an_earlier_start_is_noticed_when_the_service_is_back() {
    visit(async |page| {
        page.shop.tell("flow", flow(0, 1, 1, 0));
        page.sign_in().await;
        page.until_text(".newest .tools button", "Forget the token").await;
        page.until_text(".state", "Live, the store answers").await;
        page.shop.restart();
        page.browser.text(".wrong").await;
        assert_eq!(page.browser.run("return sessionStorage.length").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_copied_link_holds_no_token() {
    visit(async |page| {
        let id = page.shop.refuse(b"{", "not_json", &[]);
        page.open(&format!("/?dead_letter={id}#token={TOKEN}")).await;
        let permissions = json!({ "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"] });
        page.browser.devtools("Browser.grantPermissions", permissions).await;
        page.click(".letter .tools button").await;
        page.until_text(".letter .tools [role=status]", "Copied").await;
        let copied = page.browser.run("return await navigator.clipboard.readText()").await;
        assert_eq!(copied, format!("{}/?dead_letter={id}", page.base));
    })
    .await;
}
