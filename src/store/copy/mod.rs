//! From a SQLite file to a PostgreSQL database: every table, page by page in the order of its key, then both sides
//! read again and compared. A run that is killed has left whole pages, and the next one goes on behind them.
//!
//! What keeps others out: the lock of `serve` on the file and SQLite's write lock, for as long as it runs; and a mark
//! in the target, by which a service refuses it until it is whole.

mod error;
mod tables;
mod value;

use std::time::Duration;

use sha2::{Digest, Sha256};

pub use self::error::CopyError;
use self::error::Side;
pub(super) use self::{
    tables::{Column, Kind, TABLES, Table},
    value::{Row, Value, key_text},
};
use super::{
    ConnectError, Options,
    connect::{Target as Url, check_file, lock_for_serve},
    postgres::Target,
    sqlite::{Source, Sqlite},
};

/// Rows of the target that the source does not have are read in pages of so many.
const EXTRA_ROWS: i64 = 100;

/// What copy has noted of its target.
#[derive(Debug)]
pub(super) struct Mark {
    /// What tells its source from others.
    pub(super) source: String,
    /// Whether it was found to be the same as its source.
    pub(super) finished: bool,
}

/// Why a database can't become the target of a copy.
#[derive(Debug)]
pub(super) enum InUse {
    /// This table has rows.
    Rows(&'static str),
    /// A service is connected.
    Served,
}

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It begins to write, with so many rows of so many there already.
    Copying {
        /// Rows of the target.
        there: u64,
        /// Rows of the source.
        rows: u64,
    },
    /// It begins to compare so many rows.
    Comparing {
        /// Rows of the source.
        rows: u64,
    },
    /// So many rows more.
    Rows(u64),
}

/// How a copy is made.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// How long to wait for a database that does not answer at the beginning.
    pub timeout: Duration,
    /// Whether what an earlier copy has left in the target is thrown away.
    pub start_over: bool,
}

/// What there is on either side at the end.
#[derive(Debug)]
pub struct Comparison {
    /// Every table.
    pub tables: Vec<TableComparison>,
    /// What an operator should know of the target.
    pub warnings: Vec<String>,
}

/// A table on both sides.
#[derive(Debug)]
pub struct TableComparison {
    /// Its name.
    pub name: &'static str,
    /// In SQLite.
    pub source: Content,
    /// In PostgreSQL.
    pub target: Content,
    /// The key of the first row that is not the same on both sides.
    pub differs_at: Option<String>,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// How many rows.
    pub rows: u64,
    /// The SHA-256 of all of them in the order of their keys, in hexadecimal.
    pub sha256: String,
}

impl Comparison {
    /// Whether both sides are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.tables.iter().all(TableComparison::is_same)
    }
}

impl TableComparison {
    /// Whether both sides are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.source == self.target
    }
}

