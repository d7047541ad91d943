//! How large the inbox of PostgreSQL becomes under sustained load.

use std::time::{Duration, Instant};

use super::{
    Result,
    backlog::{self, Backlog},
    ingest::postgres::{fresh, start},
    rows::{
        Rows,
        Target::{AtMost, None},
        Unit::{Megabytes, Seconds},
    },
    service,
    settings::Settings,
    support::stan_server::StanServer,
};

const SIZE: &str = "SELECT pg_total_relation_size('inbox')";
/// How many messages the broker keeps: what the service has not taken by then is lost, and the audit says so.
const KEPT: &str = "1000000";
const DRAIN_LIMIT: Duration = Duration::from_secs(600);

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let size = rows.figure("inbox/size", Megabytes, AtMost(100.0));
    let behind = rows.figure("inbox/behind", Seconds, None);

    let server = start().await?;
    let stan = StanServer::builder().file_store().args(["-mc", KEPT]).start().await;
    let stan = stan.ok_or("nats-streaming-server is not installed")?;
    let channel = Backlog::empty(&stan);
    let database = fresh(&server).await;
    let mut service = service::prepare(&service::settings(&database, &channel, &channel.durable()));
    service.restart().await;
    service::connected(&service).await?;

    let orders = (settings.inbox_minutes * 60.0 * settings.inbox_rate as f64) as u64;
    let mut publishing = Box::pin(publish_and_wait(&stan, channel.channel(), orders, settings.inbox_rate));
    let mut largest = 0;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    let late = loop {
        tokio::select! {
            late = &mut publishing => break late?,
            _ = every_second.tick() => largest = largest.max(database.number(SIZE).await),
        }
    };
    rows.measured(size, largest as f64 / 1e6);
    rows.measured(behind, late.as_secs_f64());
    service::finish(service, &database, orders).await
}

/// Publishes at a rate; how much later the last message was acked.
async fn publish_and_wait(stan: &StanServer, channel: &str, orders: u64, rate: u64) -> Result<Duration> {
    backlog::publish_at(stan, channel, orders, rate).await?;
    let ended = Instant::now();
    service::until("everything published is acked", DRAIN_LIMIT, async || {
        stan.last_sequence(channel).await == orders && stan.backlog(channel).await == 0
    })
    .await?;
    Ok(ended.elapsed())
}
