//! Failures of a store are sorted by what a retry would do:
//!
//! | class | what follows |
//! |---|---|
//! | [`Class::Data`] | the row can never be stored: when it fails alone, twice, it becomes a dead letter `refused_by_store` |
//! | [`Class::Redelivery`] | the message is there already. Every insert skips what is there (outcome `unchanged`), so no call answers this; were one to, it is treated like a row that fails for now |
//! | [`Class::Transient`] | everything else, unknown codes included: nothing is acked, nothing becomes a dead letter, it is tried again until it heals |

use std::time::Duration;

use sqlx::{error::DatabaseError, migrate::MigrateError, postgres::PgDatabaseError, postgres::PgSeverity};
use thiserror::Error;

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
    /// Other instances kept changing the same rows.
    Overtaken,
    /// The disk has less room than is asked for.
    Full,
}

/// Why a statement failed, by who says so.
#[derive(Debug)]
pub(super) enum Cause {
    /// The library for PostgreSQL.
    Postgres(sqlx::Error),
    /// The library for SQLite.
    Sqlite(rusqlite::Error),
    /// This side: the database holds what it does not know.
    Unknown(Unknown),
    /// Nobody: the thread that ran the statement is gone, and the connection with it.
    Lost(String),
}

/// A value, or a schema, that this version does not know.
#[derive(Debug)]
pub(super) struct Unknown(pub(super) String);

/// What hits the store as a whole, and what an operator can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ailment {
    Full,
    ReadOnly,
}

