//! Backup and restore as docs/OPERATIONS.md has them: a backup that is made under load, and what the channel brings
//! afterwards.

use std::process::Command;

use crate::support::{
    database::Database,
    load::{Load, all_is_well, published, settled},
    orderbox::Orderbox,
    postgres, program,
    stan_server::{StanServer, eventually},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_sqlite_by_a_statement_is_one_moment_and_a_new_durable_brings_the_rest() {
    let (database, restored) = (Database::sqlite().unwrap(), Database::sqlite().unwrap());
    restore(&database, &restored, || {
        let into = format!("VACUUM INTO '{}'", restored.file().display());
        database.sqlite_connection().execute_batch(&into).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_sqlite_by_its_own_tool_is_one_moment_and_a_new_durable_brings_the_rest() {
    let Some(sqlite3) = program("sqlite3", &[]) else { return };
    let (database, restored) = (Database::sqlite().unwrap(), Database::sqlite().unwrap());
    restore(&database, &restored, || {
        let backup = format!(".backup '{}'", restored.file().display());
        run(Command::new(&sqlite3).arg(database.file()).args([".timeout 10000", &backup]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_postgresql_is_one_moment_and_a_new_durable_brings_the_rest() {
    let (Some(database), Some(restored)) = (Database::postgres().await, Database::postgres().await) else {
        return;
    };
    let [Some(dump), Some(restore_into)] = ["pg_dump", "pg_restore"].map(postgres::tool) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orderbox.dump");
    restore(&database, &restored, || {
        run(Command::new(&dump).args(["-Fc", "--dbname", &database.url(), "--file"]).arg(&file));
        run(Command::new(&restore_into).args(["--exit-on-error", "--dbname", &restored.url()]).arg(&file));
    })
    .await;
}

/// Backs `database` up to `restored` while the service works on it, and goes on with that after all else is gone.
async fn restore(database: &Database, restored: &Database, backup: impl FnOnce()) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let stan = server.url();
    let settings = [("STAN_URL", stan.as_str()), ("SAMPLE_ORDER", "false")];
    let mut service = Orderbox::on(database, &settings).await;
    let load = Load { rate: Some(1000), ..Load::of(51, 4000) };
    let mut publisher = load.start(&service);
    eventually("some messages are settled", async || settled(database).await >= 500).await;
    backup();
    let held = settled(restored).await;
    published(&mut publisher).await;
    eventually("every message is acked", async || server.backlog("orders").await == 0).await;
    service.kill();
    assert!((500..4000).contains(&held), "{held} are in the backup, so this test shows nothing");

    let renamed = [&settings[..], &[("STAN_DURABLE", "orderbox-2")]].concat();
    let service = Orderbox::on(restored, &renamed).await;
    eventually("the channel is read", async || settled(restored).await >= 4000).await;
    all_is_well(restored, &server, &service, &load.expected()).await;
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
