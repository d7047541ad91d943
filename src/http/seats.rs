//! The places of connections. When all are taken, the connection that has waited longest for its client gives up its own: a
//! client that only holds connections cannot keep out those that use them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

/// While every connection works on an answer: how soon it is looked again which of them waits for its client.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Between two words about places that are all taken.
const SILENCE: Duration = Duration::from_secs(60);

/// Every place.
#[derive(Debug)]
pub(super) struct Seats {
    free: Arc<Semaphore>,
    taken: Arc<Taken>,
    warned: Option<Instant>,
}

type Taken = Mutex<BTreeMap<u64, Arc<Seat>>>;

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) seat: Arc<Seat>,
    number: u64,
    taken: Arc<Taken>,
    _permit: OwnedSemaphorePermit,
}

/// What a connection is at.
#[derive(Debug)]
pub(super) struct Seat {
    began: Instant,
    /// Since when it has waited for its client: for a request, for the rest of one, or for its answer to be read. In
    /// microseconds from `began`.
    waiting_since: AtomicU64,
    phase: AtomicU8,
    requests: AtomicU32,
    /// Cancelled when somebody else needs the place, or when a stop has waited for long enough.
    pub(super) leave: CancellationToken,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Phase {
    /// The client's: it may ask, or read its answer.
    Between,
    /// The client's: it has asked, and has yet to send the rest of the body.
    Body,
    /// Ours.
    Answering,
}

impl Seats {
    pub(super) fn new(number: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(number)), taken: Arc::default(), warned: None }
    }

    /// A place, as soon as one is free or made free.
    pub(super) async fn take(&mut self) -> Place {
        loop {
            let free = Arc::clone(&self.free);
            let permit = if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
                permit
            } else {
                self.make_room();
                match timeout(LOOK_AGAIN, free.acquire_owned()).await {
                    Ok(permit) => permit.expect("the semaphore is never closed"),
                    Err(_) => continue,
                }
            };
            let seat = Arc::new(Seat::new());
            let mut taken = lock(&self.taken);
            let number = taken.last_key_value().map_or(0, |(last, _)| last + 1);
            taken.insert(number, Arc::clone(&seat));
            return Place { seat, number, taken: Arc::clone(&self.taken), _permit: permit };
        }
    }

    /// Asks everybody to leave.
    pub(super) fn dismiss(&self) {
        let all: Vec<CancellationToken> = lock(&self.taken).values().map(|seat| seat.leave.clone()).collect();
        all.iter().for_each(CancellationToken::cancel);
    }

    /// Asks the one that has waited longest for its client to leave, unless somebody is on the way out already.
    fn make_room(&mut self) {
        let longest = {
            let taken = lock(&self.taken);
            if taken.values().any(|seat| seat.leave.is_cancelled()) {
                return;
            }
            let waiting = taken.values().filter_map(|seat| Some((seat.waiting_since()?, seat)));
            waiting.min_by_key(|(since, _)| *since).map(|(_, seat)| seat.leave.clone())
        };
        let Some(leave) = longest else { return };
        leave.cancel();
        if self.warned.is_none_or(|at| at.elapsed() >= SILENCE) {
            self.warned = Some(Instant::now());
            tracing::warn!(
                "all connections that HTTP_MAX_CONNECTIONS allows are taken: those that have been idle longest are closed for new ones"
            );
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.taken).remove(&self.number);
    }
}