impl Ailment {
    /// By an SQLSTATE, or SQLite's extended result code: SQLSTATEs have five characters, and the low byte of SQLite's numbers,
    /// which are shorter, is the primary code.
    fn of(code: &str) -> Option<Self> {
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

impl Cause {
    /// `true` when the connection is still in step with the server and may be used again after a ROLLBACK.
    pub(super) fn answered(&self) -> bool {
        match self {
            Self::Postgres(error) => answered(error),
            // SQLite runs in this process: whatever went wrong, the connection knows.
            Self::Sqlite(_) | Self::Unknown(_) => true,
            Self::Lost(_) => false,
        }
    }

    /// `true` when the connection may not write: PostgreSQL decides that when a session begins, SQLite when it opens the file.
    pub(super) fn read_only(&self) -> bool {
        self.code().is_some_and(|code| Ailment::of(&code) == Some(Ailment::ReadOnly))
    }

    fn code(&self) -> Option<String> {
        match self {
            Self::Postgres(error) => {
                answer(error).and_then(DatabaseError::code).map(|code| code.into_owned())
            }
            Self::Sqlite(error) => result(error).map(|(code, _)| code.to_string()),
            Self::Unknown(_) | Self::Lost(_) => None,
        }
    }

    fn class(&self) -> Class {
        match self {
            Self::Postgres(error) => answer(error)
                .and_then(|answer| answer.try_downcast_ref::<PgDatabaseError>())
                .map_or(Class::Transient, |answer| classify_sqlstate(answer.code(), answer.constraint())),
            Self::Sqlite(error) => {
                result(error).map_or(Class::Transient, |(code, message)| classify_sqlite(code, message))
            }
            Self::Unknown(_) | Self::Lost(_) => Class::Transient,
        }
    }

    /// What happened, without values.
    fn describe(&self) -> String {
        match self {
            Self::Postgres(error) => describe(error),
            Self::Sqlite(error) => match result(error) {
                Some((code, message)) => format!("{message} ({code})"),
                None => error.to_string(),
            },
            Self::Unknown(Unknown(message)) | Self::Lost(message) => message.clone(),
        }
    }
}

impl Unknown {
    /// The schema has a migration that only a newer version has.
    pub(super) fn migration(version: i64) -> Self {
        Self(format!(
            "the database has migration {version}, which this orderbox does not know: it was written by a newer one; \
             run that one"
        ))
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
                let message = "other instances kept changing the same rows".to_owned();
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

impl From<sqlx::Error> for Cause {
    fn from(error: sqlx::Error) -> Self {
        Self::Postgres(error)
    }
}

impl From<rusqlite::Error> for Cause {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Unknown> for Cause {
    fn from(unknown: Unknown) -> Self {
        Self::Unknown(unknown)
    }
}

impl From<Unknown> for sqlx::Error {
    fn from(Unknown(message): Unknown) -> Self {
        Self::Decode(message.into())
    }
}

fn answered(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(answer) => !is_fatal(answer.as_ref()),
        sqlx::Error::Migrate(source) => match source.as_ref() {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => answered(source),
            _ => true,
        },
        // Values that this side could not encode or decode: the server had no part in it.
        sqlx::Error::Encode(_)
        | sqlx::Error::Decode(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::RowNotFound
        | sqlx::Error::InvalidArgument(_) => true,
        // Io, Tls, Protocol, WorkerCrashed and what a later sqlx adds: assume the worst.
        _ => false,
    }
}

/// The server ends the connection with this error. It may say so after a commit that it could not report, so the outcome
/// is unknown: <https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION>.
fn is_fatal(answer: &dyn DatabaseError) -> bool {
    answer
        .try_downcast_ref::<PgDatabaseError>()
        .is_some_and(|answer| matches!(answer.severity(), PgSeverity::Fatal | PgSeverity::Panic))
}

/// The database's own answer, if the error holds one.
fn answer(error: &sqlx::Error) -> Option<&dyn DatabaseError> {
    match error {
        sqlx::Error::Database(answer) => Some(answer.as_ref()),
        sqlx::Error::Migrate(source) => match source.as_ref() {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => answer(source),
            _ => None,
        },
        _ => None,
    }
}

/// SQLite's extended result code and its message, if the error is SQLite's own.
fn result(error: &rusqlite::Error) -> Option<(i32, &str)> {
    match error {
        rusqlite::Error::SqliteFailure(code, message) => {
            Some((code.extended_code, message.as_deref().unwrap_or("SQLite gives no reason")))
        }
        rusqlite::Error::SqlInputError { error, msg, .. } => Some((error.extended_code, msg)),
        _ => None,
    }
}

/// The policy for PostgreSQL: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn classify_sqlstate(code: &str, constraint: Option<&str>) -> Class {
    match code {
        // Data exceptions: out of range, not a number, not in the encoding.
        code if code.starts_with("22") => Class::Data,
        // NOT NULL and CHECK; a row too big for a page or an index.
        "23502" | "23514" | "54000" => Class::Data,
        // Unique keys: only the one on message_id means that this very message is there.
        "23505" if constraint.is_some_and(|name| name.ends_with("_message_id_key")) => Class::Redelivery,
        // Away, full, busy, read-only, refused, or not known: none of it is the message's fault.
        _ => Class::Transient,
    }
}

/// The policy for SQLite's extended result codes: <https://www.sqlite.org/rescode.html>.
fn classify_sqlite(code: i32, message: &str) -> Class {
    const TOOBIG: i32 = 18;
    const CONSTRAINT: i32 = 19;
    const MISMATCH: i32 = 20;
    const FOREIGN_KEY: i32 = CONSTRAINT | 3 << 8;
    const PRIMARY_KEY: i32 = CONSTRAINT | 6 << 8;
    const UNIQUE: i32 = CONSTRAINT | 8 << 8;
    const ROW_ID: i32 = CONSTRAINT | 10 << 8;
    match code {
        UNIQUE if message.ends_with(".message_id") => Class::Redelivery,
        // A row that another writer put there or took away: a retry sees it.
        UNIQUE | PRIMARY_KEY | ROW_ID | FOREIGN_KEY => Class::Transient,
        // The low byte is the primary code. CHECK, NOT NULL, triggers, STRICT types; a value over the size limit.
        code if matches!(code & 0xff, CONSTRAINT | TOOBIG | MISMATCH) => Class::Data,
        // Busy, full, read-only, moved, corrupt, or not known: none of it is the message's fault.
        _ => Class::Transient,
    }
}

/// PostgreSQL quotes the refused value after a colon or in quotes.
fn describe(error: &sqlx::Error) -> String {
    match answer(error) {
        Some(answer) => {
            let code = answer.code().unwrap_or_default();
            let message = answer.message();
            let message = if code.starts_with("22") {
                message.split([':', '"']).next().unwrap_or_default().trim_end()
            } else {
                message
            };
            format!("{message} ({code})")
        }
        None => match error {
            sqlx::Error::Migrate(source) => match source.as_ref() {
                MigrateError::VersionMissing(version) => Unknown::migration(*version).0,
                other => format!("cannot bring the schema up to date: {other}"),
            },
            other => other.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_sorted_by_what_a_retry_would_do() {
        for code in ["22003", "22021", "22P02", "23502", "23514", "54000"] {
            assert_eq!(classify_sqlstate(code, None), Class::Data, "{code}");
        }
        assert_eq!(classify_sqlstate("23505", Some("inbox_message_id_key")), Class::Redelivery);
        assert_eq!(classify_sqlstate("23505", Some("orders_order_uid_key")), Class::Transient);
        for code in [
            "08006", "23503", "23505", "25006", "28P01", "3D000", "40001", "40P01", "42P01", "42501",
            "53100", "53300", "54001", "55P03", "57014", "57P01", "57P03", "58030", "XX000", "P0001",
            "00000", "",
        ] {
            assert_eq!(classify_sqlstate(code, None), Class::Transient, "{code}");
        }
    }

    #[test]
    fn sqlite_codes_are_sorted_by_what_a_retry_would_do() {
        // TOOBIG, MISMATCH, CONSTRAINT: plain, CHECK, NOTNULL, TRIGGER, DATATYPE.
        for code in [18, 20, 19, 275, 1299, 1811, 3091] {
            assert_eq!(classify_sqlite(code, ""), Class::Data, "{code}");
        }
        let message = "UNIQUE constraint failed: inbox.message_id";
        assert_eq!(classify_sqlite(2067, message), Class::Redelivery);
        // UNIQUE elsewhere, PRIMARYKEY, ROWID, FOREIGNKEY; ERROR, PERM, ABORT, BUSY, BUSY_SNAPSHOT, LOCKED, NOMEM, READONLY,
        // INTERRUPT, IOERR, IOERR_FSYNC, CORRUPT, FULL, CANTOPEN, PROTOCOL, SCHEMA, NOTADB, and no code at all.
        for code in [
            2067, 1555, 2579, 787, 1, 3, 4, 5, 517, 6, 7, 8, 9, 10, 1034, 11, 13, 14, 15, 17, 26, 0, -1,
            99999,
        ] {
            assert_eq!(classify_sqlite(code, ""), Class::Transient, "{code}");
        }
    }

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
