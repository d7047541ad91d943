//! The service under measurement: the release binary, on a database and a channel of its own.

use std::time::Duration;

use super::{
    Result,
    backlog::{Backlog, drained},
    support::{database::Database, orderbox::Orderbox, stan_server::StanServer},
};

/// How long a boot with everything read back may take.
const BOOT_LIMIT: Duration = Duration::from_secs(600);
const START_LIMIT: Duration = Duration::from_secs(60);

/// What a service is started with to drain a backlog as a durable that has seen none of it.
pub(crate) fn settings(
    database: &Database,
    backlog: &Backlog<'_>,
    durable: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("DATABASE_URL", database.url()),
        ("STAN_URL", backlog.stan().url()),
        ("STAN_CLUSTER_ID", StanServer::CLUSTER.to_owned()),
        ("STAN_CHANNEL", backlog.channel().to_owned()),
        ("STAN_CLIENT_ID", durable.to_owned()),
        ("STAN_DURABLE", durable.to_owned()),
        ("SAMPLE_ORDER", "false".to_owned()),
    ]
}

/// A service with these settings that is not started yet.
pub(crate) fn prepare(settings: &[(&'static str, String)]) -> Orderbox {
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Orderbox::prepare(&settings)
}

/// Settles the whole backlog into a database that may hold orders already: messages a second, from the subscription to the
/// last ack. An error unless `audit` finds every message accounted for, and the orders are as many more as they should be.
pub(crate) async fn settle(database: &Database, backlog: &Backlog<'_>) -> Result<f64> {
    database.store().await;
    let before = orders(database).await;
    let durable = backlog.durable();
    let mut service = prepare(&settings(database, backlog, &durable));
    // What is stored already is read back into memory before the first message comes.
    backlog.stan().pause();
    service.launch().await;
    let rebuilt = rebuilt(&service).await;
    backlog.stan().resume();
    rebuilt?;
    let time = drained(backlog, &durable).await?;
    finish(service, database, before + backlog.sound()).await?;
    Ok(backlog.messages() as f64 / time.as_secs_f64())
}

/// Stops the service and holds the database against what it must hold.
pub(crate) async fn finish(mut service: Orderbox, database: &Database, expected: u64) -> Result {
    let status = service.terminate().await;
    if !status.success() {
        return Err(format!("the service ended with {status}:\n{}", service.log()).into());
    }
    let stored = orders(database).await;
    if stored != expected {
        return Err(format!("{stored} orders are stored, {expected} should be").into());
    }
    let audit = service.run(&["audit"]);
    if !audit.status.success() {
        return Err(format!("the audit fails: {}", String::from_utf8_lossy(&audit.stdout)).into());
    }
    Ok(())
}

/// Waits until the cache holds what the store held at the start.
pub(crate) async fn rebuilt(service: &Orderbox) -> Result {
    until("the cache is rebuilt", BOOT_LIMIT, async || {
        service.metric("orderbox_cache_rebuild_seconds").await.is_some_and(|seconds| seconds > 0.0)
    })
    .await
}

/// Waits until the service has a connection to its broker.
pub(crate) async fn connected(service: &Orderbox) -> Result {
    until("NATS Streaming is connected", START_LIMIT, async || {
        service.metric("orderbox_stan_connected").await == Some(1.0)
    })
    .await
}

/// Waits for what takes longer than a test may wait.
pub(crate) async fn until(what: &str, limit: Duration, condition: impl AsyncFn() -> bool) -> Result {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(limit, waiting).await.map_err(|_| format!("{what}: not within {limit:?}").into())
}

/// How many orders are stored in a database with the service's tables.
pub(crate) async fn orders(database: &Database) -> u64 {
    database.number("SELECT count(*) FROM orders").await.unsigned_abs()
}