/// Copies one database to another, and compares them. A repetition goes on where the last run ended; of a copy that
/// is whole it compares again.
///
/// # Errors
/// When a side can't be used, or is used by somebody else, or is not what it has to be. Two sides that differ are no
/// error.
pub async fn copy(
    from: &str,
    to: &str,
    how: How,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<Comparison, CopyError> {
    let (Url::Sqlite(path), Url::Postgres(server)) =
        (Url::of(from).map_err(CopyError::From)?, Url::of(to).map_err(CopyError::To)?)
    else {
        return Err(CopyError::Direction);
    };
    check_file(&path, false).map_err(CopyError::From)?;
    let _lock = lock_for_serve(from).map_err(|error| match error {
        ConnectError::Served { path } => CopyError::Served { path },
        other => CopyError::From(other),
    })?;
    let sqlite = Sqlite::new(&path, &Options { timeout: how.timeout, ..Options::default() });
    if !sqlite.is_ours().await.map_err(Side::Source.failed())? {
        return Err(CopyError::NotOurs { path });
    }
    let target = Target::new(*server);
    let warnings = target.check(how.timeout).await.map_err(Side::Target.failed())?;
    if target.services().await.map_err(Side::Target.failed())? > 0 {
        return Err(CopyError::TargetServed);
    }
    let mut source = sqlite.source().await.map_err(Side::Source.failed())?;
    let finished = begin(&mut source, &target, how.start_over).await?;
    if !finished {
        fill(&mut source, &target, watch).await?;
    }
    let tables = compare(&mut source, &target, watch).await?;
    let comparison = Comparison { tables, warnings };
    // Either may have been changed since an earlier copy.
    if finished != comparison.is_same() {
        target.finish(comparison.is_same()).await.map_err(Side::Target.failed())?;
    }
    Ok(comparison)
}

/// Makes sure that the target is empty or one of this source; answers whether it is whole already.
async fn begin(source: &mut Source<'_>, target: &Target, start_over: bool) -> Result<bool, CopyError> {
    let identity = identity(source).await.map_err(Side::Source.failed())?;
    let failed = Side::Target.failed();
    if start_over {
        target.start_over().await.map_err(&failed)?;
    }
    match target.mark().await.map_err(&failed)? {
        Some(mark) if mark.source == identity => {
            target.migrate().await.map_err(&failed)?;
            Ok(mark.finished)
        }
        Some(_) => Err(CopyError::OtherSource),
        None => {
            // Before anything is changed: it may be the database of a service.
            if let Some(table) = target.used().await.map_err(&failed)? {
                return Err(CopyError::Used { table });
            }
            target.migrate().await.map_err(&failed)?;
            match target.begin(&identity).await.map_err(&failed)? {
                Some(InUse::Rows(table)) => Err(CopyError::Used { table }),
                Some(InUse::Served) => Err(CopyError::TargetServed),
                None => Ok(false),
            }
        }
    }
}

/// What tells this state of the source from others: every message that is received or settled changes it.
async fn identity(source: &mut Source<'_>) -> super::Result<String> {
    let mut content = Reading::default();
    for table in TABLES.iter().filter(|table| matches!(table.name, "ledger" | "channels")) {
        content.after = None;
        loop {
            let page = source.page(table, content.after.clone()).await?;
            if page.is_empty() {
                break;
            }
            content.add(table, &page);
        }
    }
    Ok(content.end().sha256)
}

/// Writes what the target does not have yet.
async fn fill(
    source: &mut Source<'_>,
    target: &Target,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<(), CopyError> {
    let (mut rows, mut there, mut lasts) = (0, 0, Vec::with_capacity(TABLES.len()));
    for table in TABLES {
        let (count, last) = target.state(table).await.map_err(Side::Target.failed())?;
        rows += source.count(table).await.map_err(Side::Source.failed())?;
        there += count;
        lasts.push(last);
    }
    watch(Step::Copying { there: there.cast_unsigned(), rows: rows.cast_unsigned() });
    for (table, last) in TABLES.iter().zip(lasts) {
        let mut page = source.page(table, last).await.map_err(Side::Source.failed())?;
        while !page.is_empty() {
            let after = key_of(table, &page);
            let reading = async { source.page(table, after).await.map_err(Side::Source.failed()) };
            let writing = async { target.put(table, &page).await.map_err(Side::Target.failed()) };
            let (next, ()) = futures_util::future::try_join(reading, writing).await?;
            watch(Step::Rows(page.len() as u64));
            page = next;
        }
        if table.is_numbered() {
            let number = source.last_number(table).await.map_err(Side::Source.failed())?;
            if number > 0 {
                target.set_last_number(table, number).await.map_err(Side::Target.failed())?;
            }
        }
    }
    Ok(())
}

/// Reads both sides.
async fn compare(
    source: &mut Source<'_>,
    target: &Target,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<Vec<TableComparison>, CopyError> {
    let mut rows = 0;
    for table in TABLES {
        rows += source.count(table).await.map_err(Side::Source.failed())?;
    }
    watch(Step::Comparing { rows: rows.cast_unsigned() });
    let mut tables = Vec::with_capacity(TABLES.len());
    for table in TABLES {
        tables.push(compare_table(source, target, table, watch).await?);
    }
    Ok(tables)
}

async fn compare_table(
    source: &mut Source<'_>,
    target: &Target,
    table: &'static Table,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<TableComparison, CopyError> {
    let (mut ours, mut theirs) = (Reading::default(), Reading::default());
    let mut differs_at = None;
    let mut page = source.page(table, None).await.map_err(Side::Source.failed())?;
    loop {
        ours.add(table, &page);
        // As many rows, which then are as large as those of the source.
        let limit = if page.is_empty() { EXTRA_ROWS } else { page.len() as i64 };
        let after = ours.after.clone();
        let reading = async { source.page(table, after).await.map_err(Side::Source.failed()) };
        let there =
            async { target.page(table, theirs.after.as_ref(), limit).await.map_err(Side::Target.failed()) };
        let (next, there) = futures_util::future::try_join(reading, there).await?;
        theirs.add(table, &there);
        differs_at = differs_at.or_else(|| first_difference(table, &page, &there));
        watch(Step::Rows(page.len() as u64));
        if page.is_empty() && there.is_empty() {
            return Ok(TableComparison {
                name: table.name,
                source: ours.end(),
                target: theirs.end(),
                differs_at,
            });
        }
        page = next;
    }
}

/// A side of a table that is being read.
#[derive(Default)]
struct Reading {
    rows: u64,
    checksum: Sha256,
    after: Option<Row>,
}

impl Reading {
    fn add(&mut self, table: &Table, page: &[Row]) {
        self.rows += page.len() as u64;
        page.iter().flatten().for_each(|value| value.feed(&mut self.checksum));
        self.after = key_of(table, page).or(self.after.take());
    }

    fn end(self) -> Content {
        let sha256 = self.checksum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Content { rows: self.rows, sha256 }
    }
}

/// The key of the last row.
fn key_of(table: &Table, page: &[Row]) -> Option<Row> {
    page.last().map(|row| row[..table.key].to_vec())
}

/// The key of the first row that is not the same on both sides, or is on one only.
fn first_difference(table: &Table, ours: &[Row], theirs: &[Row]) -> Option<String> {
    let place = ours.iter().zip(theirs).position(|(ours, theirs)| ours != theirs);
    let place = place.or((ours.len() != theirs.len()).then_some(ours.len().min(theirs.len())))?;
    let keys = [ours, theirs].into_iter().filter_map(|page| page.get(place)).map(|row| &row[..table.key]);
    keys.reduce(|one, other| if other < one { other } else { one }).map(key_text)
}
