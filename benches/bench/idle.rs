//! The service with nothing to do, connected to its database and its broker, and its size.

use std::time::Duration;

use super::{
    Result,
    backlog::{self, Backlog},
    ingest::postgres::{fresh, start},
    rows::{
        Rows,
        Target::AtMost,
        Unit::{Mebibytes, Percent},
    },
    service,
    settings::Settings,
    support::orderbox::binary,
    usage,
};

const MEBIBYTE: f64 = 1024.0 * 1024.0;

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let cpu = rows.figure("idle/cpu", Percent, AtMost(0.5));
    let memory = rows.figure("idle/memory", Mebibytes, AtMost(30.0));
    let size = rows.figure("idle/binary", Mebibytes, AtMost(20.0));

    rows.measured(size, std::fs::metadata(binary())?.len() as f64 / MEBIBYTE);
    let server = start().await?;
    let stan = backlog::stan().await?;
    let nothing = Backlog::empty(&stan);
    let database = fresh(&server).await;
    let mut service = service::prepare(&service::settings(&database, &nothing, &nothing.durable()));
    service.restart().await;
    service::connected(&service).await?;
    for _ in settings.rounds() {
        let before = usage::cpu_micros(service.pid())?;
        let time = Duration::from_secs(settings.idle_seconds);
        tokio::time::sleep(time).await;
        let used = usage::cpu_micros(service.pid())? - before;
        rows.measured(cpu, used / time.as_micros() as f64 * 100.0);
        rows.measured(memory, usage::resident_bytes(service.pid())? / MEBIBYTE);
    }
    service::finish(service, &database, 0).await
}
