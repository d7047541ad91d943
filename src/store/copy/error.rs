use std::path::PathBuf;

use thiserror::Error;

use crate::store::{ConnectError, StoreError};

/// Why nothing was copied, or not everything.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CopyError {
    /// The two are not what they have to be.
    #[error(
        "copy goes from SQLite to PostgreSQL, and nowhere else: write --from sqlite://FILE --to \
         postgres://USER@HOST/DATABASE (within one kind use the database's own tools: see docs/OPERATIONS.md)"
    )]
    Direction,
    /// `--from` can't be used.
    #[error("{}", of_flag(.0, "--from"))]
    From(ConnectError),
    /// `--to` can't be used.
    #[error("{}", of_flag(.0, "--to"))]
    To(ConnectError),
    /// A service, or another copy, uses the file.
    #[error(
        "an `orderbox serve`, or another `orderbox copy`, uses the database of --from: it holds {}; stop it \
         first (what is published to STAN meanwhile waits in the channel)",
        path.display()
    )]
    Served {
        /// The lock file.
        path: PathBuf,
    },
    /// The file is not of this service.
    #[error("{} is no database of orderbox: it has no table `inbox`; check --from", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A service is connected to the target.
    #[error(
        "an `orderbox serve`, or another command of orderbox, is connected to the database of --to: stop it \
         first"
    )]
    TargetServed,
    /// The target has rows that no copy has put there.
    #[error(
        "the database of --to is in use: its table `{table}` has rows that no unfinished copy has put there; \
         copy fills an empty database: make one with CREATE DATABASE, and check --to"
    )]
    Used {
        /// A table with rows.
        table: &'static str,
    },
    /// The target is one of another copy.
    #[error(
        "the database of --to is the target of a copy that was begun from another database, or a service has \
         run on that of --from since: add --start-over to throw away what is in the target, and copy all of \
         it again"
    )]
    OtherSource,
    /// The source can't be read.
    #[error("the database of --from can't be read: {0}")]
    Source(StoreError),
    /// The target can't be written or read.
    #[error(
        "the database of --to can't be used: {0}; once it can, run the same command again: it goes on where \
         it was"
    )]
    Target(StoreError),
}

/// One of the two.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Source,
    Target,
}

impl Side {
    /// Says whose failure it is.
    pub(super) fn failed(self) -> impl Fn(StoreError) -> CopyError {
        move |error| match self {
            Self::Source => CopyError::Source(error),
            Self::Target => CopyError::Target(error),
        }
    }
}

/// The text of an error, which names the setting that the URL comes from elsewhere.
fn of_flag(error: &ConnectError, flag: &str) -> String {
    error.to_string().replace("DATABASE_URL", flag)
}
