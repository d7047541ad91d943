use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior::Immediate};

use crate::store::cause::{Cause, Unknown};

/// The number of a migration is its place here, from 1; SQLite's `user_version` is the last that was run.
const ALL: &[&str] = &[
    include_str!("../../../migrations/sqlite/0001_orders.sql"),
    include_str!("../../../migrations/sqlite/0002_dead_letters_by_reason.sql"),
    include_str!("../../../migrations/sqlite/0003_gaps.sql"),
    include_str!("../../../migrations/sqlite/0004_replays.sql"),
    include_str!("../../../migrations/sqlite/0005_replay_outcomes.sql"),
    include_str!("../../../migrations/sqlite/0006_history_by_time.sql"),
    include_str!("../../../migrations/sqlite/0007_expired_orders.sql"),
];
const TABLE: &str = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?";
/// Where the first versions of this service noted it.
const FORMER_TABLE: &str = "_sqlx_migrations";
const FORMER_VERSION: &str = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";

/// Brings the schema up to date in one transaction; with nothing to do nothing is written.
pub(super) fn run(connection: &mut Connection) -> Result<(), Cause> {
    let newest = ALL.len() as i64;
    if noted(connection)? == newest && has(connection, "inbox")? {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(Immediate)?;
    let version = version(&transaction)?;
    let missing = usize::try_from(version).ok().and_then(|version| ALL.get(version..));
    let Some(missing) = missing else { return Err(Unknown::migration(version).into()) };
    for migration in missing {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", newest)?;
    Ok(transaction.commit()?)
}

/// How far the file has come.
fn version(transaction: &Transaction<'_>) -> Result<i64, Cause> {
    let version = match noted(transaction)? {
        0 if has(transaction, FORMER_TABLE)? => {
            transaction.query_row(FORMER_VERSION, (), |row| row.get(0))?
        }
        noted => noted,
    };
    match (version, has(transaction, "inbox")?) {
        (0, true) => Err(Unknown(
            "the database has tables of orderbox but does not say of which version, as after a dump: set `PRAGMA user_version` to \
             that of the file it was made from"
                .to_owned(),
        )),
        (1.., false) => Err(Unknown(
            "the database is of another program: its user_version is set, and it has no table `inbox`; choose another file"
                .to_owned(),
        )),
        _ => Ok(version),
    }
    .map_err(Cause::from)
}

fn noted(connection: &Connection) -> Result<i64, Cause> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Whether there is such a table.
pub(super) fn has(connection: &Connection, table: &str) -> Result<bool, Cause> {
    Ok(connection.query_row(TABLE, [table], |_| Ok(())).optional()?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQLX_TABLE: &str = "
        CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
            installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL,
            checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";

    /// The last migration of the versions with sqlx.
    const LAST_OF_SQLX: usize = 5;

    fn memory() -> Connection {
        Connection::open_in_memory().expect("memory")
    }

    fn noted_in(connection: &Connection) -> i64 {
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
        assert_eq!(ALL, texts);
    }

    #[test]
    fn a_file_that_sqlx_has_migrated_goes_on_where_it_is() {
        let mut new = memory();
        run(&mut new).expect("a new file");
        for migrations in 0..=LAST_OF_SQLX {
            let mut connection = of_sqlx(migrations);
            run(&mut connection).expect("sound");
            assert_eq!(noted_in(&connection), ALL.len() as i64, "{migrations}");
            assert_eq!(tables(&connection), tables(&new), "{migrations}");
            assert!(
                !has(&connection, FORMER_TABLE).expect("a query"),
                "those versions would take it for theirs"
            );
            run(&mut connection).expect("nothing to do");
        }
    }

    #[test]
    fn a_file_of_a_newer_orderbox_is_refused_and_left_alone() {
        let newer = ALL.len() as i64 + 1;
        let mut noted = memory();
        run(&mut noted).expect("a new file");
        noted.pragma_update(None, "user_version", newer).expect("a pragma");
        let mut former = of_sqlx(LAST_OF_SQLX);
        former
            .execute("INSERT INTO _sqlx_migrations VALUES (?, '', '', TRUE, x'00', 1)", [newer])
            .expect("a note");
        for (connection, version_after) in [(&mut noted, newer), (&mut former, 0)] {
            let before = tables(connection);
            let Err(Cause::Unknown(Unknown(message))) = run(connection) else { panic!("it is newer") };
            let told = format!("has migration {newer}, which this orderbox does not know");
            assert!(message.contains(&told), "{message}");
            assert_eq!((noted_in(connection), tables(connection)), (version_after, before));
        }
    }

    #[test]
    fn a_file_that_is_not_known_to_be_ours_is_refused_and_left_alone() {
        let mut dumped = memory();
        run(&mut dumped).expect("a new file");
        dumped.pragma_update(None, "user_version", 0).expect("a pragma");
        let other = || {
            let other = memory();
            other.execute_batch("CREATE TABLE other (id INTEGER)").expect("a table");
            other
        };
        let (mut early, mut late) = (other(), other());
        early.pragma_update(None, "user_version", 1).expect("a pragma");
        late.pragma_update(None, "user_version", ALL.len() as i64).expect("a pragma");
        for (connection, told) in [
            (&mut dumped, "as after a dump"),
            (&mut early, "of another program"),
            (&mut late, "of another program"),
        ] {
            let before = (noted_in(connection), tables(connection));
            let Err(Cause::Unknown(Unknown(message))) = run(connection) else { panic!("{told}") };
            assert!(message.contains(told), "{message}");
            assert_eq!((noted_in(connection), tables(connection)), before);
        }
    }
}
