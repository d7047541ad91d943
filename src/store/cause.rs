//! What the libraries of the two databases say when a statement fails, and what a retry would do about it.

use sqlx::{error::DatabaseError, migrate::MigrateError, postgres::PgDatabaseError, postgres::PgSeverity};

use super::error::{Ailment, Class};

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

    /// `true` when the connection may not write: PostgreSQL decides that when a session begins, SQLite when it opens the file. Of a
    /// checkpoint on such a connection it says only that a write has failed.
    pub(super) fn read_only(&self) -> bool {
        const IOERR_WRITE: &str = "778";
        self.code().is_some_and(|code| code == IOERR_WRITE || Ailment::of(&code) == Some(Ailment::ReadOnly))
    }

    pub(super) fn code(&self) -> Option<String> {
        match self {
            Self::Postgres(error) => {
                answer(error).and_then(DatabaseError::code).map(|code| code.into_owned())
            }
            Self::Sqlite(error) => result(error).map(|(code, _)| code.to_string()),
            Self::Unknown(_) | Self::Lost(_) => None,
        }
    }

    pub(super) fn class(&self) -> Class {
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
    pub(super) fn describe(&self) -> String {
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
    fn a_connection_whose_checkpoint_cannot_write_is_not_kept() {
        let failed = |code| {
            Cause::Sqlite(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(code),
                Some(String::new()),
            ))
        };
        // READONLY, READONLY_DBMOVED, IOERR_WRITE; and IOERR, IOERR_READ, FULL.
        assert!([8, 1032, 778].into_iter().all(|code| failed(code).read_only()));
        assert!(![10, 266, 13].into_iter().any(|code| failed(code).read_only()));
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
}
