use std::time::Duration;

use orderbox::store::{ConnectError, Options, connect, lock_for_serve};

use super::fixture::{ingest, message, small};
use crate::support::database::Database;

#[test]
fn a_missing_database_is_not_made_by_other_commands() {
    let database = Database::sqlite().unwrap();
    let error = connect(&database.url(), &Options::default()).unwrap_err();
    assert!(matches!(&error, ConnectError::Missing { path } if *path == database.file()), "{error}");
    assert!(error.to_string().contains("only `orderbox serve` makes a database"), "{error}");
    assert!(!database.file().exists());
}

#[tokio::test]
async fn a_database_with_blanks_and_percents_in_its_name_is_made_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().join("my orders 100%25");
    let url = format!("sqlite://{}", name.display());
    let options = Options { create: true, ..Options::default() };
    connect(&url, &options).unwrap().prepare().await.unwrap();
    assert!(folder.path().join("my orders 100%").is_file());
    assert!(connect(&url, &Options::default()).unwrap().ledger_is_empty().await.unwrap());
}

#[tokio::test]
async fn preparing_twice_is_harmless() {
    for database in [Database::sqlite(), Database::postgres().await].into_iter().flatten() {
        let store = database.store().await;
        ingest(&*store, &[message(1, 1, &small("a", 1))]).await;
        store.prepare().await.unwrap();
        let other = database.store().await;
        assert_eq!(other.document("a").await.unwrap().unwrap(), small("a", 1).as_bytes());
    }
}

#[tokio::test]
async fn a_database_of_a_newer_orderbox_is_refused() {
    for database in [Database::sqlite(), Database::postgres().await].into_iter().flatten() {
        let store = database.store().await;
        let sql = match &database {
            Database::Sqlite(_) => "PRAGMA user_version = 999",
            Database::Postgres(_) => "UPDATE _sqlx_migrations SET version = version + 999",
        };
        database.execute(sql).await;
        let error = store.prepare().await.unwrap_err();
        assert!(error.message.contains("written by a newer one"), "{error}");
    }
}

#[tokio::test]
async fn a_second_serve_on_one_file_is_refused_and_other_commands_are_not() {
    let database = Database::sqlite().unwrap();
    let lock = lock_for_serve(&database.url()).unwrap();
    let error = lock_for_serve(&database.url()).unwrap_err();
    assert!(matches!(error, ConnectError::Served { .. }), "{error}");
    assert!(error.to_string().contains("orderbox.db.lock"), "{error}");

    let store = database.store().await;
    store.record(&[message(1, 1, "")]).await.unwrap();
    drop(lock);
    lock_for_serve(&database.url()).unwrap();
    // Letting go of the lock must not let go of SQLite's own.
    store.record(&[message(2, 2, "")]).await.unwrap();
}

#[tokio::test]
async fn two_names_of_one_file_share_its_lock() {
    let database = Database::sqlite().unwrap();
    database.store().await;
    let other = database.file().with_file_name("other.db");
    std::os::unix::fs::symlink(database.file(), &other).unwrap();
    let _lock = lock_for_serve(&database.url()).unwrap();
    let error = lock_for_serve(&format!("sqlite://{}", other.display())).unwrap_err();
    assert!(matches!(error, ConnectError::Served { .. }), "{error}");
}

#[test]
fn a_folder_is_no_database() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().display());
    for error in [
        connect(&url, &Options { create: true, ..Options::default() }).unwrap_err(),
        lock_for_serve(&url).unwrap_err(),
    ] {
        assert!(matches!(error, ConnectError::NoFile { .. }), "{error}");
    }
}

#[test]
fn a_server_takes_any_number_of_serves() {
    assert!(lock_for_serve("postgres://localhost/orders").unwrap().is_none());
}

#[tokio::test]
async fn a_database_that_is_not_prepared_yet_answers_with_an_error() {
    for database in [Database::sqlite(), Database::postgres().await].into_iter().flatten() {
        let store = database.store_with(Duration::from_secs(10));
        store.record(&[message(1, 1, "")]).await.unwrap_err();
        store.prepare().await.unwrap();
        store.record(&[message(1, 1, "")]).await.unwrap();
    }
}
