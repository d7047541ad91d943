//! The health board: which parts of the service work, and since when.
//!
//! A part works when its last round trip succeeded and is not older than the part's limit; what a connection says of itself
//! doesn't count. A change is logged once, however often the failing call is tried: when the part goes bad, with what it is, and when it
//! heals, with how long that took and how many tries.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often [`Board::watch`] looks for parts that have fallen silent.
const WATCH: Duration = Duration::from_secs(1);

/// More details than this of one part help nobody.
const MAX_DETAILS: usize = 20;

/// Whether a part works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It has not worked yet, and nothing has failed yet.
    Starting,
    /// Its last round trip succeeded, in time.
    Up,
    /// It fails, or has been silent for too long.
    Down {
        /// For an operator: what happened and, where it is known, what to do.
        reason: String,
    },
}

impl State {
    /// The name in `/healthz`.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Down { .. } => "down",
        }
    }
}

/// A part at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartSnapshot {
    /// The part's name.
    pub name: &'static str,
    /// Whether it works.
    pub state: State,
    /// When it came into this state, by the wall clock.
    pub since: OffsetDateTime,
    /// What else an operator should know, as in rows that fail alone.
    pub details: Vec<String>,
}

/// All parts, in the order of their registration. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Board {
    parts: Arc<RwLock<Vec<Part>>>,
}

impl Board {
    /// Adds a part that is starting. With `fresh_for` it counts as down when no round trip succeeded for so long.
    #[must_use]
    pub fn register(&self, name: &'static str, fresh_for: Option<Duration>) -> Part {
        let part = Part {
            name,
            fresh_for,
            now: Arc::new(Mutex::new(Now {
                state: State::Starting,
                since: OffsetDateTime::now_utc(),
                last: Instant::now(),
                failures: Failures::default(),
                details: Vec::new(),
            })),
        };
        self.parts.write().unwrap_or_else(PoisonError::into_inner).push(part.clone());
        part
    }

    /// Every part as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Vec<PartSnapshot> {
        self.parts.read().unwrap_or_else(PoisonError::into_inner).iter().map(Part::snapshot).collect()
    }

    /// Notices, and logs, parts that fall silent although nobody asks; until `stop`.
    pub async fn watch(&self, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(WATCH);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            drop(self.snapshot());
        }
    }
}

/// One part's line on the board, held by whoever does the part's work. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Part {
    name: &'static str,
    fresh_for: Option<Duration>,
    now: Arc<Mutex<Now>>,
}

#[derive(Debug)]
struct Now {
    state: State,
    since: OffsetDateTime,
    /// The last round trip that succeeded, or the registration.
    last: Instant,
    failures: Failures,
    details: Vec<String>,
}

/// What it took a part that is down to heal, so far.
#[derive(Debug, Clone, Copy, Default)]
struct Failures {
    /// When it went down; `None` while it is not.
    began: Option<Instant>,
    /// Round trips that have failed since then.
    tries: u64,
}

impl Part {
    /// A round trip has succeeded. Cheap enough for each one.
    pub fn up(&self) {
        let mut now = self.lock();
        now.last = Instant::now();
        if now.state == State::Up {
            return;
        }
        match std::mem::take(&mut now.failures) {
            Failures { began: Some(began), tries } => tracing::info!(
                part = self.name,
                after_s = began.elapsed().as_secs(),
                failed_tries = tries,
                "{} works again",
                self.name
            ),
            Failures { began: None, .. } => tracing::info!(part = self.name, "{} works", self.name),
        }
        now.turn(State::Up);
    }

    /// A round trip has failed. Only the first failure is logged; later ones are counted and replace the reason.
    pub fn down(&self, reason: impl Into<String>) {
        self.down_after(1, reason);
    }

    /// So many round trips have failed since the last word, if any has.
    pub fn down_after(&self, tries: u64, reason: impl Into<String>) {
        let mut now = self.lock();
        self.fail(&mut now, reason.into());
        now.failures.tries += tries;
    }

