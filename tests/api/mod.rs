//! The routes for people and programs that watch: rights, lists, live events, and the document that describes them all.

mod desk;
mod document;
mod events;
mod lists;
mod rights;
mod terminal;

use crate::support::{client::Answer, database::Database, orderbox::Orderbox};

const ADMIN: &str = "the-token-of-an-administrator";
const PUBLISH: &str = "the-token-of-a-publisher";

/// A service with both tokens set and no sample order.
async fn start(database: &Database) -> Orderbox {
    let settings = [("ADMIN_TOKEN", ADMIN), ("PUBLISH_TOKEN", PUBLISH), ("SAMPLE_ORDER", "false")];
    Orderbox::on(database, &settings).await
}

/// What an administrator gets.
async fn see(service: &Orderbox, path: &str) -> Answer {
    service.client().get_as(ADMIN, path).await
}

/// Publishes messages one after the other, each settled before the next.
async fn publish(service: &Orderbox, messages: &[&[u8]]) {
    for message in messages {
        let answer = service.client().post_as(PUBLISH, "/order", message.to_vec()).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        service.until_settled().await;
    }
}

/// The smallest order; documents with another `variant` have other bytes.
fn order(uid: &str, variant: u32) -> Vec<u8> {
    crate::conformance::fixture::small(uid, variant).into_bytes()
}
