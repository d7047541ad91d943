//! The least that a mover of messages does: NATS Streaming into one table of raw documents, acked after the commit. It
//! validates nothing, and writes one table where the service writes four.

use std::{borrow::Cow, time::Duration};

use futures_util::FutureExt;
use orderbox::stan::{Connection, Message, Subscription};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    Result, Trouble,
    backlog::{Backlog, drained},
    support::database::Database,
};

const BATCH: usize = 1000;
/// How long a batch that is not full waits for more.
const PERIOD: Duration = Duration::from_millis(10);

const CREATE: &str = "CREATE TABLE raw (order_uid text COLLATE \"C\" PRIMARY KEY, payload bytea NOT NULL)";
const INSERT: &str = "
    INSERT INTO raw (order_uid, payload) SELECT * FROM unnest($1::text[], $2::bytea[])
    ON CONFLICT (order_uid) DO UPDATE SET payload = excluded.payload";

#[derive(Deserialize)]
struct Uid<'a> {
    #[serde(borrow)]
    order_uid: Cow<'a, str>,
}

/// Moves a backlog of sound orders: messages a second.
pub(crate) async fn moved(database: &Database, backlog: &Backlog<'_>) -> Result<f64> {
    let Database::Postgres(database) = database else { return Err("the mover needs PostgreSQL".into()) };
    let mut connection = database.connection().await;
    sqlx::query(CREATE).execute(&mut connection).await?;
    let durable = backlog.durable();
    let moving = Box::pin(move_all(&mut connection, backlog, &durable));
    let (moved, time) = tokio::join!(moving, drained(backlog, &durable));
    moved?;
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM raw").fetch_one(&mut connection).await?;
    if rows.unsigned_abs() != backlog.messages() {
        return Err(format!("the mover has moved {rows} of {} orders", backlog.messages()).into());
    }
    Ok(backlog.messages() as f64 / time?.as_secs_f64())
}

/// Drains a backlog without doing anything with it: messages a second.
pub(crate) async fn dropped(backlog: &Backlog<'_>) -> Result<f64> {
    let durable = backlog.durable();
    let dropping = Box::pin(async {
        let (connection, mut subscription) = backlog.subscribe(&durable).await?;
        for _ in 0..backlog.messages() {
            subscription.next().await.ok_or("the subscription has ended")?.acker.ack();
        }
        connection.ping().await?;
        Ok::<_, Trouble>((connection, subscription))
    });
    let (dropped, time) = tokio::join!(dropping, drained(backlog, &durable));
    dropped?;
    Ok(backlog.messages() as f64 / time?.as_secs_f64())
}

/// One lane: a batch, its commit, its acks, and then the next.
async fn move_all(
    connection: &mut PgConnection,
    backlog: &Backlog<'_>,
    durable: &str,
) -> Result<(Connection, Subscription)> {
    let (stan, mut subscription) = backlog.subscribe(durable).await?;
    let mut moved = 0;
    while moved < backlog.messages() {
        let batch = batch(&mut subscription).await.ok_or("the subscription has ended")?;
        let uids = batch.iter().map(|message| serde_json::from_slice::<Uid<'_>>(&message.data));
        let uids =
            uids.map(|uid| uid.map(|uid| uid.order_uid)).collect::<std::result::Result<Vec<_>, _>>()?;
        let payloads: Vec<&[u8]> = batch.iter().map(|message| &*message.data).collect();
        let insert = sqlx::query(INSERT).bind(uids).bind(payloads);
        moved += insert.execute(&mut *connection).await?.rows_affected();
        batch.into_iter().for_each(|message| message.acker.ack());
    }
    stan.ping().await?;
    Ok((stan, subscription))
}

/// As many messages as are there, up to a batch.
async fn batch(subscription: &mut Subscription) -> Option<Vec<Message>> {
    let mut batch = Vec::with_capacity(BATCH);
    batch.push(subscription.next().await?);
    while batch.len() < BATCH {
        let next = match subscription.next().now_or_never() {
            Some(next) => next,
            None => match tokio::time::timeout(PERIOD, subscription.next()).await {
                Ok(next) => next,
                Err(_) => break,
            },
        };
        batch.push(next?);
    }
    Some(batch)
}
