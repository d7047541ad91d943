//! The signals that ask a process to stop: SIGTERM, SIGINT, and the SIGHUP of a terminal that closes.

use std::{
    io,
    time::{Duration, Instant},
};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What comes this soon after the first signal is an echo of it.
const ECHO: Duration = Duration::from_millis(500);

/// All of them, caught instead of ending the process.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches both from now on.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one that comes on its own, after the first: `timeout`, for one, signals a process and then its whole group,
    /// and that echo is no second wish.
    pub(crate) async fn again(&mut self) {
        let end = Instant::now() + ECHO;
        self.next().await;
        while Instant::now() < end {
            self.next().await;
        }
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
