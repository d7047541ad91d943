//! JetStream as a source, with real servers and the binary that users run.

mod acks;
mod cluster;
mod consumer;
mod flow;
mod migration;
mod publish;

use crate::support::{database::Database, nats_server::NatsServer, orderbox::Orderbox};

/// The service on this database, reading the stream.
async fn reading(database: &Database, server: &NatsServer, more: &[(&str, &str)]) -> Orderbox {
    let url = server.url();
    let settings = [("JETSTREAM_URL", url.as_str()), ("SAMPLE_ORDER", "false")];
    Orderbox::on(database, &[&settings, more].concat()).await
}
