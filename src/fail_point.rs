//! Places where a test holds the service and breaks something exactly there.
//!
//! They exist in a binary built with the feature `fail-points` and in no other: without it [`reach`] is nothing. In such a
//! binary the environment arms one of them: `ORDERBOX_FAIL_POINT` names it, `ORDERBOX_FAIL_POINT_AT` says at which arrival, counted from 1,
//! and in the folder `ORDERBOX_FAIL_POINT_FOLDER` the file `reached` appears then. The task that came there waits until there is a file
//! `go`; everything else goes on. Should it be given up before, as a call to the store is after STORE_TIMEOUT, `reached` disappears again.
//!
//! | point | where the task stands |
//! |---|---|
//! | `after_receive` | the inbox writer, with messages, or the news of a gap, that are in memory only |
//! | `after_inbox_commit` | the inbox writer, before anybody knows that they are recorded |
//! | `before_settle_commit` | a settle whose last statement before the COMMIT was answered |
//! | `after_settle_commit` | a settle whose COMMIT was answered |
//! | `before_ack` | the worker: readers can see what it settled, and no ack has gone out |
//! | `during_rebuild` | the rebuild of the cache, with a page of orders |
//! | `during_shutdown` | the shutdown, in turn: sources have stopped; the inbox writer has; the worker has; the last acks are proven |

/// Waits here when this arrival was armed.
#[cfg(not(feature = "fail-points"))]
#[inline]
pub(crate) async fn reach(_point: &'static str) {}

#[cfg(feature = "fail-points")]
pub(crate) use armed::reach;

#[cfg(feature = "fail-points")]
mod armed {
    use std::{
        env::var,
        fs,
        path::PathBuf,
        sync::{
            LazyLock,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    static ARMED: LazyLock<Option<FailPoint>> = LazyLock::new(FailPoint::from_environment);

    /// How often a task that waits looks whether it may go on.
    const LOOK: Duration = Duration::from_millis(2);

    struct FailPoint {
        name: String,
        at: u64,
        arrivals: AtomicU64,
        folder: PathBuf,
    }

    impl FailPoint {
        fn from_environment() -> Option<Self> {
            let name = var("ORDERBOX_FAIL_POINT").ok()?;
            let at = var("ORDERBOX_FAIL_POINT_AT").expect("ORDERBOX_FAIL_POINT_AT is set with the name");
            let folder =
                var("ORDERBOX_FAIL_POINT_FOLDER").expect("ORDERBOX_FAIL_POINT_FOLDER is set with the name");
            Some(Self {
                name,
                at: at.parse().expect("ORDERBOX_FAIL_POINT_AT is a number from 1"),
                arrivals: AtomicU64::new(0),
                folder: folder.into(),
            })
        }
    }

    /// `reached`, which goes when the task that waits is given up.
    struct Reached(PathBuf);

    impl Drop for Reached {
        fn drop(&mut self) {
            // It is gone when the test has removed the whole folder.
            drop(fs::remove_file(&self.0));
        }
    }

    /// Waits here when this arrival was armed.
    pub(crate) async fn reach(point: &'static str) {
        let Some(armed) = ARMED.as_ref().filter(|armed| armed.name == point) else { return };
        if armed.arrivals.fetch_add(1, Ordering::Relaxed) + 1 != armed.at {
            return;
        }
        let reached = Reached(armed.folder.join("reached"));
        fs::write(&reached.0, "").expect("the test made the folder");
        while !armed.folder.join("go").exists() {
            tokio::time::sleep(LOOK).await;
        }
    }
}
