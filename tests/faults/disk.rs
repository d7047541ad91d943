//! A disk that is full: a small tmpfs.

use crate::support::{database::Database, postgres, stan_server::eventually, tmpfs::Tmpfs};

use super::{a_full_disk_is_named_while_nobody_writes, no_writes_for_a_while};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_on_a_disk_that_is_full_loses_nothing_and_goes_on_once_there_is_room() {
    let Some(disk) = Tmpfs::mount(64) else { return };
    let database = Database::Sqlite(tempfile::tempdir_in(disk.path()).unwrap());
    let why = ["disk is full (13)", "make room on the database's disk"];
    no_writes_for_a_while(&database, &why, async || disk.fill(), async || disk.remount("size=256m")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_whose_tables_are_on_a_full_disk_loses_nothing_and_goes_on_once_there_is_room() {
    let Some(disk) = Tmpfs::mount(64) else { return };
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let database = Database::Postgres(postgres.database_on(disk.path()).await);
    let why = ["(53100)", "make room on the database's disk"];
    no_writes_for_a_while(&database, &why, async || disk.fill(), async || disk.remount("size=256m")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: PostgreSQL ends and is started again"]
async fn postgresql_that_ends_because_its_log_is_on_a_full_disk_loses_nothing_and_goes_on_once_it_runs() {
    let Some(disk) = Tmpfs::mount(24) else { return };
    let settings = ["max_wal_size=16MB", "min_wal_size=2MB"];
    let Some(postgres) = postgres::Server::start_with_log_on(disk.path(), &settings).await else { return };
    let database = Database::Postgres(postgres.database().await);
    let fills = async || {
        disk.fill();
        eventually("PostgreSQL panics", || async { postgres.output().await.contains("PANIC") }).await;
    };
    let room = async || {
        disk.remount("size=256m");
        postgres.recover().await;
    };
    no_writes_for_a_while(&database, &[], fills, room).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_sqlite_is_named_for_as_long_as_it_is_full() {
    let Some(disk) = Tmpfs::mount(64) else { return };
    let database = Database::Sqlite(tempfile::tempdir_in(disk.path()).unwrap());
    a_full_disk_is_named_while_nobody_writes(&database, || disk.fill(), || disk.remount("size=256m")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_postgresql_is_named_for_as_long_as_it_is_full() {
    let Some(disk) = Tmpfs::mount(64) else { return };
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let database = Database::Postgres(postgres.database_on(disk.path()).await);
    a_full_disk_is_named_while_nobody_writes(&database, || disk.fill(), || disk.remount("size=256m")).await;
}
