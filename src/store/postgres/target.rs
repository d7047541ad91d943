use std::time::Duration;

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};

use super::{BEGIN, Pace, Settings, copy, migrations, prepare};
use crate::store::{
    AT_LENGTH, Result,
    copy::{InUse, Mark, Row, Table},
    error::Failure,
    pool::{Pool, call},
};

/// A PostgreSQL database that `orderbox copy` fills.
#[derive(Debug)]
pub(in crate::store) struct Target {
    sessions: Pool<PgConnection>,
    timeout: Duration,
}

impl Target {
    pub(in crate::store) fn new(server: PgConnectOptions) -> Self {
        // Another name than that of a service, whose sessions are looked for.
        let server = server.application_name("orderbox copy").disable_statement_logging();
        // Its pages need the plans of a session of the service, which never read a table whole.
        let settings = Settings { server, pace: Pace::Bounded(AT_LENGTH) };
        Self { sessions: Pool::new(settings, 1), timeout: AT_LENGTH }
    }

    /// Says what an operator should know of the server, which has so long to answer.
    pub(in crate::store) async fn check(&self, timeout: Duration) -> Result<Vec<String>> {
        let server = async {
            let mut lease = self.sessions.lease().await?;
            let server = prepare::server(&mut lease).await;
            lease.end(server).await
        };
        self.sessions
            .bounded(timeout, "copy", server)
            .await?
            .warnings()
            .map_err(|reason| Failure::Unfit(reason).named("copy"))
    }

    pub(in crate::store) async fn mark(&self) -> Result<Option<Mark>> {
        call!(self.sessions, copy::mark())
    }

    pub(in crate::store) async fn services(&self) -> Result<i64> {
        call!(self.sessions, copy::services())
    }

    pub(in crate::store) async fn used(&self) -> Result<Option<&'static str>> {
        call!(self.sessions, copy::used())
    }

    pub(in crate::store) async fn start_over(&self) -> Result<()> {
        call!(self.sessions, BEGIN, copy::start_over())
    }

    /// Brings the schema up to date.
    pub(in crate::store) async fn migrate(&self) -> Result<()> {
        self.sessions
            .bounded(AT_LENGTH, "copy", async {
                let mut lease = self.sessions.lease().await?;
                let migrated = migrations::run(&mut lease).await;
                lease.end(migrated).await
            })
            .await
    }

    /// Notes that this is the target of a copy of `source`, unless it is in use: then nothing was noted.
    pub(in crate::store) async fn begin(&self, source: &str) -> Result<Option<InUse>> {
        self.sessions
            .bounded(AT_LENGTH, "copy", async {
                let mut lease = self.sessions.begin(BEGIN).await?;
                match copy::begin(&mut lease, source).await {
                    Ok(Some(in_use)) => lease.roll_back().await.map(|()| Some(in_use)),
                    begun => lease.end(begun).await,
                }
            })
            .await
    }

    pub(in crate::store) async fn state(&self, table: &Table) -> Result<(i64, Option<Row>)> {
        call!(self.sessions, BEGIN, copy::state(table))
    }

    pub(in crate::store) async fn put(&self, table: &Table, rows: &[Row]) -> Result<()> {
        call!(self.sessions, BEGIN, copy::put(table, rows))
    }

    pub(in crate::store) async fn page(
        &self,
        table: &Table,
        after: Option<&Row>,
        limit: i64,
    ) -> Result<Vec<Row>> {
        call!(self.sessions, copy::page(table, after, limit))
    }

    pub(in crate::store) async fn set_last_number(&self, table: &Table, number: i64) -> Result<()> {
        call!(self.sessions, copy::set_last_number(table, number))
    }

    pub(in crate::store) async fn finish(&self, whole: bool) -> Result<()> {
        call!(self.sessions, copy::finish(whole))
    }
}
