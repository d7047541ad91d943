use orderbox::store::{Class, Message, Outcome, StoreError};

use super::{
    Bench,
    fixture::{message, recorded, settle, small, try_settle},
    rules,
};
use crate::support::database::Database;

rules!(
    a_row_that_breaks_a_rule_of_the_table_is_a_data_error_and_nothing_is_written,
    a_refused_record_writes_nothing,
    a_store_that_takes_no_writes_is_transient_and_reads_go_on,
    a_table_that_is_missing_is_transient,
);

/// Settles a row that the store refuses: nothing may be written, and the row may be settled once `heal` has run.
async fn refused(bench: &Bench, document: &str, heal: &str) -> StoreError {
    let rows = recorded(&*bench.store, &[message(1, 1, &small("good", 1)), message(2, 2, document)]).await;
    let error = try_settle(&*bench.store, &rows).await.unwrap_err();
    assert_eq!(error.transaction, "settle");
    assert_eq!(bench.database.number("SELECT count(*) FROM inbox").await, 2);
    assert_eq!(bench.database.number("SELECT count(*) FROM orders").await, 0);
    bench.assert_balances().await;
    bench.database.execute(heal).await;
    assert_eq!(settle(&*bench.store, &rows).await, [Some(Outcome::Applied); 2]);
    bench.assert_balances().await;
    error
}

/// Makes the store refuse an order whose track_number is `Tbad`.
async fn refuse_bad(bench: &Bench, postgres: &str) {
    let sql = match bench.database {
        Database::Sqlite(_) => {
            "CREATE TRIGGER refuse BEFORE INSERT ON orders WHEN NEW.track_number = 'Tbad'
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Database::Postgres(_) => postgres,
    };
    bench.database.execute(sql).await;
}

async fn a_row_that_breaks_a_rule_of_the_table_is_a_data_error_and_nothing_is_written(bench: Bench) {
    refuse_bad(&bench, "ALTER TABLE orders ADD CONSTRAINT refuse CHECK (track_number <> 'Tbad')").await;
    let heal = match bench.database {
        Database::Sqlite(_) => "DROP TRIGGER refuse",
        Database::Postgres(_) => "ALTER TABLE orders DROP CONSTRAINT refuse",
    };
    let error = refused(&bench, &small("a", "bad"), heal).await;
    assert_eq!((error.class, error.answered), (Class::Data, true), "{error}");
    let code = if bench.store.kind() == "sqlite" { "1811" } else { "23514" };
    assert_eq!(error.code.as_deref(), Some(code));
}

async fn a_refused_record_writes_nothing(bench: Bench) {
    let sql = match bench.database {
        Database::Sqlite(_) => {
            "CREATE TRIGGER refuse BEFORE INSERT ON channels BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Database::Postgres(_) => "ALTER TABLE channels ADD CONSTRAINT refuse CHECK (last_sequence < 0)",
    };
    bench.database.execute(sql).await;
    bench.store.record(&[message(1, 1, "a")]).await.unwrap_err();
    assert_eq!(bench.database.number("SELECT count(*) FROM inbox").await, 0);
    assert!(bench.store.ledger_is_empty().await.unwrap());
    bench.assert_balances().await;
}

async fn a_store_that_takes_no_writes_is_transient_and_reads_go_on(bench: Bench) {
    let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1))]).await;
    settle(&*bench.store, &rows).await;
    let more: [Message; 1] = [message(2, 2, &small("b", 1))];
    // A lock that another program holds on the whole database, or a server that has become a standby.
    let (store, blocker) = match &bench.database {
        Database::Sqlite(_) => {
            let blocker = bench.database.sqlite_write_lock();
            (bench.database.store_with(std::time::Duration::from_secs(3)), Some(blocker))
        }
        Database::Postgres(database) => {
            let name = database.name();
            let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
            bench.database.execute(&sql).await;
            (bench.database.store_with(std::time::Duration::from_secs(30)), None)
        }
    };
    let error = store.record(&more).await.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, true), "{error}");
    let code = if store.kind() == "sqlite" { "5" } else { "25006" };
    assert_eq!(error.code.as_deref(), Some(code));
    assert_eq!(store.document("a").await.unwrap().unwrap(), small("a", 1).as_bytes());

    match blocker {
        Some(blocker) => drop(blocker),
        None => {
            let name = match &bench.database {
                Database::Postgres(database) => database.name(),
                Database::Sqlite(_) => unreachable!("SQLite has a blocker"),
            };
            let sql = format!(
                "BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT"
            );
            bench.database.execute(&sql).await;
        }
    }
    let rows = recorded(&*bench.store, &more).await;
    assert_eq!(settle(&*bench.store, &rows).await, [Some(Outcome::Applied)]);
    bench.assert_balances().await;
}

async fn a_table_that_is_missing_is_transient(bench: Bench) {
    bench.database.execute("ALTER TABLE order_history RENAME TO elsewhere").await;
    let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1)), message(2, 2, &small("a", 2))]).await;
    let error = try_settle(&*bench.store, &rows).await.unwrap_err();
    assert_eq!((error.class, error.answered), (Class::Transient, true), "{error}");
    bench.database.execute("ALTER TABLE elsewhere RENAME TO order_history").await;
    settle(&*bench.store, &rows).await;
    bench.assert_balances().await;
}

/// What only PostgreSQL can answer.
mod postgres_only {
    use std::time::Duration;

