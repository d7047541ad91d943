use super::start_with;
use crate::http::{Token, Tokens};

const ADMIN: &str = "Authorization: Bearer administrator\r\n";

#[tokio::test]
async fn while_the_store_is_down_lists_are_503_and_do_not_quote_it() {
    let server = start_with(Tokens { admin: Some(Token::new("administrator")), ..Tokens::default() }).await;
    server.doubles.store.fail(Some("password of user orderbox refused"));
    for path in ["/api/orders/recent", "/api/orders/a/history", "/api/dead-letters", "/api/dead-letters/1"] {
        let reply = server.send(&format!("GET {path}"), ADMIN, "").await;
        let detail = reply.problem(503);
        assert!(!detail.contains("password"), "{detail}");
        assert_eq!(reply.header("retry-after"), Some("5"), "{path}");
    }
}