impl Seat {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            waiting_since: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Between as u8),
            requests: AtomicU32::new(0),
            leave: CancellationToken::new(),
        }
    }

    /// The head of a request is here. The connection still waits for its client when a body is to come.
    pub(super) fn asked(&self, body_to_come: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.enter(if body_to_come { Phase::Body } else { Phase::Answering });
        self.touch(Instant::now());
    }

    /// No more of a body is waited for. Whoever handles a request lets go of its body before the answer is ready, so this
    /// never comes after [`Seat::answered`].
    pub(super) fn body_is_over(&self) {
        self.enter(Phase::Answering);
    }

    /// An answer is ready to be read.
    pub(super) fn answered(&self) {
        self.enter(Phase::Between);
        self.touch(Instant::now());
    }

    /// Both at once.
    pub(super) fn answered_at_once(&self, now: Instant) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.touch(now);
    }

    /// The client has taken some of its answer.
    pub(super) fn progressed(&self) {
        self.touch(Instant::now());
    }

    /// How many requests have begun.
    pub(super) fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Since when it has waited for its client; `None` while the client waits for us.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let since = Duration::from_micros(self.waiting_since.load(Ordering::Relaxed));
        (!self.is_in(Phase::Answering)).then(|| self.began + since)
    }

    /// Whether the next byte of the client begins a request.
    pub(super) fn is_between_requests(&self) -> bool {
        self.is_in(Phase::Between)
    }

    /// Ends once the connection has waited for its client for as long as this.
    pub(super) async fn dawdles(&self, patience: Duration) {
        loop {
            match self.waiting_since().map(|since| since.elapsed()) {
                Some(waited) if waited >= patience => return,
                Some(waited) => sleep(patience - waited).await,
                None => sleep(patience).await,
            }
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn is_in(&self, phase: Phase) -> bool {
        self.phase.load(Ordering::Relaxed) == phase as u8
    }

    fn touch(&self, now: Instant) {
        let since = now.saturating_duration_since(self.began).as_micros();
        // Wraps after 500,000 years.
        self.waiting_since.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn lock(taken: &Taken) -> MutexGuard<'_, BTreeMap<u64, Arc<Seat>>> {
    // A panic cannot leave a map of handles half changed.
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seats that are all taken, one a second.
    async fn full(number: usize) -> (Seats, Vec<Place>) {
        let (mut seats, mut places) = (Seats::new(number), Vec::new());
        for _ in 0..number {
            places.push(seats.take().await);
            sleep(Duration::from_secs(1)).await;
        }
        (seats, places)
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_waited_longest_for_its_client_makes_room_and_who_answers_does_not() {
        let (mut seats, mut places) = full(5).await;
        places[0].seat.asked(false);
        // Has sent all of its body, and waits for the commit.
        places[1].seat.asked(true);
        places[1].seat.body_is_over();
        sleep(Duration::from_secs(1)).await;
        places[2].seat.answered_at_once(Instant::now());
        sleep(Duration::from_secs(1)).await;
        places[3].seat.answered_at_once(Instant::now());
        places[4].seat.asked(true);
        let leaving = places.remove(2);
        let room = async {
            leaving.seat.leave.cancelled().await;
            drop(leaving);
        };
        let (newcomer, ()) = tokio::join!(seats.take(), room);
        assert!(places.iter().all(|place| !place.seat.leave.is_cancelled()));
        assert!(!newcomer.seat.leave.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn one_makes_room_for_one_however_long_it_takes_to_leave() {
        let (mut seats, places) = full(4).await;
        timeout(LOOK_AGAIN * 10, seats.take()).await.expect_err("nobody has left yet");
        let leaving: Vec<bool> = places.iter().map(|place| place.seat.leave.is_cancelled()).collect();
        assert_eq!(leaving, [true, false, false, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn while_all_answer_a_newcomer_waits_for_the_first_that_has() {
        let (mut seats, mut places) = full(2).await;
        places.iter().for_each(|place| place.seat.asked(false));
        assert!(timeout(Duration::from_secs(60), seats.take()).await.is_err());
        places[1].seat.answered();
        let leaving = places.remove(1);
        let room = async {
            leaving.seat.leave.cancelled().await;
            drop(leaving);
        };
        timeout(LOOK_AGAIN * 2, async { tokio::join!(seats.take(), room) })
            .await
            .expect("it is looked again");
        assert!(!places[0].seat.leave.is_cancelled());
    }
}
