//! On an empty file and on one that holds many orders, and against the same rows filled in by SQL alone.

use crate::{
    Result,
    backlog::{self, Backlog},
    fill,
    rows::{
        Rows,
        Target::{AtLeast, None},
        Unit::PerSecond,
    },
    service,
    settings::{Settings, in_turn},
    support::database::Database,
};

#[derive(Debug, Clone, Copy)]
enum Side {
    Empty,
    Stocked,
    Floor,
}

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let rate = rows.figure("ingest-sqlite/rate", PerSecond, AtLeast(25_000.0));
    let over_floor = rows.ratio("ingest-sqlite/floor", PerSecond, "SQL", None);
    let stocked = rows.ratio("ingest-sqlite/stored", PerSecond, "empty", AtLeast(0.75));

    let stan = backlog::stan().await?;
    let stock = Database::sqlite().expect("SQLite is built in");
    fill::stock(&stock, settings.stored).await?;
    for round in settings.rounds() {
        // New uids each time, for the stock keeps those of the round before.
        let backlog = Backlog::publish(&stan, settings.orders, 0.0).await?;
        let (mut empty, mut full, mut floor) = (0.0, 0.0, 0.0);
        for side in in_turn(round, [Side::Empty, Side::Stocked, Side::Floor]) {
            let file = Database::sqlite().expect("SQLite is built in");
            file.store().await;
            match side {
                Side::Empty => empty = service::settle(&file, &backlog).await?,
                Side::Stocked => full = service::settle(&stock, &backlog).await?,
                Side::Floor => floor = fill::fill(&file, backlog.messages()).await?,
            }
        }
        rows.measured(rate, empty);
        rows.compared(over_floor, empty, floor);
        rows.compared(stocked, full, empty);
    }
    Ok(())
}
