//! Connections that are never handed on in doubt.
//!
//! sqlx's pool, for PostgreSQL, is not used: it retries a refused connection until the time is up and then says only that time is
//! up, and it takes a connection back whose last statement was abandoned.

use std::{
    future::Future,
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{cause::Cause, error::Failure};
use crate::fail_point;

/// A connection that has been idle for longer is asked whether it still lives before it is used.
const TRUSTED: Duration = Duration::from_secs(1);

/// A connection to one kind of database.
pub(super) trait Session: Sized + Send + 'static {
    /// What a new connection needs.
    type Settings: Send + Sync + std::fmt::Debug;

    /// Connects, and sets the session up.
    fn open(settings: &Self::Settings) -> impl Future<Output = Result<Self, Cause>> + Send;

    /// Runs one statement without parameters or rows.
    fn run(&mut self, sql: &'static str) -> impl Future<Output = Result<(), Cause>> + Send;

    /// Fails when the connection is dead.
    fn ping(&mut self) -> impl Future<Output = Result<(), Cause>> + Send;
}

/// How many connections a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Connections {
    /// Open, and waiting for a call.
    pub idle: usize,
    /// Held by a call.
    pub busy: usize,
}

impl std::ops::Add for Connections {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { idle: self.idle + other.idle, busy: self.busy + other.busy }
    }
}

/// Up to a number of connections, opened when needed.
#[derive(Debug)]
pub(super) struct Pool<S: Session> {
    settings: S::Settings,
    size: usize,
    /// Fair: whoever has waited longest is next.
    permits: Semaphore,
    /// How many connections stay open while they are idle.
    kept: usize,
    idle: Mutex<Vec<Idle<S>>>,
    generation: Arc<AtomicU64>,
}

/// A connection that waits for a call.
#[derive(Debug)]
struct Idle<S> {
    session: S,
    since: Instant,
    generation: u64,
}

/// One connection, held by one call. Dropping it before [`Lease::end`] closes it and no other, so that a call
/// which is abandoned in the middle leaves nothing behind for the next one.
#[derive(Debug)]
pub(super) struct Lease<'a, S: Session> {
    pool: &'a Pool<S>,
    session: Option<S>,
    generation: u64,
    in_transaction: bool,
    _permit: SemaphorePermit<'a>,
}

impl<S: Session> Pool<S> {
    pub(super) fn new(settings: S::Settings, size: usize) -> Self {
        Self::that_keeps(settings, size, size, Arc::default())
    }

    /// One to the same file as the connections of `other`: those of both are closed once any of them turns out to have been
    /// opened read-only, for SQLite keeps what it opened of a file for as long as any connection of the process has it open.
    pub(super) fn beside(other: &Self, settings: S::Settings, size: usize) -> Self {
        Self::that_keeps(settings, size, size, Arc::clone(&other.generation))
    }

    /// For calls so rare or so long that each opens a connection of its own, one at a time.
    pub(super) fn that_keeps_none(settings: S::Settings) -> Self {
        Self::that_keeps(settings, 1, 0, Arc::default())
    }

    fn that_keeps(settings: S::Settings, size: usize, kept: usize, generation: Arc<AtomicU64>) -> Self {
        Self { settings, size, permits: Semaphore::new(size), kept, idle: Mutex::default(), generation }
    }

    /// How many connections there are now; one that is being opened counts as held by the call that needs it.
    pub(super) fn connections(&self) -> Connections {
        Connections { idle: self.idle().len(), busy: self.size - self.permits.available_permits() }
    }

