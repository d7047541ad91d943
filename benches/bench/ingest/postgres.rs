//! Against a mover of raw messages, against the same rows filled in by SQL alone, and beside the broker's own speed.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{
    Result,
    backlog::{self, Backlog},
    fill, mover,
    rows::{
        Rows,
        Target::{AtLeast, AtMost, None},
        Unit::{Bytes, PerSecond},
    },
    service,
    settings::{Settings, in_turn},
    support::{database::Database, postgres::Server},
};

#[derive(Debug, Clone, Copy)]
enum Side {
    Orderbox,
    Mover,
    Floor,
    Drain,
}

/// What each side did in a round.
#[derive(Debug, Default)]
struct Round {
    orderbox: f64,
    mover: f64,
    floor: f64,
    drain: f64,
    /// Bytes of WAL an order.
    wal: f64,
    floor_wal: f64,
}

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let over_mover = rows.ratio("ingest-postgres/mover", PerSecond, "raw table", AtLeast(1.4));
    let over_floor = rows.ratio("ingest-postgres/floor", PerSecond, "SQL", AtLeast(0.8));
    let over_drain = rows.ratio("ingest-postgres/drain", PerSecond, "STAN alone", None);
    let wal = rows.ratio("ingest-postgres/wal", Bytes, "SQL", AtMost(1.8));

    let server = start().await?;
    let stan = backlog::stan().await?;
    let backlog = Backlog::publish(&stan, settings.orders, 0.0).await?;
    for round in settings.rounds() {
        let mut figures = Round::default();
        for side in in_turn(round, [Side::Orderbox, Side::Mover, Side::Floor, Side::Drain]) {
            run(side, &server, &backlog, &mut figures).await?;
        }
        rows.compared(over_mover, figures.orderbox, figures.mover);
        rows.compared(over_floor, figures.orderbox, figures.floor);
        rows.compared(over_drain, figures.orderbox, figures.drain);
        rows.compared(wal, figures.wal, figures.floor_wal);
    }
    Ok(())
}

/// A server with its own defaults: what it commits is on the disk.
pub(crate) async fn start() -> Result<Server> {
    Server::start(&[]).await.ok_or_else(|| "PostgreSQL is not installed".into())
}

async fn run(side: Side, server: &Server, backlog: &Backlog<'_>, figures: &mut Round) -> Result {
    let database = fresh(server).await;
    let before = wal_bytes(&database).await?;
    let written = async |figure: &mut f64| -> Result {
        *figure = (wal_bytes(&database).await? - before) / backlog.messages() as f64;
        Ok(())
    };
    match side {
        Side::Orderbox => {
            figures.orderbox = service::settle(&database, backlog).await?;
            written(&mut figures.wal).await?;
        }
        Side::Floor => {
            figures.floor = fill::fill(&database, backlog.messages()).await?;
            written(&mut figures.floor_wal).await?;
        }
        Side::Mover => figures.mover = mover::moved(&database, backlog).await?,
        Side::Drain => figures.drain = mover::dropped(backlog).await?,
    }
    remove(server, database).await
}

/// A database with the service's tables, empty, right after a checkpoint: every side writes the same full pages.
pub(crate) async fn fresh(server: &Server) -> Database {
    let database = Database::Postgres(server.database().await);
    database.store().await;
    database.execute("CHECKPOINT").await;
    database
}

/// Drops a database, so that the next finds the disk as this one did.
pub(crate) async fn remove(server: &Server, database: Database) -> Result {
    let Database::Postgres(database) = database else { return Ok(()) };
    let mut connection = PgConnection::connect(&server.url("postgres")).await?;
    let sql = format!("DROP DATABASE {} WITH (FORCE)", database.name());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    Ok(())
}

async fn wal_bytes(database: &Database) -> Result<f64> {
    let rows = database.rows("SELECT (pg_current_wal_lsn() - '0/0')::text").await;
    Ok(rows[0][0].as_deref().unwrap_or_default().parse()?)
}