    use super::*;

    async fn bench() -> Option<Bench> {
        Some(Bench::new(Database::postgres().await?).await)
    }

    #[tokio::test]
    async fn a_number_out_of_range_is_a_data_error_that_shows_no_value() {
        let Some(bench) = bench().await else { return };
        let huge =
            r#"{"order_uid":"a","track_number":"T","delivery":{},"payment":{},"items":[{"price":1e200000}]}"#;
        let rows = recorded(&*bench.store, &[message(1, 1, huge)]).await;
        let error = try_settle(&*bench.store, &rows).await.unwrap_err();
        assert_eq!((error.class, error.answered), (Class::Data, true), "{error}");
        assert!(error.code.as_deref().unwrap().starts_with("22"), "{error}");
        assert!(!error.message.contains("200000"), "{error}");
        bench.assert_balances().await;
    }

    #[tokio::test]
    async fn a_refused_row_is_not_quoted() {
        let Some(bench) = bench().await else { return };
        bench.database.execute("ALTER TABLE deliveries ADD CONSTRAINT refuse CHECK (name <> 'Secret')").await;
        let document = small("a", 1).replace(r#""name":"N""#, r#""name":"Secret","phone":"+9720000000""#);
        let rows = recorded(&*bench.store, &[message(1, 1, &document)]).await;
        let error = try_settle(&*bench.store, &rows).await.unwrap_err();
        assert_eq!(error.code.as_deref(), Some("23514"));
        assert!(error.message.contains(r#"violates check constraint "refuse""#), "{error}");
        for told in [error.to_string(), format!("{error:?}")] {
            assert!(!told.contains("Secret") && !told.contains("+972"), "{told}");
        }
    }

    #[tokio::test]
    async fn any_code_that_a_trigger_raises_is_sorted() {
        let Some(bench) = bench().await else { return };
        let rows = recorded(&*bench.store, &[message(1, 1, &small("a", 1))]).await;
        for (code, class) in [
            ("22003", Class::Data),
            ("23502", Class::Data),
            ("23514", Class::Data),
            ("54000", Class::Data),
            ("23505", Class::Transient),
            ("40001", Class::Transient),
            ("40P01", Class::Transient),
            ("53100", Class::Transient),
            ("53200", Class::Transient),
            ("57014", Class::Transient),
            ("58030", Class::Transient),
            ("P0001", Class::Transient),
            ("XX001", Class::Transient),
        ] {
            let sql = format!(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql
                     AS $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{code}'; END $$;
                 CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON orders EXECUTE FUNCTION refuse()"
            );
            bench.database.execute(&sql).await;
            let error = try_settle(&*bench.store, &rows).await.unwrap_err();
            assert_eq!((error.class, error.answered, error.code.as_deref()), (class, true, Some(code)));
        }
        bench.database.execute("DROP TRIGGER refuse ON orders").await;
        assert_eq!(settle(&*bench.store, &rows).await, [Some(Outcome::Applied)]);
        bench.assert_balances().await;
    }

    #[tokio::test]
    async fn a_database_that_may_not_be_written_is_transient_and_heals_by_itself() {
        let Some(bench) = bench().await else { return };
        let Database::Postgres(database) = &bench.database else { unreachable!("this is PostgreSQL") };
        // A session keeps what it found when it began, as after a failover to a server that lets nobody write yet.
        let alter = format!("ALTER DATABASE {} SET default_transaction_read_only", database.name());
        bench.database.execute(&format!("{alter} = on")).await;
        let store = bench.database.store_with(Duration::from_secs(30));
        let error = store.record(&[message(1, 1, "a")]).await.unwrap_err();
        assert_eq!((error.class, error.code.as_deref()), (Class::Transient, Some("25006")), "{error}");
        bench.database.execute(&format!("BEGIN READ WRITE; {alter} = off; COMMIT")).await;
        store.record(&[message(1, 1, "a")]).await.unwrap();
        bench.assert_balances().await;
    }
}

/// What only SQLite can answer.
mod sqlite_only {
    use std::{
        io::{Seek, SeekFrom, Write},
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn a_file_that_may_not_be_written_is_transient_and_heals_by_itself() {
        let Some(database) = Database::sqlite() else { return };
        let connection = {
            let store = database.store().await;
            let rows = recorded(&*store, &[message(1, 1, &small("a", 1))]).await;
            settle(&*store, &rows).await;
            database.sqlite_connection()
        };
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        drop(connection);
        // Byte 18 of the header is the format version for writing; a version from the future makes a file read-only, for
        // root too: <https://www.sqlite.org/fileformat.html#file_format_version_numbers>.
        let write_version = |version: u8| {
            let mut file = std::fs::File::options().write(true).open(database.file()).unwrap();
            file.seek(SeekFrom::Start(18)).unwrap();
            file.write_all(&[version]).unwrap();
            file.sync_all().unwrap();
        };
        write_version(9);
        let store = database.store_with(Duration::from_secs(30));
        let error = store.record(&[message(2, 2, "b")]).await.unwrap_err();
        assert_eq!((error.class, error.code.as_deref()), (Class::Transient, Some("8")), "{error}");
        assert_eq!(store.document("a").await.unwrap().unwrap(), small("a", 1).as_bytes());
        write_version(2);
        store.record(&[message(2, 2, "b")]).await.unwrap();
        assert!(store.audit().await.unwrap().balances());
    }
}
