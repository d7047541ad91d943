//! Columns of types that SQLite does not have.

use std::str::FromStr;

use bytes::Bytes;
use rusqlite::{
    Row,
    types::{FromSql, FromSqlError, FromSqlResult, ValueRef},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::store::{
    SourceKind,
    cause::{Cause, Unknown},
    report,
};

/// Text that is not kept.
pub(super) fn text<'r>(row: &'r Row<'_>, index: usize) -> Result<&'r str, Cause> {
    Ok(row.get_ref(index)?.as_str().map_err(rusqlite::Error::from)?)
}

/// Bytes that are not kept.
pub(super) fn blob<'r>(row: &'r Row<'_>, index: usize) -> Result<&'r [u8], Cause> {
    Ok(row.get_ref(index)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// Bytes.
pub(super) fn bytes(row: &Row<'_>, index: usize) -> Result<Bytes, Cause> {
    blob(row, index).map(Bytes::copy_from_slice)
}

/// A length.
pub(super) fn length(row: &Row<'_>, index: usize) -> Result<usize, Cause> {
    let length: i64 = row.get(index)?;
    usize::try_from(length).map_err(|_| Unknown(format!("a length of {length}")).into())
}

/// A time.
pub(super) fn time(row: &Row<'_>, index: usize) -> Result<OffsetDateTime, Cause> {
    row.get(index).map(|Time(time)| time).map_err(Cause::from)
}

/// A time, or null.
pub(super) fn time_if_any(row: &Row<'_>, index: usize) -> Result<Option<OffsetDateTime>, Cause> {
    Ok(row.get::<_, Option<Time>>(index)?.map(|Time(time)| time))
}

/// A source.
pub(super) fn source(row: &Row<'_>, index: usize) -> Result<SourceKind, Cause> {
    Ok(report::source(text(row, index)?)?)
}

/// A name.
pub(super) fn parsed<T: FromStr<Err = String>>(row: &Row<'_>, index: usize) -> Result<T, Cause> {
    Ok(text(row, index)?.parse().map_err(Unknown)?)
}

struct Time(OffsetDateTime);

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        OffsetDateTime::parse(value.as_str()?, &Rfc3339).map(Self).map_err(FromSqlError::other)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_read_as_this_service_and_as_sqlite_write_it() {
        let connection = Connection::open_in_memory().expect("memory");
        for (text, expected) in [
            ("2021-11-26T06:22:19.123456Z", datetime!(2021-11-26 06:22:19.123456 UTC)),
            ("2021-11-26T06:22:19.123Z", datetime!(2021-11-26 06:22:19.123 UTC)),
            ("2021-11-26T06:22:19Z", datetime!(2021-11-26 06:22:19 UTC)),
        ] {
            let found = connection.query_row_and_then("SELECT ?1", [text], |row| time(row, 0));
            assert_eq!(found.expect("a time"), expected);
        }
        let wrong = connection.query_row_and_then("SELECT 'yesterday'", [], |row| time(row, 0));
        assert!(wrong.expect_err("no time").answered());
    }
}
