//! Many orders read back into memory at a start, against COPY of the same rows, while reads are answered.

use std::time::{Duration, Instant};

use axum::http::Method;
use bytes::Bytes;
use futures_util::TryStreamExt;
use sqlx::postgres::PgPoolCopyExt;
use tokio::net::TcpStream;

use super::{
    Result, fill,
    ingest::postgres::{fresh, start},
    rows::{
        Rows,
        Target::{AtLeast, AtMost},
        Unit::{Bytes as InBytes, Millis, PerSecond},
    },
    service,
    settings::{Settings, in_turn},
    support::{
        client::Client,
        database::Database,
        orderbox::{Orderbox, order_path},
    },
    usage,
};

const COPY: &str = "COPY orders (id, order_uid, document) TO STDOUT (FORMAT binary)";
/// Room for all of them, at 2 KiB each.
const CACHE_BYTES_AN_ORDER: u64 = 2048;
/// The oldest order: the last one that the rebuild reaches.
const OLDEST: &str = "SELECT order_uid FROM orders ORDER BY id LIMIT 1";
const LISTEN_LIMIT: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy)]
enum Side {
    Boot,
    Copy,
}

/// What one boot showed.
struct Boot {
    orders_a_second: f64,
    first_read_millis: f64,
    resident_bytes: f64,
}

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let rebuild = rows.ratio("boot/rebuild", PerSecond, "COPY", AtLeast(0.6));
    let first_read = rows.figure("boot/first-read", Millis, AtMost(100.0));
    let memory = rows.figure("boot/memory", InBytes, AtMost(120.0));

    let server = start().await?;
    let (empty, full) = (fresh(&server).await, fresh(&server).await);
    fill::stock(&full, settings.stored).await?;
    let oldest = full.rows(OLDEST).await[0][0].clone().ok_or("nothing is stored")?;
    let documents = full.number("SELECT sum(octet_length(document)) FROM orders").await as f64;
    let resident_without = resident_when_empty(&empty).await?;
    let cache = settings.stored * CACHE_BYTES_AN_ORDER;
    let mut service = service::prepare(&[
        ("DATABASE_URL", full.url()),
        ("CACHE_BYTES", cache.to_string()),
        ("SAMPLE_ORDER", "false".to_owned()),
    ]);
    // The port is known from the first start on.
    service.restart().await;
    for round in settings.rounds() {
        let (mut booted, mut copied) = (Option::None, 0.0);
        for side in in_turn(round, [Side::Boot, Side::Copy]) {
            match side {
                Side::Boot => booted = Some(boot(&mut service, &oldest, settings.stored).await?),
                Side::Copy => copied = settings.stored as f64 / copy(&full).await?.as_secs_f64(),
            }
        }
        let booted = booted.ok_or("it was booted")?;
        rows.compared(rebuild, booted.orders_a_second, copied);
        rows.measured(first_read, booted.first_read_millis);
        let beside = booted.resident_bytes - resident_without - documents;
        rows.measured(memory, beside / settings.stored as f64);
    }
    service::finish(service, &full, settings.stored).await
}

async fn resident_when_empty(database: &Database) -> Result<f64> {
    let mut service =
        service::prepare(&[("DATABASE_URL", database.url()), ("SAMPLE_ORDER", "false".to_owned())]);
    service.restart().await;
    service::rebuilt(&service).await?;
    usage::resident_bytes(service.pid())
}

/// Starts the service anew and waits until everything is in memory.
async fn boot(service: &mut Orderbox, oldest: &str, orders: u64) -> Result<Boot> {
    service.kill();
    let port = service.address().1;
    let ((), first_read) = tokio::join!(service.launch(), first_read(port, oldest));
    service::rebuilt(service).await?;
    let cached = service.metric("orderbox_cache_entries").await;
    if cached != Some(orders as f64) {
        return Err(format!("{cached:?} of {orders} orders are in memory").into());
    }
    let seconds = service.metric("orderbox_cache_rebuild_seconds").await.ok_or("the rebuild took no time")?;
    Ok(Boot {
        orders_a_second: orders as f64 / seconds,
        first_read_millis: first_read?.as_secs_f64() * 1e3,
        resident_bytes: usage::resident_bytes(service.pid())?,
    })
}

/// From the first connection that the service takes to the first read that it answers with the order.
async fn first_read(port: u16, uid: &str) -> Result<Duration> {
    let path = order_path(uid);
    let reading = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        let (began, client) = (Instant::now(), Client::of(port));
        while client
            .try_send(Method::GET, &path, Bytes::new())
            .await
            .is_none_or(|answer| answer.status != 200)
        {
            tokio::time::sleep(Duration::from_micros(500)).await;
        }
        began.elapsed()
    };
    Ok(tokio::time::timeout(LISTEN_LIMIT, reading).await.map_err(|_| format!("{uid} is not read"))?)
}

/// How long the database takes to hand the rows over.
async fn copy(database: &Database) -> Result<Duration> {
    let Database::Postgres(database) = database else { return Err("COPY is of PostgreSQL".into()) };
    let pool = sqlx::PgPool::connect(&database.url()).await?;
    let began = Instant::now();
    let bytes = pool.copy_out_raw(COPY).await?.try_fold(0, async |sum, piece| Ok(sum + piece.len())).await?;
    let time = began.elapsed();
    pool.close().await;
    if bytes == 0 { Err("COPY gave nothing".into()) } else { Ok(time) }
}
