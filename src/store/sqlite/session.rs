use std::{path::PathBuf, time::Duration};

use rusqlite::{Connection, OpenFlags};
use tokio::{runtime::Handle, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::store::{cause::Cause, pool::Session};

/// More than the store has, so that each is prepared once.
const STATEMENTS: usize = 64;
/// After so many steps of SQLite's machine, of which a row takes about fifty, it asks whether to go on.
const STEPS: i32 = 1000;
/// SQLite counts milliseconds in 32 bits.
const LONGEST_WAIT: Duration = Duration::from_millis(i32::MAX as u64);

/// How a connection is opened.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) path: PathBuf,
    /// Whether a file that is not there is made.
    pub(super) create: bool,
    /// How long to wait for a lock that another process holds.
    pub(super) busy_timeout: Duration,
    /// Statements that set the connection up.
    pub(super) pragmas: &'static str,
}

/// A connection to the file. What it does is done on a thread that may wait for a disk. Whoever gives up meanwhile leaves
/// the connection to that thread, which stops before its next step and closes it.
#[derive(Debug)]
pub(super) struct SqliteSession {
    /// None while a call has it, and after one that was given up.
    connection: Option<Connection>,
    given_up: CancellationToken,
}

impl SqliteSession {
    /// Does all of `work` on one such thread.
    pub(super) async fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Cause> + Send + 'static,
    ) -> Result<T, Cause> {
        let given_up = self.given_up.clone().drop_guard();
        let mut session = Self { connection: self.connection.take(), given_up: self.given_up.clone() };
        let (session, answer) = on_a_thread(move || {
            let answer = match &mut session.connection {
                Some(connection) if !session.given_up.is_cancelled() => work(connection),
                _ => Err(Cause::Lost("the call was given up".to_owned())),
            };
            (session, answer)
        })
        .await?;
        given_up.disarm();
        *self = session;
        answer
    }
}

impl Session for SqliteSession {
    type Settings = Settings;

    async fn open(settings: &Settings) -> Result<Self, Cause> {
        let settings = settings.clone();
        on_a_thread(move || open(&settings)).await?
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), Cause> {
        self.call(move |connection| {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(())?;
            while rows.next()?.is_some() {}
            Ok(())
        })
        .await
    }

    /// A file does not hang up.
    async fn ping(&mut self) -> Result<(), Cause> {
        Ok(())
    }
}

impl Drop for SqliteSession {
    /// Closing writes to the disk: the last connection puts the log into the file. When the process ends before that, the next start
    /// does.
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(connection));
        }
    }
}

fn open(settings: &Settings) -> Result<SqliteSession, Cause> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, settings.create);
    let connection = Connection::open_with_flags(&settings.path, flags)?;
    connection.busy_timeout(settings.busy_timeout.min(LONGEST_WAIT))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(settings.pragmas)?;
    let given_up = CancellationToken::new();
    let asked = given_up.clone();
    connection.progress_handler(STEPS, Some(move || asked.is_cancelled()))?;
    Ok(SqliteSession { connection: Some(connection), given_up })
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Cause> {
    // The error would quote what a panic said.
    spawn_blocking(work)
        .await
        .map_err(|_| Cause::Lost("the thread of SQLite is gone: see the log".to_owned()))
}
