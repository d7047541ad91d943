//! A backlog into a PostgreSQL that holds many orders, against an empty one: two servers in turn, of which the other idles.

use super::{
    Result,
    backlog::{self, Backlog},
    fill,
    ingest::postgres::{fresh, remove, start},
    rows::{Rows, Target::AtLeast, Unit::PerSecond},
    service,
    settings::{Settings, in_turn},
};

#[derive(Debug, Clone, Copy)]
enum Side {
    Stocked,
    Empty,
}

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let growth = rows.ratio("growth/postgres", PerSecond, "empty", AtLeast(0.85));

    let (full, empty) = (start().await?, start().await?);
    let stan = backlog::stan().await?;
    // It grows by a backlog every round.
    let stock = fresh(&full).await;
    fill::stock(&stock, settings.stored).await?;
    for round in settings.rounds() {
        // New uids each time, for the stock keeps those of the round before.
        let backlog = Backlog::publish(&stan, settings.orders, 0.0).await?;
        let (mut stocked, mut unstocked) = (0.0, 0.0);
        for side in in_turn(round, [Side::Stocked, Side::Empty]) {
            match side {
                Side::Stocked => {
                    stock.execute("CHECKPOINT").await;
                    stocked = service::settle(&stock, &backlog).await?;
                }
                Side::Empty => {
                    let database = fresh(&empty).await;
                    unstocked = service::settle(&database, &backlog).await?;
                    remove(&empty, database).await?;
                }
            }
        }
        rows.compared(growth, stocked, unstocked);
    }
    Ok(())
}
