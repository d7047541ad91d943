//! From publishing an order to the first read that finds it, while others are published at a rate; against the disk.

use std::{
    fs::File,
    io::{self, Write},
    time::{Duration, Instant},
};

use axum::http::Method;
use bytes::Bytes;
use futures_util::future::try_join_all;
use orderbox::{
    sample::{Generator, Kind, Options},
    stan::Outcome,
};
use tempfile::NamedTempFile;
use tokio::sync::oneshot::{self, error::TryRecvError};

use super::{
    Result, Trouble,
    backlog::{self, Backlog},
    ingest::postgres::{fresh, remove, start},
    rows::{
        Rows,
        Target::{AtMost, None},
        Unit::Millis,
    },
    service,
    settings::Settings,
    support::{
        orderbox::{Orderbox, order_path},
        postgres::Server,
        stan_server::StanServer,
    },
};

/// Orders that are looked for, beside the others: one every so often, from a second after the start. So seldom that the looking
/// is not what loads the database.
const PROBE_EVERY: Duration = Duration::from_millis(100);
const PROBE_AFTER: Duration = Duration::from_secs(1);
/// Between two looks: what a figure is exact to. A look that finds nothing is a question to the database, so an order that is late
/// is looked for less often: after another twentieth of the time it has taken.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const LESS_OFTEN: u32 = 20;
/// How far behind the service may be.
const LIMIT: Duration = Duration::from_secs(120);

/// What the disk is measured by: so many appends with their fsync one after the other while nothing else goes on, or one every so
/// often beside the orders.
const APPENDS: usize = 500;
const APPEND_EVERY: Duration = Duration::from_millis(20);
const APPENDED: [u8; 4096] = [b'x'; 4096];

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let slow = rows.ratio("latency/1000", Millis, "4 fsyncs + 8 ms", AtMost(1.0));
    let slow_by_idle = rows.ratio("latency/1000-idle", Millis, "4 idle fsyncs + 8 ms", None);
    let fast = rows.figure("latency/10000", Millis, AtMost(100.0));
    let fsync = rows.figure("latency/fsync", Millis, None);
    let idle = rows.figure("latency/fsync-idle", Millis, None);

    let server = start().await?;
    for _ in settings.rounds() {
        let alone = fsyncs(Duration::ZERO, |done| done < APPENDS).await?;
        let (at_a_thousand, beside) = p99_millis(&server, 1_000, settings.latency_seconds).await?;
        let (at_ten_thousand, _) = p99_millis(&server, 10_000, settings.latency_seconds).await?;
        rows.measured(idle, alone);
        rows.measured(fsync, beside);
        rows.compared(slow, at_a_thousand, 4.0 * beside + 8.0);
        rows.compared(slow_by_idle, at_a_thousand, 4.0 * alone + 8.0);
        rows.measured(fast, at_ten_thousand);
    }
    Ok(())
}

/// The p99 from a publish to the read that finds it, at so many orders a second, and that of an fsync meanwhile.
async fn p99_millis(server: &Server, rate: u64, seconds: u64) -> Result<(f64, f64)> {
    // A channel that has never had a message.
    let stan = backlog::stan().await?;
    let channel = Backlog::empty(&stan);
    let database = fresh(server).await;
    let mut service = service::prepare(&service::settings(&database, &channel, &channel.durable()));
    service.restart().await;
    service::connected(&service).await?;

    let orders = rate * seconds;
    let probes =
        Duration::from_secs(seconds).saturating_sub(PROBE_AFTER).as_millis() / PROBE_EVERY.as_millis();
    let probes = usize::try_from(probes)?.max(1);
    let (going_on, mut over) = oneshot::channel::<()>();
    let load = async {
        let load = tokio::join!(
            backlog::publish_at(&stan, channel.channel(), orders, rate),
            probe(&stan, channel.channel(), &service, probes)
        );
        drop(going_on);
        load
    };
    let disk = fsyncs(APPEND_EVERY, move |_| over.try_recv() == Err(TryRecvError::Empty));
    let ((published, found), disk) = tokio::join!(load, disk);
    published?;
    let mut millis = found?;
    service::until("everything published is acked", LIMIT, async || {
        stan.backlog(channel.channel()).await == 0
    })
    .await?;
    service::finish(service, &database, orders + probes as u64).await?;
    remove(server, database).await?;
    Ok((p99(&mut millis), disk?))
}

/// Publishes orders one after the other and looks for each: milliseconds until it is found.
async fn probe(stan: &StanServer, channel: &str, service: &Orderbox, probes: usize) -> Result<Vec<f64>> {
    let connection = backlog::connect(stan, "bench-probe").await?;
    let began = tokio::time::Instant::now() + PROBE_AFTER;
    let options = Options { items: Some(1), ..Options::default() };
    let samples = Generator::new(backlog::next(), options).take(probes).zip(0..);
    let found = try_join_all(samples.map(async |(sample, number)| {
        let Kind::Sound { uid } = sample.kind else { return Err(Trouble::from("a probe is broken")) };
        tokio::time::sleep_until(began + PROBE_EVERY * number).await;
        let published = Instant::now();
        let publishing = connection.start_publish(channel, sample.payload).await?;
        let millis = look(service, &uid).await?.duration_since(published).as_secs_f64() * 1e3;
        match publishing.await {
            Outcome::Stored => Ok(millis),
            outcome => Err(format!("a probe: {outcome:?}").into()),
        }
    }))
    .await?;
    Ok(found)
}

/// When an order was found.
async fn look(service: &Orderbox, uid: &str) -> Result<Instant> {
    let path = order_path(uid);
    let began = Instant::now();
    let looking = async {
        loop {
            tokio::time::sleep(LOOK_EVERY.max(began.elapsed() / LESS_OFTEN)).await;
            let answer = service.client().try_send(Method::GET, &path, Bytes::new()).await;
            if answer.is_some_and(|answer| answer.status == 200) {
                return Instant::now();
            }
        }
    };
    tokio::time::timeout(LIMIT, looking)
        .await
        .map_err(|_| format!("{uid} is not there after {LIMIT:?}").into())
}

/// The p99 of an append of 4 KiB that is then on the disk: of at least one, and of more for as long as it `goes_on`.
async fn fsyncs(pause: Duration, mut goes_on: impl FnMut(usize) -> bool + Send + 'static) -> Result<f64> {
    let appending = move || -> io::Result<f64> {
        let mut file: NamedTempFile<File> = NamedTempFile::new()?;
        let mut millis = Vec::new();
        loop {
            let began = Instant::now();
            file.write_all(&APPENDED)?;
            file.as_file().sync_all()?;
            millis.push(began.elapsed().as_secs_f64() * 1e3);
            if !goes_on(millis.len()) {
                return Ok(p99(&mut millis));
            }
            std::thread::sleep(pause);
        }
    };
    Ok(tokio::task::spawn_blocking(appending).await??)
}

fn p99(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 99).div_ceil(100) - 1]
}
