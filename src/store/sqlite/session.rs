use std::{path::PathBuf, time::Duration};

use rusqlite::{Connection, InterruptHandle, OpenFlags};
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::store::{error::Cause, pool::Session};

/// More than the store has, so that each is prepared once.
const STATEMENTS: usize = 64;
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
/// the connection to that thread, which stops at its next step and closes it.
#[derive(Debug)]
pub(super) struct SqliteSession(Option<Connection>);

impl SqliteSession {
    /// Does all of `work` on one such thread.
    pub(super) async fn call<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Cause> + Send + 'static,
    ) -> Result<T, Cause> {
        let lost = || Cause::Lost("an earlier call was given up".to_owned());
        let mut connection = self.0.take().ok_or_else(lost)?;
        let given_up = StopUnless { done: false, handle: connection.get_interrupt_handle() };
        let (connection, answer) = on_a_thread(move || {
            let answer = work(&mut connection);
            (connection, answer)
        })
        .await?;
        given_up.done();
        self.0 = Some(connection);
        answer
    }
}

/// Stops what a connection does when it is dropped before that is done: nobody waits for it, and it may hold the write lock.
struct StopUnless {
    done: bool,
    handle: InterruptHandle,
}

impl StopUnless {
    fn done(mut self) {
        self.done = true;
    }
}

impl Drop for StopUnless {
    fn drop(&mut self) {
        if !self.done {
            self.handle.interrupt();
        }
    }
}

impl Session for SqliteSession {
    type Settings = Settings;

    async fn open(settings: &Settings) -> Result<Self, Cause> {
        let settings = settings.clone();
        on_a_thread(move || open(&settings)).await?.map(|connection| Self(Some(connection)))
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
    /// Closing writes to the disk: the last connection puts the log into the file.
    fn drop(&mut self) {
        if let Some(connection) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(connection));
        }
    }
}

fn open(settings: &Settings) -> Result<Connection, Cause> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_PRIVATE_CACHE;
    flags.set(OpenFlags::SQLITE_OPEN_CREATE, settings.create);
    let connection = Connection::open_with_flags(&settings.path, flags)?;
    connection.busy_timeout(settings.busy_timeout.min(LONGEST_WAIT))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(settings.pragmas)?;
    Ok(connection)
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Cause> {
    spawn_blocking(work).await.map_err(|error| Cause::Lost(format!("the thread of SQLite is gone: {error}")))
}