    /// A connection outside any transaction.
    pub(super) async fn lease(&self) -> Result<Lease<'_, S>, Failure> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let (session, generation) = self.session().await.map_err(Failure::Connect)?;
        Ok(Lease { pool: self, session: Some(session), generation, in_transaction: false, _permit: permit })
    }

    /// A connection on which `begin` has been run, a statement that begins a transaction.
    pub(super) async fn begin(&self, begin: &'static str) -> Result<Lease<'_, S>, Failure> {
        let mut lease = self.lease().await?;
        match lease.run(begin).await {
            Ok(()) => {
                lease.in_transaction = true;
                Ok(lease)
            }
            // A busy SQLite answers here; no transaction is open, so the connection is as good as before.
            Err(error) => lease.end(Err(error)).await,
        }
    }

    /// Ends `call` after `limit`. What kept it has likely befallen the idle connections, too, so they are closed.
    pub(super) async fn bounded<T>(
        &self,
        limit: Duration,
        transaction: &'static str,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> super::Result<T> {
        match tokio::time::timeout(limit, call).await {
            Ok(result) => result,
            Err(_) => {
                self.idle().clear();
                Err(Failure::TimedOut(limit))
            }
        }
        .map_err(|failure| failure.named(transaction))
    }

    async fn session(&self) -> Result<(S, u64), Cause> {
        while let Some(Idle { mut session, since, generation }) = self.take_idle() {
            if since.elapsed() <= TRUSTED || session.ping().await.is_ok() {
                return Ok((session, generation));
            }
        }
        let generation = self.generation();
        Ok((S::open(&self.settings).await?, generation))
    }

    fn take_idle(&self) -> Option<Idle<S>> {
        let generation = self.generation();
        let mut idle = self.idle();
        idle.retain(|kept| kept.generation == generation);
        idle.pop()
    }

    fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<S>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Session> Lease<'_, S> {
    /// Commits what succeeded, rolls back what failed, and hands the connection back when it is in step with the server.
    pub(super) async fn end<T, E: Into<Cause>>(mut self, result: Result<T, E>) -> Result<T, Failure> {
        let result = match result.map_err(Into::into) {
            Ok(value) if self.in_transaction => self.run("COMMIT").await.map(|()| value),
            other => other,
        };
        let sound = match &result {
            Ok(_) => true,
            Err(error) if !error.answered() => {
                // Whatever broke this connection has likely broken the idle ones, too.
                self.pool.idle().clear();
                false
            }
            // The connection would stay so after the database has healed, and the others are likely as old.
            Err(error) if error.read_only() => {
                self.pool.generation.fetch_add(1, Ordering::Relaxed);
                false
            }
            // SQLite may have rolled back by itself, and then says that there is no transaction: such a connection is
            // closed, which rolls back too.
            Err(_) => !self.in_transaction || self.run("ROLLBACK").await.is_ok(),
        };
        let generation = self.generation;
        if sound
            && generation == self.pool.generation()
            && let Some(session) = self.session.take()
        {
            let mut idle = self.pool.idle();
            if idle.len() < self.pool.kept {
                idle.push(Idle { session, since: Instant::now(), generation });
            }
        }
        Ok(result?)
    }

    /// [`Lease::end`] of a settle that succeeded, with a fail point on either side of its COMMIT.
    pub(super) async fn end_settle<T>(self, outcomes: T) -> Result<T, Failure> {
        fail_point::reach("before_settle_commit").await;
        let outcomes = self.end(Ok::<_, Cause>(outcomes)).await?;
        fail_point::reach("after_settle_commit").await;
        Ok(outcomes)
    }

    /// Undoes the transaction.
    pub(super) async fn roll_back(mut self) -> Result<(), Failure> {
        let done = self.run("ROLLBACK").await;
        self.in_transaction = done.is_err();
        self.end(done).await
    }
}

/// Runs one function of a store on a connection of one of its pools, in a transaction when a statement that begins one is given,
/// within the store's time for a call. The function names the call.
macro_rules! call {
    ($store:ident.$pool:ident, $module:ident::$function:ident($($argument:expr),*)) => {
        call!(@ $store.$pool.lease(), $store.$pool, $module::$function($($argument),*))
    };
    ($store:ident.$pool:ident, $begin:ident, $module:ident::$function:ident($($argument:expr),*)) => {
        call!(@ $store.$pool.begin($begin), $store.$pool, $module::$function($($argument),*))
    };
    (@ $lease:expr, $store:ident.$pool:ident, $module:ident::$function:ident($($argument:expr),*)) => {
        $store
            .$pool
            .bounded($store.timeout, stringify!($function), async {
                let mut lease = $lease.await?;
                let answer = $module::$function(&mut lease, $($argument),*).await;
                lease.end(answer).await
            })
            .await
    };
}
pub(super) use call;

impl<S: Session> Deref for Lease<'_, S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.session.as_ref().expect("only `end` takes the session, and it consumes the lease")
    }
}

impl<S: Session> DerefMut for Lease<'_, S> {
    fn deref_mut(&mut self) -> &mut S {
        self.session.as_mut().expect("only `end` takes the session, and it consumes the lease")
    }
}
