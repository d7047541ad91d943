use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Result, Store};
use crate::telemetry;

/// What is deleted once it is old enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aging {
    /// Orders with all that hangs on them, by their last change.
    Orders,
    /// Dead letters that are not open, by when they were replayed or discarded.
    DeadLetters,
    /// What an order said before, by when it was replaced or came too late.
    History,
}

/// What of a stretch of rows is old enough.
#[derive(Debug, Clone, Default)]
pub struct Aged {
    /// The rows.
    pub ids: Vec<i64>,
    /// Of orders, their uids.
    pub uids: Vec<String>,
    /// The last id that was looked at; `None` when there are no more rows.
    pub next: Option<i64>,
}

/// Rows of one transaction: so few that a settle never waits for long behind it.
const BATCH: usize = 500;

/// Between two passes over a table.
const INTERVAL: Duration = Duration::from_secs(60);

/// Deletes, until `stop`, what is older than the age that is given for it, and says to `forget` which uids may be
/// gone. It works a tenth of the time at most.
///
/// A commit whose answer was lost may still happen, and a reader may bring the order back before it does. A minute later it
/// has happened or never will, and `forget` is told once more.
pub async fn keep_no_longer(
    store: &dyn Store,
    ages: &[(Aging, Duration)],
    forget: impl Fn(&str),
    stop: &CancellationToken,
) {
    let mut unsure = Vec::new();
    while !ages.is_empty() {
        unsure.drain(..).for_each(|uid: String| forget(&uid));
        for (what, age) in ages {
            let passed = pass(store, *what, *age, &forget, &mut unsure);
            let Some(passed) = stop.run_until_cancelled(passed).await else {
                return;
            };
            match passed {
                Ok(0) => {}
                Ok(rows) => tracing::info!(what = what.as_str(), rows, "rows were deleted for their age"),
                Err(error) => {
                    telemetry::store_error(error.class);
                    // An outage is told by those whose work it holds up.
                    if error.answered {
                        tracing::warn!(what = what.as_str(), %error, "rows could not be deleted for their age; trying again in a minute");
                    }
                }
            }
        }
        if stop.run_until_cancelled(sleep(INTERVAL)).await.is_none() {
            return;
        }
    }
}

/// Walks a table once: no index is kept by age, for every message would pay for it.
async fn pass(
    store: &dyn Store,
    what: Aging,
    age: Duration,
    forget: impl Fn(&str),
    unsure: &mut Vec<String>,
) -> Result<u64> {
    let (mut rows, mut after) = (0, Some(0));
    while let Some(from) = after {
        let began = Instant::now();
        let aged = store.aged(what, age, from, BATCH).await?;
        if !aged.ids.is_empty() {
            let expired = store.expire(what, age, &aged.ids).await;
            aged.uids.iter().for_each(|uid| forget(uid));
            if expired.as_ref().is_err_and(|error| !error.answered) {
                unsure.extend(aged.uids);
            }
            let expired = expired?;
            telemetry::expired(what, expired);
            rows += expired;
        }
        after = aged.next;
        sleep(9 * began.elapsed()).await;
    }
    let mut told = what == Aging::Orders;
    while told {
        let began = Instant::now();
        told = store.forget_told().await? > 0;
        sleep(9 * began.elapsed()).await;
    }
    Ok(rows)
}

impl Aging {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Orders, Self::DeadLetters, Self::History];

    /// The label in metrics and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::DeadLetters => "dead_letters",
            Self::History => "history",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::cache::testing::TestStore;

    #[tokio::test(start_paused = true)]
    async fn an_order_whose_deletion_was_not_answered_leaves_memory_again_a_minute_later() {
        for (lost, times) in [(false, 1), (true, 2)] {
            let (store, stop) = (TestStore::default(), CancellationToken::new());
            store.commit("old", "document");
            if lost {
                store.lose_an_answer();
            }
            let forgotten = RefCell::new(Vec::new());
            let forget = |uid: &str| forgotten.borrow_mut().push(uid.to_owned());
            let ages = [(Aging::Orders, Duration::ZERO)];
            let keeping = keep_no_longer(&store, &ages, forget, &stop);
            assert!(tokio::time::timeout(3 * INTERVAL, keeping).await.is_err(), "it goes on");
            assert_eq!(forgotten.into_inner(), vec!["old"; times]);
        }
    }
}
