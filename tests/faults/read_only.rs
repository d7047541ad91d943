//! A database that may be read and not written.

use crate::support::{
    database::Database,
    load::{Load, all_is_well},
    postgres,
    stan_server::StanServer,
    tmpfs::Tmpfs,
};

use super::{no_writes_for_a_while, post, reason, service};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgresql_that_takes_no_writes_loses_nothing_and_goes_on_once_it_does() {
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let database = Database::Postgres(postgres.database().await);
    let turn = async |value: &str| {
        postgres.execute(&format!("ALTER SYSTEM SET default_transaction_read_only = {value}")).await;
        postgres.execute("SELECT pg_reload_conf()").await;
    };
    let why = ["(25006)", "make the database writable"];
    no_writes_for_a_while(&database, &why, async || turn("on").await, async || turn("off").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_starts_on_a_read_only_sqlite_file_says_so_and_works_once_it_is_writable() {
    let Some(disk) = Tmpfs::mount(64) else { return };
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let database = Database::Sqlite(tempfile::tempdir_in(disk.path()).unwrap());
    let mut service = service(&database, &server);
    service.restart().await;
    let (before, after) = (Load::of(83, 200), Load::of(84, 200));
    let by_post = Load::of(85, 20).expected();
    before.publish(&service);
    service.until_settled().await;
    service.kill();

    disk.remount("ro");
    service.launch().await;
    after.publish(&service);
    let broken = async {
        reason(&service, &["(8)", "make the database writable"]).await;
        before.expected().are_served_by(&service).await;
        disk.remount("rw");
    };
    let (refused, ()) = tokio::join!(post(service.client(), &by_post), broken);
    assert!(refused > 0, "nobody was told to try again");
    service.until_status("/healthz", 200).await;
    let mut expected = before.expected();
    expected.add(after.expected());
    expected.add(by_post);
    all_is_well(&database, &server, &service, &expected).await;
}
