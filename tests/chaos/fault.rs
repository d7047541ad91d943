use std::{path::PathBuf, process::Command};

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

/// What a fault did, and what it holds until it is mended.
#[derive(Debug, Default)]
pub(super) struct Struck {
    /// The service still stood at the point when the fault was there.
    pub(super) at_the_point: bool,
    write_lock: Option<rusqlite::Connection>,
}

/// How a test and the service at a fail point talk.
#[derive(Debug)]
pub(super) struct Point {
    /// There while the service stands at the point.
    pub(super) reached: PathBuf,
    /// Lets it go on.
    pub(super) go: PathBuf,
    /// The service itself holds there what the fault of a paused SQLite needs.
    pub(super) holds_write_lock: bool,
}

impl Point {
    fn let_go(&self) -> bool {
        let stands = self.reached.exists();
        std::fs::write(&self.go, "").unwrap();
        stands
    }
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

    /// Breaks it, and then lets the service go on. Nobody can hold the write lock of SQLite beside a settle before its commit,
    /// so there the lock is taken the moment the commit has let go of it.
    pub(super) async fn strike(
        self,
        service: &mut Orderbox,
        broker: &mut StanServer,
        database: &Database,
        postgres: Option<&postgres::Server>,
        point: &Point,
    ) -> Struck {
        let mut write_lock = None;
        match (self, postgres) {
            (Self::Killed, _) => service.kill(),
            (Self::BrokerGone, _) => broker.kill(),
            (Self::DatabaseGone, Some(postgres)) => postgres.stop().await,
            (Self::DatabasePaused, Some(postgres)) => postgres.signal_all("STOP").await,
            (Self::DatabaseGone, None) => limit_files(service, ROOM),
            (Self::DatabasePaused, None) => {
                let at_the_point = point.holds_write_lock && point.let_go();
                write_lock = Some(database.sqlite_write_lock());
                if point.holds_write_lock {
                    return Struck { at_the_point, write_lock };
                }
            }
        }
        Struck { at_the_point: point.let_go(), write_lock }
    }

    /// Mends all but the service, which is for the row to start again.
    pub(super) async fn mend(
        self,
        struck: Struck,
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
            (Self::DatabasePaused, None) => drop(struck.write_lock),
        }
    }
}

fn limit_files(service: &Orderbox, limit: &str) {
    let output = Command::new("prlimit").args(["--pid", &service.pid().to_string(), limit]).output().unwrap();
    assert!(output.status.success(), "prlimit: {}", String::from_utf8_lossy(&output.stderr));
}
