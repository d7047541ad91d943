use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use bytes::Bytes;
use tokio::time::Instant;

/// How long one message is tried before it is given up.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Where messages are published to.
pub(super) trait Target: Sync {
    /// How many messages may wait for their ack at a time.
    fn window(&self) -> usize;

    /// Sends a message once and waits for its ack. `number` tells it from the other messages of this run.
    fn publish(&self, number: u64, payload: Bytes) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// Why a message was not acked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    /// Says what happened; the same for all messages to which the same happened, and nothing of what is in them.
    pub(super) text: String,
    /// Whether the message may have been stored all the same.
    pub(super) outcome_unknown: bool,
    pub(super) next: Next,
}

/// What to do after a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Next {
    /// Send the message again, after this pause where the target names one.
    Retry(Option<Duration>),
    /// Go on without this message.
    Skip,
    /// Stop: every other message would fare the same.
    Stop,
}

impl Failure {
    /// The message is not stored, and may be later.
    pub(super) fn retry(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), outcome_unknown: false, next: Next::Retry(None) }
    }

    /// The message is not stored and never will be.
    pub(super) fn skip(text: impl fmt::Display) -> Self {
        Self { next: Next::Skip, ..Self::retry(text) }
    }
}

/// A name that no other run has.
pub(super) fn name_of_run() -> String {
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
    format!("orderbox-publish-{random}")
}

/// Publishes a message, and again while the target asks for it and [`PATIENCE`] lasts. `retries` counts those.
///
/// Once an outcome was unknown, a later failure leaves it so.
pub(super) async fn deliver(
    target: &impl Target,
    number: u64,
    payload: Bytes,
    retries: &AtomicU64,
) -> Result<(), Failure> {
    let began = Instant::now();
    let mut pauses = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(5))
        .without_max_times()
        .build();
    let mut outcome_unknown = false;
    loop {
        let Err(mut failure) = target.publish(number, payload.clone()).await else { return Ok(()) };
        outcome_unknown |= failure.outcome_unknown;
        failure.outcome_unknown = outcome_unknown;
        let Next::Retry(wanted) = failure.next else { return Err(failure) };
        // What is longer than the patience is given up all the same, and a huge number can't be spread
        let least = wanted.or_else(|| pauses.next()).unwrap_or_default().min(PATIENCE);
        // Spread, so that those who were sent away together do not come back together
        let pause = least.mul_f64(1.0 + fastrand::f64() / 4.0);
        if began.elapsed() + pause >= PATIENCE {
            failure.text = format!("{} (given up after {} s)", failure.text, PATIENCE.as_secs());
            return Err(failure);
        }
        retries.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
pub(super) mod testing {
    use std::sync::Mutex;

    use super::*;

    /// A target that answers as the test says: with the answers in turn, then with acks.
    #[derive(Debug, Default)]
    pub(in super::super) struct Scripted {
        pub(in super::super) answers: Mutex<Vec<Result<(), Failure>>>,
        pub(in super::super) received: Mutex<Vec<(Instant, Bytes)>>,
    }

    impl Scripted {
        pub(in super::super) fn answering(answers: impl IntoIterator<Item = Failure>) -> Self {
            let mut answers: Vec<_> = answers.into_iter().map(Err).collect();
            answers.reverse();
            Self { answers: Mutex::new(answers), ..Self::default() }
        }

        pub(in super::super) fn payloads(&self) -> Vec<Bytes> {
            let received = self.received.lock().expect("no test panics under this lock");
            received.iter().map(|(_, payload)| payload.clone()).collect()
        }
    }

    impl Target for Scripted {
        fn window(&self) -> usize {
            4
        }

        async fn publish(&self, _number: u64, payload: Bytes) -> Result<(), Failure> {
            self.received.lock().expect("no test panics under this lock").push((Instant::now(), payload));
            self.answers.lock().expect("no test panics under this lock").pop().unwrap_or(Ok(()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{testing::Scripted, *};

    async fn delivered(target: &Scripted) -> (Result<(), Failure>, u64, Duration) {
        let (retries, began) = (AtomicU64::new(0), Instant::now());
        let result = deliver(target, 0, Bytes::from_static(b"{}"), &retries).await;
        (result, retries.into_inner(), began.elapsed())
    }

    fn busy(after: u64) -> Failure {
        Failure { next: Next::Retry(Some(Duration::from_secs(after))), ..Failure::retry("busy") }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_sent_again_not_before_the_target_wants_it() {
        let (result, retries, took) = delivered(&Scripted::answering([busy(3), busy(7)])).await;
        assert_eq!((result, retries), (Ok(()), 2));
        assert!((10..13).contains(&took.as_secs()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_given_up_after_a_minute() {
        let (result, _, took) =
            delivered(&Scripted::answering((0..1000).map(|_| Failure::retry("busy")))).await;
        assert_eq!(result.expect_err("never acked").text, "busy (given up after 60 s)");
        assert!((50..=60).contains(&took.as_secs()), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_beyond_all_patience_is_not_begun() {
        let (result, retries, took) = delivered(&Scripted::answering([busy(u64::MAX)])).await;
        assert_eq!(result.expect_err("given up").text, "busy (given up after 60 s)");
        assert_eq!((retries, took), (0, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_will_never_be_taken_is_sent_once() {
        let target = Scripted::answering([Failure::skip("too large")]);
        assert_eq!(delivered(&target).await.0, Err(Failure::skip("too large")));
        assert_eq!(target.payloads().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outcome_once_unknown_stays_so() {
        let lost = Failure { outcome_unknown: true, ..Failure::retry("connection lost") };
        let failure =
            delivered(&Scripted::answering([lost, Failure::skip("no")])).await.0.expect_err("never acked");
        assert!(failure.outcome_unknown);
    }
}
