//! Columns of the rows that PostgreSQL answers.

use bytes::Bytes;
use sqlx::{Decode, Row, Type, postgres::PgRow};

/// A column by its place.
pub(super) fn column<'r, T: Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>>(
    row: &'r PgRow,
    index: usize,
) -> sqlx::Result<T> {
    row.try_get(index)
}

/// What `array_agg` made of a column; of no rows it makes NULL.
pub(super) fn listed<'r, T>(row: &'r PgRow, index: usize) -> sqlx::Result<Vec<T>>
where
    T: Type<sqlx::Postgres>,
    Vec<T>: Decode<'r, sqlx::Postgres> + Type<sqlx::Postgres>,
{
    Ok(column::<Option<Vec<T>>>(row, index)?.unwrap_or_default())
}

/// A column of bytes.
pub(super) fn bytes(row: &PgRow, index: usize) -> sqlx::Result<Bytes> {
    column::<Vec<u8>>(row, index).map(Bytes::from)
}

/// A column that holds a length.
pub(super) fn length(row: &PgRow, index: usize) -> sqlx::Result<usize> {
    let length: i32 = column(row, index)?;
    usize::try_from(length).map_err(|error| sqlx::Error::Decode(error.into()))
}
