//! Failures of a store are sorted by what a retry would do:
//!
//! | class | what follows |
//! |---|---|
//! | [`Class::Data`] | the row can never be stored: when it fails alone, twice, it becomes a dead letter `refused_by_store` |
//! | [`Class::Redelivery`] | the message is there already. Every insert skips what is there (outcome `unchanged`), so no call answers this; were one to, it is treated like a row that fails for now |
//! | [`Class::Transient`] | everything else, unknown codes included: nothing is acked, nothing becomes a dead letter, it is tried again until it heals |

use std::time::Duration;

use thiserror::Error;

use super::cause::Cause;

/// What a retry would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Fail again: the data itself is refused.
    Data,
    /// Find the message already there.
    Redelivery,
    /// Succeed once the store has healed.
    Transient,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 3] = [Self::Data, Self::Redelivery, Self::Transient];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Redelivery => "redelivery",
            Self::Transient => "transient",
        }
    }
}

/// A call to the store that failed.
#[derive(Debug, Error)]
#[error("{transaction}: {message}")]
pub struct StoreError {
    /// The named transaction that failed, as in `settle`.
    pub transaction: &'static str,
    /// What a retry would do.
    pub class: Class,
    /// `true` when the server answered with an error, so the transaction is known to be rolled back and a smaller batch
    /// may do; `false` for a lost connection or a time-out: the outcome is unknown. Also `false` when no connection was
    /// to be had: the transaction never began, and a smaller batch would fare no better.
    pub answered: bool,
    /// The database's code where it gave one: an SQLSTATE, or SQLite's extended result code.
    pub code: Option<String>,
    /// For a person: what happened. Holds no payload and no personal data: of a database's answer only the message is told,
    /// never its details, which quote the whole row.
    pub message: String,
}

/// A failure inside a store, before it has the name of its transaction.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection was to be had.
    Connect(Cause),
    /// A statement failed.
    Statement(Cause),
    /// No answer in this time.
    TimedOut(Duration),
    /// The database can't be used as it is; says why and what to do.
    Unfit(String),
    /// Orders that were in the way were deleted again and again.
    Overtaken,
    /// The disk has less room than is asked for.
    Full,
}

/// What hits the store as a whole, and what an operator can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ailment {
    Full,
    ReadOnly,
}

impl Ailment {
    /// By an SQLSTATE, or SQLite's extended result code: SQLSTATEs have five characters, and the low byte of SQLite's numbers,
    /// which are shorter, is the primary code.
    pub(super) fn of(code: &str) -> Option<Self> {
        const READ_ONLY: i32 = 8;
        const FULL: i32 = 13;
        match code {
            "53100" => Some(Self::Full),
            "25006" => Some(Self::ReadOnly),
            code if code.len() < 5 => match code.parse::<i32>().ok()? & 0xff {
                FULL => Some(Self::Full),
                READ_ONLY => Some(Self::ReadOnly),
                _ => None,
            },
            _ => None,
        }
    }

    /// For an operator, after what the database said.
    const fn remedy(self) -> &'static str {
        match self {
            Self::Full => "make room on the database's disk, then what waits is settled by itself",
            Self::ReadOnly => {
                "make the database writable, or have DATABASE_URL lead to one that is: what waits is settled by itself"
            }
        }
    }
}

impl Failure {
    /// The error that callers see.
    pub(super) fn named(self, transaction: &'static str) -> StoreError {
        let (class, answered, code, mut message) = match self {
            Self::Connect(error) => {
                (Class::Transient, false, error.code(), format!("cannot connect: {}", error.describe()))
            }
            Self::Statement(error) => (error.class(), error.answered(), error.code(), error.describe()),
            Self::TimedOut(limit) => {
                (Class::Transient, false, None, format!("no answer within {} s", limit.as_secs_f64()))
            }
            Self::Unfit(message) => (Class::Transient, true, None, message),
            Self::Overtaken => {
                let message = "orders of the same uids kept being deleted meanwhile".to_owned();
                (Class::Transient, true, None, message)
            }
            Self::Full => (Class::Transient, true, Some("13".to_owned()), "the disk is full (13)".to_owned()),
        };
        if let Some(ailment) = code.as_deref().and_then(Ailment::of) {
            message = format!("{message}: {}", ailment.remedy());
        }
        StoreError { transaction, class, answered, code, message }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Self {
        Self::Statement(cause)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Cause::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::cause::Unknown, *};

    #[test]
    fn a_full_disk_and_a_database_that_takes_no_writes_say_what_to_do() {
        let error = Failure::Full.named("record");
        assert!(error.message.ends_with("then what waits is settled by itself"), "{error}");
        // READONLY, READONLY_DBMOVED, FULL.
        for code in ["53100", "25006", "8", "1032", "13"] {
            assert!(Ailment::of(code).is_some(), "{code}");
        }
        // BUSY, IOERR_WRITE, CONSTRAINT_CHECK; too many connections; no code of either.
        for code in ["5", "778", "275", "53300", "08006", "00013", ""] {
            assert_eq!(Ailment::of(code), None, "{code}");
        }
    }

    #[test]
    fn a_lost_connection_and_a_time_out_have_no_known_outcome() {
        let lost = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        let error = Failure::from(lost).named("settle");
        assert_eq!((error.class, error.answered, error.code), (Class::Transient, false, None));

        let error = Failure::Statement(Cause::Lost("the thread is gone".to_owned())).named("settle");
        assert_eq!((error.class, error.answered, error.code), (Class::Transient, false, None));

        let error = Failure::TimedOut(Duration::from_secs(10)).named("settle");
        assert_eq!((error.class, error.answered), (Class::Transient, false));
        assert_eq!(error.to_string(), "settle: no answer within 10 s");
    }

    #[test]
    fn what_sqlite_refuses_has_its_extended_code_and_its_words() {
        let connection = rusqlite::Connection::open_in_memory().expect("memory");
        let run = |sql| Cause::from(connection.execute_batch(sql).expect_err(sql));
        connection
            .execute_batch("CREATE TABLE t (message_id TEXT UNIQUE, n INTEGER CHECK (n > 0)) STRICT; INSERT INTO t VALUES ('a', 1)")
            .expect("sound");

        let refused = run("INSERT INTO t VALUES ('b', 0)");
        assert!(refused.answered() && !refused.read_only());
        let error = Failure::Statement(refused).named("settle");
        assert_eq!((error.class, error.code.as_deref()), (Class::Data, Some("275")));
        assert_eq!(error.to_string(), "settle: CHECK constraint failed: n > 0 (275)");

        let error = Failure::Statement(run("INSERT INTO t VALUES ('a', 1)")).named("record");
        assert_eq!((error.class, error.code.as_deref()), (Class::Redelivery, Some("2067")));

        let error = Failure::Statement(run("SELECT * FROM nowhere")).named("status");
        assert_eq!((error.class, error.answered, error.code.as_deref()), (Class::Transient, true, Some("1")));
        assert_eq!(error.to_string(), "status: no such table: nowhere (1)");

        connection.execute_batch("PRAGMA query_only = ON").expect("a pragma");
        assert!(run("INSERT INTO t VALUES ('b', 1)").read_only());
    }

    #[test]
    fn a_value_that_nobody_knows_is_answered_and_waits() {
        let error = Failure::Statement(Unknown("no such source".to_owned()).into()).named("status");
        assert_eq!((error.class, error.answered, error.code), (Class::Transient, true, None));
    }
}
