//! A backlog of which a share is broken, against one that is sound.

use super::{
    Result,
    backlog::{self, Backlog},
    ingest::postgres::{fresh, remove, start},
    rows::{Rows, Target::AtLeast, Unit::PerSecond},
    service,
    settings::{Settings, in_turn},
};

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let some = rows.ratio("poison/2-percent", PerSecond, "sound", AtLeast(0.9));
    let all = rows.ratio("poison/100-percent", PerSecond, "sound", AtLeast(0.5));

    let server = start().await?;
    let stan = backlog::stan().await?;
    let backlogs = [
        Backlog::publish(&stan, settings.orders, 0.0).await?,
        Backlog::publish(&stan, settings.orders, 0.02).await?,
        Backlog::publish(&stan, settings.orders, 1.0).await?,
    ];
    for round in settings.rounds() {
        let mut rates = [0.0; 3];
        for side in in_turn(round, [0, 1, 2]) {
            let database = fresh(&server).await;
            rates[side] = service::settle(&database, &backlogs[side]).await?;
            remove(&server, database).await?;
        }
        rows.compared(some, rates[1], rates[0]);
        rows.compared(all, rates[2], rates[0]);
    }
    Ok(())
}
