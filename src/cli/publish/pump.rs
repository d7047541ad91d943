use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use indicatif::ProgressBar;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    messages::Message,
    report::{CutShort, Report},
    target::{Target, deliver},
};

/// How long acks are waited for once publishing was told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Bytes that may wait for their acks, one message in any case: memory is bounded however large the files are.
const MOST_BYTES: usize = 64 << 20;

/// When messages are due. Each is due by its number, not by the one before it, so that the rate does not drift; after
/// a stall the target is caught up with.
#[derive(Debug)]
struct Pace {
    began: Instant,
    /// Messages a second; without it every message is due at once.
    rate: Option<f64>,
    sent: u64,
}

impl Pace {
    fn next(&self) -> Instant {
        match self.rate {
            Some(rate) => self.began + Duration::from_secs_f64(self.sent as f64 / rate),
            None => self.began,
        }
    }
}

/// Publishes the messages, so many at a time as the target's window holds, until the last was answered or `stop`
/// resolves; then acks are waited for a little longer.
pub(super) async fn pump(
    target: &impl Target,
    mut messages: impl Iterator<Item = Result<Message, String>>,
    rate: Option<f64>,
    progress: &ProgressBar,
    stop: impl Future<Output = ()>,
) -> Report {
    let mut report = Report::default();
    let retries = AtomicU64::new(0);
    let mut pace = Pace { began: Instant::now(), rate, sent: 0 };
    let mut waiting = FuturesUnordered::new();
    let mut stop = std::pin::pin!(stop);
    let (mut waiting_bytes, mut all_sent, mut unreadable) = (0, false, None);
    while report.cut_short.is_none() && !(all_sent && waiting.is_empty()) {
        tokio::select! {
            () = &mut stop => report.cut_short = Some(CutShort::Interrupted),
            Some((origin, size, result)) = waiting.next() => {
                report.add(origin, result);
                waiting_bytes -= size;
                progress.inc(1);
            }
            () = sleep_until(pace.next()),
                if !all_sent && waiting.len() < target.window() && waiting_bytes < MOST_BYTES =>
            {
                match messages.next() {
                    Some(Ok(Message { payload, origin })) => {
                        let (retries, size, number) = (&retries, payload.len(), pace.sent);
                        waiting.push(async move {
                            (origin, size, deliver(target, number, payload, retries).await)
                        });
                        waiting_bytes += size;
                        pace.sent += 1;
                    }
                    Some(Err(cause)) => (all_sent, unreadable) = (true, Some(CutShort::Unreadable(cause))),
                    None => all_sent = true,
                }
            }
        }
    }
    let end = Instant::now() + GRACE;
    while let Ok(Some((origin, _, result))) = timeout_at(end, waiting.next()).await {
        report.add(origin, result);
    }
    report.cut_short = report.cut_short.or(unreadable);
    report.add_unanswered(waiting.len() as u64);
    report.took = pace.began.elapsed();
    report.retries = retries.load(Ordering::Relaxed);
    report
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use bytes::Bytes;

    use super::*;
    use crate::cli::publish::{
        messages::Origin,
        target::{Failure, Next, testing::Scripted},
    };

    fn messages(count: u8) -> impl Iterator<Item = Result<Message, String>> {
        (0..count)
            .map(|number| Ok(Message { payload: Bytes::copy_from_slice(&[number]), origin: Origin::Sound }))
    }

    async fn pumped(target: &Scripted, count: u8, rate: Option<f64>) -> Report {
        pump(target, messages(count), rate, &ProgressBar::hidden(), std::future::pending()).await
    }

    #[tokio::test(start_paused = true)]
    async fn every_message_is_published_once() {
        let target = Scripted::default();
        let report = pumped(&target, 100, None).await;
        assert_eq!((report.published(), report.exit_code()), (100, ExitCode::SUCCESS));
        let mut payloads = target.payloads();
        payloads.sort();
        assert_eq!(payloads.concat(), (0..100).collect::<Vec<u8>>());
    }

    #[tokio::test(start_paused = true)]
    async fn large_messages_do_not_pile_up() {
        let large = Bytes::from(vec![0; MOST_BYTES]);
        let messages = (0..3).map(|_| Ok(Message { payload: large.clone(), origin: Origin::File }));
        let busy = Failure { next: Next::Retry(Some(Duration::from_secs(1))), ..Failure::retry("busy") };
        let target = Scripted::answering([busy]);
        pump(&target, messages, None, &ProgressBar::hidden(), std::future::pending()).await;
        let received = target.received.lock().expect("no panic");
        assert!(
            received[1].0 - received[0].0 >= Duration::from_secs(1),
            "the second was sent beside the first"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn messages_keep_their_schedule() {
        let target = Scripted::default();
        let began = Instant::now();
        pumped(&target, 100, Some(40.0)).await;
        for (number, (at, _)) in target.received.lock().expect("no panic").iter().enumerate() {
            let late = (*at - began).abs_diff(Duration::from_millis(25 * number as u64));
            assert!(late < Duration::from_millis(3), "message {number} is {late:?} off");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_message_that_fails_does_not_stop_the_others() {
        let report = pumped(&Scripted::answering([Failure::skip("too large")]), 10, None).await;
        assert_eq!((report.published(), report.exit_code()), (9, ExitCode::FAILURE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_refuses_every_message_is_not_bothered_with_all_of_them() {
        let refusals = (0..100)
            .map(|_| Failure { next: crate::cli::publish::target::Next::Stop, ..Failure::skip("401") });
        let target = Scripted::answering(refusals);
        let report = pumped(&target, 100, None).await;
        assert_eq!((report.published(), report.cut_short), (0, Some(CutShort::Hopeless)));
        assert!(target.payloads().len() <= 2 * target.window());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_unreadable_message_ends_it_after_the_acks() {
        let unreadable =
            messages(3).chain([Err("orders.ndjson can't be read".to_owned())]).chain(messages(3));
        let target = Scripted::default();
        let report = pump(&target, unreadable, None, &ProgressBar::hidden(), std::future::pending()).await;
        assert_eq!((report.published(), report.exit_code()), (3, ExitCode::from(2)));
    }

    #[tokio::test(start_paused = true)]
    async fn when_interrupted_it_waits_for_acks_only_so_long() {
        let stuck = (0..4).map(|_| Failure::retry("busy")).cycle().take(10_000);
        let target = Scripted::answering(stuck);
        let stop = tokio::time::sleep(Duration::from_secs(1));
        let report = pump(&target, messages(100), None, &ProgressBar::hidden(), stop).await;
        assert_eq!((report.published(), report.exit_code()), (0, ExitCode::FAILURE));
        assert!((6..7).contains(&report.took.as_secs()), "{:?}", report.took);
        assert!(report.to_string().contains("outcome unknown, perhaps published, 4 messages"), "{report}");
    }
}
