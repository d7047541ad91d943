use rusqlite::{Connection, OptionalExtension};
use rusqlite_migration::{Error, M, Migrations};

use crate::store::error::{Cause, Unknown};

/// The number of a migration is its place here, from 1; SQLite's `user_version` is the last that was run.
const ALL: &[M<'static>] = &[
    M::up(include_str!("../../../migrations/sqlite/0001_orders.sql")),
    M::up(include_str!("../../../migrations/sqlite/0002_dead_letters_by_reason.sql")),
    M::up(include_str!("../../../migrations/sqlite/0003_gaps.sql")),
    M::up(include_str!("../../../migrations/sqlite/0004_replays.sql")),
    M::up(include_str!("../../../migrations/sqlite/0005_replay_outcomes.sql")),
];
/// Where the first versions of this service noted it.
const FORMER_TABLE: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '_sqlx_migrations'";
const FORMER_VERSION: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";

/// Brings the schema up to date. All migrations are one transaction; with none to run nothing is written.
pub(super) fn run(connection: &mut Connection) -> Result<(), Cause> {
    let noted: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = if noted == 0 { former(connection)? } else { noted };
    if version > ALL.len() as i64 {
        return Err(Unknown::migration(version).into());
    }
    if version != noted {
        connection.pragma_update(None, "user_version", version)?;
    }
    Migrations::from_slice(ALL).to_latest(connection).map_err(|error| match error {
        Error::RusqliteError { err, .. } => err.into(),
        other => Unknown(format!("cannot bring the schema up to date: {other}")).into(),
    })
}

/// How far a file has come whose migrations are noted in a table.
fn former(connection: &Connection) -> Result<i64, Cause> {
    let there = connection.query_row(FORMER_TABLE, (), |_| Ok(())).optional()?.is_some();
    if there { Ok(connection.query_row(FORMER_VERSION, (), |row| row.get(0))?) } else { Ok(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQLX_TABLE: &str = "
        CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
            installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
            checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";

    fn memory() -> Connection {
        Connection::open_in_memory().expect("memory")
    }

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a pragma")
    }

    fn tables(connection: &Connection) -> Vec<String> {
        let sql = "SELECT sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name";
        let mut statement = connection.prepare(sql).expect("a query");
        let rows = statement.query_map((), |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("text")
    }

    /// A file that a version with sqlx has brought so far.
    fn of_sqlx(migrations: usize) -> Connection {
        let connection = memory();
        connection.execute_batch(SQLX_TABLE).expect("a table");
        for (number, file) in (1..).zip(files().iter().take(migrations)) {
            connection.execute_batch(&std::fs::read_to_string(file).expect("a file")).expect("sound");
            let note = "INSERT INTO _sqlx_migrations VALUES (?, '', '', TRUE, x'00', 1)";
            connection.execute(note, [number]).expect("a note");
        }
        connection
    }

    /// The files of the folder in their order.
    fn files() -> Vec<std::path::PathBuf> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    }

    #[test]
    fn every_file_is_run_in_the_order_of_its_number() {
        let texts: Vec<_> =
            files().iter().map(|file| std::fs::read_to_string(file).expect("a file")).collect();
        let migrations: Vec<_> = texts.iter().map(|text| M::up(text)).collect();
        assert_eq!(ALL, migrations);
        Migrations::from_slice(ALL).validate().expect("all of them run");
    }

    #[test]
    fn a_file_that_sqlx_has_migrated_goes_on_where_it_is() {
        let mut new = memory();
        run(&mut new).expect("a new file");
        for migrations in 0..=ALL.len() {
            let mut connection = of_sqlx(migrations);
            run(&mut connection).expect("sound");
            assert_eq!(version(&connection), ALL.len() as i64, "{migrations}");
            assert_eq!(tables(&connection), tables(&new), "{migrations}");
            let kept = "SELECT count(*) FROM _sqlx_migrations";
            let kept: i64 = connection.query_row(kept, (), |row| row.get(0)).expect("the table is there");
            assert_eq!(kept, migrations as i64);
            run(&mut connection).expect("nothing to do");
        }
    }

    #[test]
    fn a_file_of_a_newer_orderbox_is_refused_and_left_alone() {
        let newer = ALL.len() as i64 + 1;
        let mut noted = memory();
        noted.pragma_update(None, "user_version", newer).expect("a pragma");
        let mut former = of_sqlx(ALL.len());
        former
            .execute("INSERT INTO _sqlx_migrations VALUES (?, '', '', TRUE, x'00', 1)", [newer])
            .expect("a note");
        for (connection, version_after) in [(&mut noted, newer), (&mut former, 0)] {
            let before = tables(connection);
            let Err(Cause::Unknown(Unknown(message))) = run(connection) else { panic!("it is newer") };
            assert!(message.contains("has migration 6, which this orderbox does not know"), "{message}");
            assert_eq!((version(connection), tables(connection)), (version_after, before));
        }
    }
}
