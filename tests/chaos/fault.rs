use std::{path::Path, process::Command};

use sqlx::SqliteConnection;

use crate::support::{database::Database, orderbox::Orderbox, postgres, stan_server::StanServer};

/// No write of the service to a file gets beyond this many bytes while the database is gone: less than the database has, more than
/// the log.
const ROOM: &str = "--fsize=65536:unlimited";

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    Killed,
    DatabaseGone,
    DatabasePaused,
    BrokerGone,
}

/// What a fault holds until it is mended.
#[derive(Debug, Default)]
pub(super) struct Held {
    write_lock: Option<SqliteConnection>,
}

impl Fault {
    pub(super) const ALL: [Self; 4] =
        [Self::Killed, Self::DatabaseGone, Self::DatabasePaused, Self::BrokerGone];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::DatabaseGone => "database gone",
            Self::DatabasePaused => "database paused",
            Self::BrokerGone => "broker gone",
        }
    }

    /// Breaks it. `go` lets the service go on that is held: at once where it holds itself what the fault needs, else afterwards.
    pub(super) async fn strike(
        self,
        service: &mut Orderbox,
        broker: &mut StanServer,
        database: &Database,
        postgres: Option<&postgres::Server>,
        holds_write_lock: bool,
        go: &Path,
    ) -> Held {
        let mut held = Held::default();
        match (self, postgres) {
            (Self::Killed, _) => service.kill(),
            (Self::BrokerGone, _) => broker.kill(),
            (Self::DatabaseGone, Some(postgres)) => postgres.stop().await,
            (Self::DatabasePaused, Some(postgres)) => postgres.signal_all("STOP").await,
            (Self::DatabaseGone, None) => limit_files(service, ROOM),
            (Self::DatabasePaused, None) => {
                let mut connection = database.sqlite_connection().await;
                if holds_write_lock {
                    std::fs::write(go, "").unwrap();
                }
                sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
                held.write_lock = Some(connection);
            }
        }
        std::fs::write(go, "").unwrap();
        held
    }

    /// Mends all but the service, which is for the row to start again.
    pub(super) async fn mend(
        self,
        held: Held,
        service: &mut Orderbox,
        broker: &mut StanServer,
        postgres: Option<&postgres::Server>,
    ) {
        match (self, postgres) {
            (Self::Killed, _) => {}
            (Self::BrokerGone, _) => broker.restart().await,
            (Self::DatabaseGone, Some(postgres)) => postgres.start_again().await,
            (Self::DatabasePaused, Some(postgres)) => postgres.signal_all("CONT").await,
            // A service that was stopping has ended meanwhile.
            (Self::DatabaseGone, None) if service.has_ended() => {}
            (Self::DatabaseGone, None) => limit_files(service, "--fsize=unlimited"),
            (Self::DatabasePaused, None) => drop(held.write_lock),
        }
    }
}

fn limit_files(service: &Orderbox, limit: &str) {
    let output = Command::new("prlimit").args(["--pid", &service.pid().to_string(), limit]).output().unwrap();
    assert!(output.status.success(), "prlimit: {}", String::from_utf8_lossy(&output.stderr));
}