    /// Replaces what else an operator should know; the first 20 are kept.
    pub fn set_details(&self, mut details: Vec<String>) {
        details.truncate(MAX_DETAILS);
        self.lock().details = details;
    }

    /// Whether it works now.
    #[must_use]
    pub fn is_up(&self) -> bool {
        let mut now = self.lock();
        self.judge(&mut now);
        now.state == State::Up
    }

    fn snapshot(&self) -> PartSnapshot {
        let mut now = self.lock();
        self.judge(&mut now);
        PartSnapshot {
            name: self.name,
            state: now.state.clone(),
            since: now.since,
            details: now.details.clone(),
        }
    }

    /// Silence for too long is a failure, whatever the last word was.
    fn judge(&self, now: &mut Now) {
        let Some(limit) = self.fresh_for else { return };
        if !matches!(now.state, State::Down { .. }) && now.last.elapsed() > limit {
            self.fail(now, format!("no answer for {} s", limit.as_secs_f64()));
        }
    }

    fn fail(&self, now: &mut Now, reason: String) {
        if let State::Down { reason: known } = &mut now.state {
            *known = reason;
        } else {
            tracing::warn!(part = self.name, reason, "{} does not work", self.name);
            now.turn(State::Down { reason });
            now.failures = Failures { began: Some(Instant::now()), tries: 0 };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Now> {
        // Each change is a few assignments that cannot panic half way.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
    fn turn(&mut self, state: State) {
        self.state = state;
        self.since = OffsetDateTime::now_utc();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn state(board: &Board) -> State {
        board.snapshot().remove(0).state
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_falls_silent_is_down_until_it_answers_again() {
        let board = Board::default();
        let part = board.register("store", Some(LIMIT));
        assert_eq!(state(&board), State::Starting);
        part.up();
        tokio::time::advance(LIMIT).await;
        assert_eq!(state(&board), State::Up);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!part.is_up());
        assert_eq!(state(&board), State::Down { reason: "no answer for 10 s".to_owned() });
        part.up();
        assert!(part.is_up());
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_without_a_limit_may_be_silent() {
        let board = Board::default();
        board.register("cache", None).up();
        tokio::time::advance(LIMIT * 1000).await;
        assert_eq!(state(&board), State::Up);
    }

    #[test]
    fn since_is_when_the_state_changed_not_when_it_was_last_confirmed() {
        let board = Board::default();
        let part = board.register("store", None);
        part.down("connection refused");
        let since = board.snapshot()[0].since;
        part.down("connection reset");
        let now = board.snapshot().remove(0);
        assert_eq!(now.since, since);
        assert_eq!(now.state, State::Down { reason: "connection reset".to_owned() });
    }

    #[test]
    fn details_are_bounded() {
        let board = Board::default();
        board.register("worker", None).set_details(vec!["row 7 fails alone".to_owned(); 1000]);
        assert_eq!(board.snapshot()[0].details.len(), MAX_DETAILS);
    }

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nothing panics here").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_change_is_logged_once_however_often_it_is_confirmed() {
        const NAME: &str = "the part that this test looks for in the log";
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        // Global: beside a scoped one, a test in another thread may decide first that nobody listens to these events.
        tracing::subscriber::set_global_default(subscriber).expect("no other unit test sets one");
        let part = Board::default().register(NAME, None);
        for _ in 0..3 {
            part.down("connection refused");
        }
        for _ in 0..3 {
            part.up();
        }
        let log =
            String::from_utf8(log.0.lock().expect("nothing panics here").clone()).expect("logs are text");
        let lines: Vec<_> = log.lines().filter(|line| line.contains(NAME)).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].contains("does not work") && lines[0].contains("connection refused"), "{lines:?}");
        assert!(lines[1].contains("works again") && lines[1].contains("failed_tries=3"), "{lines:?}");
    }
}
