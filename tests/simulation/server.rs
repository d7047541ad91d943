//! The server's side of the store: its tables, and what becomes of a call of a given fate.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use orderbox::store::{Class, Result, StoreError};
use tokio::{sync::oneshot, time::sleep};
use tokio_util::task::TaskTracker;

use super::{
    journal::Journal,
    tables::Tables,
    weather::{Fate, TIMEOUT},
};

#[derive(Debug)]
pub(crate) struct Server {
    tables: Arc<Mutex<Tables>>,
    journal: Arc<Journal>,
    /// What the server has got goes on without its caller.
    tasks: TaskTracker,
    /// Those among them that settle or delete orders.
    settles: TaskTracker,
}

pub(crate) fn error(name: &'static str, class: Class, answered: bool) -> StoreError {
    StoreError { transaction: name, class, answered, code: None, message: "simulated".to_owned() }
}

impl Server {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self { tables: Arc::default(), journal, tasks: TaskTracker::new(), settles: TaskTracker::new() }
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    /// Whether a call is still under way.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_settling() || !self.tasks.is_empty()
    }

    /// Whether a settle or a deletion is still under way.
    pub(crate) fn is_settling(&self) -> bool {
        !self.settles.is_empty()
    }

    /// One transaction with the given fate.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        name: &'static str,
        fate: Fate,
        work: impl FnOnce(&mut Tables) -> T + Send + 'static,
    ) -> Result<T> {
        match fate {
            Fate::Works { after, survives } => {
                if after > Duration::from_secs(1) {
                    self.journal.note("store: slow", format_args!("{name} takes {after:?}"));
                }
                if survives {
                    let answer = self.at_the_server(name, after / 2, work).await;
                    sleep(after / 2).await;
                    return Ok(answer.expect("the server outlives its callers"));
                }
                sleep(after / 2).await;
                let answer = commit(&self.tables, &self.journal, name, work);
                sleep(after / 2).await;
                Ok(answer)
            }
            Fate::Fails { answered } => {
                let kind = if answered { "store: refused" } else { "store: connection lost before commit" };
                self.journal.note(kind, format_args!("{name}"));
                sleep(Duration::from_millis(2)).await;
                Err(error(name, Class::Transient, answered))
            }
            Fate::Spurious => {
                self.journal.note("store: batch refused for data", format_args!("{name}"));
                Err(error(name, Class::Data, true))
            }
            Fate::AnswerLost => {
                self.journal.note("store: answer lost after commit", format_args!("{name}"));
                sleep(Duration::from_millis(3)).await;
                commit(&self.tables, &self.journal, name, work);
                sleep(Duration::from_millis(20)).await;
                Err(error(name, Class::Transient, false))
            }
            Fate::Hangs => {
                self.journal.note("store: hangs", format_args!("{name}"));
                sleep(TIMEOUT).await;
                Err(error(name, Class::Transient, false))
            }
            Fate::Late(after) => {
                let kind = if after < TIMEOUT {
                    "store: commits, no answer in time"
                } else {
                    "store: commits after the time-out"
                };
                self.journal.note(kind, format_args!("{name} in {after:?}"));
                drop(self.at_the_server(name, after, work));
                sleep(TIMEOUT).await;
                Err(error(name, Class::Transient, false))
            }
        }
    }

    fn at_the_server<T: Send + 'static>(
        &self,
        name: &'static str,
        after: Duration,
        work: impl FnOnce(&mut Tables) -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, answer) = oneshot::channel();
        let (tables, journal) = (Arc::clone(&self.tables), Arc::clone(&self.journal));
        let tasks = if matches!(name, "settle" | "expire") { &self.settles } else { &self.tasks };
        drop(tasks.spawn(async move {
            sleep(after).await;
            // Whoever asked may be gone.
            drop(sender.send(commit(&tables, &journal, name, work)));
        }));
        answer
    }
}

/// Runs a transaction, after which the ledger must balance.
fn commit<T>(
    tables: &Mutex<Tables>,
    journal: &Journal,
    name: &'static str,
    work: impl FnOnce(&mut Tables) -> T,
) -> T {
    let mut tables = tables.lock().unwrap();
    let answer = work(&mut tables);
    if let Some(imbalance) = tables.imbalance() {
        journal.violated(format!("conservation after {name}: {imbalance}"));
    }
    answer
}
