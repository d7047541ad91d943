//! `orderbox copy` on real databases, through the binary.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Output},
    time::Duration,
};

use bytes::Bytes;
use orderbox::store::{DeadLetterFilter, Gap, Message, Options, Selection, SourceKind, Store, connect};
use tempfile::TempDir;

use crate::{
    conformance::fixture::{message, recorded, small},
    support::{
        database::Database,
        link::Link,
        load::{Load, all_is_well, settled},
        orderbox::{Orderbox, binary},
        postgres,
        process::Process,
        stan_server::{StanServer, eventually},
    },
};

/// Every table of the migrations.
const TABLES: [&str; 10] = [
    "channels",
    "dead_letters",
    "deliveries",
    "gaps",
    "inbox",
    "items",
    "ledger",
    "order_history",
    "orders",
    "payments",
];

/// Tables whose rows are numbered.
const NUMBERED: [&str; 4] = ["dead_letters", "inbox", "order_history", "orders"];

/// Orders enough for several pages of each table.
const MANY: usize = 12_000;

fn command(from: &str, to: &str) -> Command {
    let mut command = Command::new(binary());
    command.env_clear().args(["copy", "--from", from, "--to", to, "--store-timeout", "2s"]);
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs it to its end; its exit code and all that it prints.
fn copied(from: &Database, to: &Database) -> (Option<i32>, String) {
    let output = command(&from.url(), &to.url()).output().unwrap();
    (output.status.code(), text(&output))
}

/// The same, once nobody else is connected to the target: PostgreSQL notices a moment later that a client has gone.
async fn copied_by_itself(from: &Database, to: &Database) -> (Option<i32>, String) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'orderbox'";
    eventually("the others are gone", async || to.number(others).await == 0).await;
    copied(from, to)
}

/// A copy that is held where it sends this to its target.
async fn held(from: &Database, to: &postgres::Database, at: &'static str) -> (Link, Process, TempDir) {
    let link = Link::to(to.port()).await;
    link.block_at(at);
    let folder = tempfile::tempdir().unwrap();
    let copy = command(&from.url(), &to.url_through(&link));
    let copy = Process::start("copy", copy, folder.path().join("copy"));
    link.is_blocked().await;
    (link, copy, folder)
}

/// The lines of the report that tell rows and checksums.
fn sums(report: &str) -> BTreeSet<&str> {
    report.lines().filter(|line| TABLES.iter().any(|table| line.starts_with(&format!("{table} ")))).collect()
}

/// A SQLite file that a service has written, and every kind of row that there is.
async fn every_kind() -> Database {
    let database = Database::sqlite().unwrap();
    let mut service = Orderbox::on(&database, &[]).await;
    for entry in fs::read_dir("tests/fixtures/orders").unwrap() {
        let payload = fs::read(entry.unwrap().path()).unwrap();
        service.client().post("/order", payload).await;
    }
    service.client().post("/order", small("odd", r"\t\n\\. \\N ы \u0001 x")).await;
    for variant in 0..3 {
        service.client().post("/order", small("replaced", variant)).await;
    }
    service.ok(&["publish", "--count", "300", "--broken", "0.3", "--seed", "5"]);
    service.until_settled().await;
    let folder = tempfile::tempdir().unwrap();
    let mended = folder.path().join("mended.json");
    fs::write(&mended, small("mended", 1)).unwrap();
    service.ok(&["dead-letters", "replay", "--edit", mended.to_str().unwrap(), "1"]);
    service.ok(&["dead-letters", "replay", "2"]);
    service.ok(&["dead-letters", "discard", "--note", "tab\there, \\ and ы", "3"]);
    service.until_settled().await;
    assert!(service.terminate().await.success());

    let store = database.store().await;
    assert_eq!(store.replay(&[4], None, "tester").await.unwrap(), [4]);
    let payload = Bytes::from_static(b"\0\xff\\x\n\t{");
    let rows =
        recorded(store.as_ref(), &[Message { payload, ..message(7, 70, "") }, message(9, 90, "")]).await;
    store.postpone(rows[0].id).await.unwrap();
    let gap = |first, lost| Gap { first, last: first, before_ns: 70, lost };
    store
        .keep_missing(SourceKind::Stan, "orders", &[gap(1, true), gap(3, true), gap(5, false)])
        .await
        .unwrap();
    store.keep_missing(SourceKind::Stan, "orders", &[gap(3, true), gap(5, false)]).await.unwrap();
    // A number that was given to a row which is there no more.
    database.execute("UPDATE sqlite_sequence SET seq = seq + 1000").await;
    database
}

/// A SQLite file of so many orders of one item each.
async fn many(orders: usize) -> Database {
    let database = Database::sqlite().unwrap();
    database.store().await;
    let filler = "x".repeat(900);
    let numbers =
        format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {orders})");
    database
        .execute(&format!(
            "BEGIN;
            {numbers} INSERT INTO orders (order_uid, track_number, document, message_id, source, channel, sequence, published_at_ns)
                SELECT 'uid-' || i, 'T' || i, CAST('{{\"order_uid\":\"uid-' || i || '\",\"rest\":\"{filler}\"}}' AS BLOB),
                    'stan:c/orders/' || i || '@' || i, 'stan', 'orders', i, i FROM n;
            {numbers} INSERT INTO deliveries (order_id, name, phone) SELECT i, 'Name ' || i, '+7' || i FROM n;
            {numbers} INSERT INTO payments (order_id, \"transaction\", amount) SELECT i, 'uid-' || i, i FROM n;
            {numbers} INSERT INTO items (order_id, position, chrt_id, price, total_price) SELECT i, 0, i, i || '.50', '1e2' FROM n;
            INSERT INTO ledger VALUES ('stan', 'orders', 3, 'received', {orders}), ('stan', 'orders', 3, 'applied', {orders});
            INSERT INTO channels VALUES ('stan', 'orders', {orders}, {orders});
            COMMIT"
        ))
        .await;
    database
}

/// Everything that a store tells, as text.
async fn told(store: &dyn Store) -> String {
    let letters =
        DeadLetterFilter { selection: Selection::default(), resolution: None, before: None, limit: 10_000 };
    let mut told = format!("{:?}\n{:?}\n", store.audit().await.unwrap(), store.gaps(100).await.unwrap());
    for letter in store.dead_letters(&letters).await.unwrap() {
        let whole = store.dead_letter(letter.id, usize::MAX).await.unwrap();
        told += &format!("{whole:?}\n{:?}\n", store.lineage(letter.id).await.unwrap());
    }
    for order in store.documents(None, 10_000, usize::MAX).await.unwrap() {
        let history = store.history(&order.order_uid, None, 100, usize::MAX).await.unwrap();
        told += &format!("{order:?}\n{history:?}\n");
    }
    let waiting = store.unsettled(0, Duration::ZERO, 1000).await.unwrap();
    let ids: Vec<i64> = waiting.iter().map(|key| key.id).collect();
    told + &format!("{:?}\n{:?}", store.load(&ids).await.unwrap(), store.newest_orders(50).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_tells_all_that_its_source_tells_and_a_service_goes_on_with_it() {
    let Some(target) = Database::postgres().await else { return };
    let source = every_kind().await;
    let (code, report) = copied(&source, &target);
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains("copied: every table has these rows on both sides"), "{report}");
    assert_eq!(sums(&report).len(), TABLES.len(), "{report}");
    for table in TABLES {
        let count = format!("SELECT count(*) FROM {table}");
        let rows = source.number(&count).await;
        assert!(rows > 0, "{table} has no row, so this test shows nothing");
        assert_eq!(target.number(&count).await, rows, "{table}");
        assert!(
            sums(&report).iter().any(|line| line.starts_with(table) && line.ends_with(&format!(" {rows}")))
        );
    }
    let (ours, theirs) =
        (source.store_with(Duration::from_secs(30)), target.store_with(Duration::from_secs(30)));
    assert_eq!(told(theirs.as_ref()).await, told(ours.as_ref()).await);
    for table in NUMBERED {
        let last = source.number(&format!("SELECT seq FROM sqlite_sequence WHERE name = '{table}'")).await;
        let next = format!("SELECT nextval(pg_get_serial_sequence('{table}', 'id'))");
        assert_eq!(target.number(&next).await, last + 1, "{table}");
    }

    drop((ours, theirs));
    // Once more: nothing is written, and the same is found.
    let (code, again) = copied_by_itself(&source, &target).await;
    assert_eq!((code, sums(&again)), (Some(0), sums(&report)), "{again}");
    let mut service = Orderbox::on(&target, &[]).await;
    service.until_settled().await;
    assert_eq!(target.number("SELECT count(*) FROM inbox").await, 0);
    service.ok(&["audit"]);
    service.ok(&["dead-letters", "replay", "5"]);
    service.until_settled().await;
    assert!(service.terminate().await.success());

    let (code, refused) = copied_by_itself(&source, &target).await;
    assert_eq!(code, Some(2), "{refused}");
    assert!(refused.contains("the database of --to is in use: its table `"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_twice_ends_as_one_that_is_not() {
    let Some(Database::Postgres(target)) = Database::postgres().await else { return };
    let Some(other) = Database::postgres().await else { return };
    let source = many(MANY).await;
    let (code, undisturbed) = copied(&source, &other);
    assert_eq!(code, Some(0), "{undisturbed}");

    let link = Link::to(target.port()).await;
    let url = target.url_through(&link);
    let folder = tempfile::tempdir().unwrap();
    let target = Database::Postgres(target);
    // Each time at its second page.
    for (page, table) in [("COPY \"orders\"", "orders"), ("COPY \"items\"", "items")] {
        link.block_at(page);
        let log = folder.path().join(table);
        let mut copy = Process::start("copy", command(&source.url(), &url), log);
        link.is_blocked().await;
        link.block_at(page);
        link.mend();
        link.is_blocked().await;
        copy.kill();
        link.reset();
        link.mend();
        let rows = target.number(&format!("SELECT count(*) FROM {table}")).await;
        assert!((1..MANY as i64).contains(&rows), "{rows} rows of {table}");
        let refused = target.store_with(Duration::from_secs(10)).prepare().await.unwrap_err();
        assert!(refused.message.contains("`orderbox copy` that has not come to its end"), "{refused}");
    }
    let (code, report) = copied(&source, &target);
    assert_eq!((code, sums(&report)), (Some(0), sums(&undisturbed)), "{report}");
    assert!(report.contains(" are there already"), "{report}");
    target.store().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_copy_runs_nobody_else_writes_to_its_source() {
    let Some(Database::Postgres(target)) = Database::postgres().await else { return };
    let source = every_kind().await;
    let mut service = Orderbox::on(&source, &[("STORE_TIMEOUT", "1s")]).await;
    let refused = command(&source.url(), &target.url()).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    for part in ["an `orderbox serve`", "uses the database of --from", "stop it first"] {
        assert!(text(&refused).contains(part), "{}", text(&refused));
    }
    assert!(service.terminate().await.success());

    let (link, mut copy, _folder) = held(&source, &target, "COPY \"ledger\"").await;
    let second = command(&source.url(), &target.url()).output().unwrap();
    let writer = service.run(&["dead-letters", "discard", "--note", "late", "6"]);
    let serve = service.run(&["serve"]);
    link.mend();
    assert!(copy.wait(Duration::from_secs(60)).await.success(), "{}", copy.output());
    assert_eq!((second.status.code(), serve.status.code()), (Some(2), Some(2)));
    assert!(text(&second).contains("another `orderbox copy`"), "{}", text(&second));
    assert!(text(&serve).contains("or an `orderbox copy`, uses this database"), "{}", text(&serve));
    assert_ne!(writer.status.code(), Some(0));
    assert!(text(&writer).contains("locked"), "{}", text(&writer));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_a_service_uses_is_refused_and_left_as_it_is() {
    let Some(target) = Database::postgres().await else { return };
    let source = every_kind().await;
    let service = Orderbox::on(&target, &[("SAMPLE_ORDER", "false")]).await;
    let (code, served) = copied(&source, &target);
    assert_eq!(code, Some(2), "{served}");
    assert!(served.contains("is connected to the database of --to: stop it first"), "{served}");
    service.client().post("/order", small("theirs", 1)).await;
    service.until_settled().await;
    drop(service);
    // Migrations of a newer version are not run by a copy that is refused.
    target.execute("DROP TABLE gaps; DELETE FROM _sqlx_migrations WHERE version = 3").await;
    eventually("its connections are gone", async || !copied(&source, &target).1.contains("is connected"))
        .await;
    let (code, used) = copied(&source, &target);
    assert_eq!(code, Some(2), "{used}");
    assert!(used.contains("is in use: its table `channels` has rows"), "{used}");
    assert!(used.contains("CREATE DATABASE"), "{used}");
    assert_eq!(target.number("SELECT count(*) FROM orders").await, 1);
    assert_eq!(target.number("SELECT count(*) FROM _sqlx_migrations WHERE version = 3").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_begins_on_the_target_just_before_the_copy_does_goes_on_and_the_copy_is_refused() {
    let Some(database) = Database::postgres().await else { return };
    let Database::Postgres(target) = &database else { unreachable!() };
    let source = every_kind().await;
    let (link, mut copy, _folder) = held(&source, target, "LOCK TABLE").await;
    let mut service = Orderbox::on(&database, &[("SAMPLE_ORDER", "false")]).await;
    link.mend();
    assert_eq!(copy.wait(Duration::from_secs(60)).await.code(), Some(2), "{}", copy.output());
    assert!(copy.output().contains("is connected to the database of --to"), "{}", copy.output());
    service.client().post("/order", small("theirs", 1)).await;
    service.until_settled().await;
    service.restart().await;
    assert!(service.order("theirs").await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_starts_while_a_copy_begins_waits_for_it_and_is_refused() {
    let Some(database) = Database::postgres().await else { return };
    let Database::Postgres(target) = &database else { unreachable!() };
    let source = every_kind().await;
    // It has seen that no service is there, and looks for rows.
    let (link, mut copy, _folder) = held(&source, target, "SELECT EXISTS").await;
    let store = connect(&database.url(), &Options::default()).unwrap();
    let go_on = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND application_name = 'orderbox' AND wait_event_type = 'Lock'";
        eventually("the service waits", async || database.number(waiting).await > 0).await;
        link.mend();
    };
    let (refused, ()) = tokio::join!(store.prepare(), go_on);
    let refused = refused.unwrap_err();
    assert!(refused.message.contains("`orderbox copy` that has not come to its end"), "{refused}");
    assert!(copy.wait(Duration::from_secs(60)).await.success(), "{}", copy.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_refuses_a_target_that_is_copied_to_anew_while_it_starts() {
    let Some(database) = Database::postgres().await else { return };
    let Database::Postgres(target) = &database else { unreachable!() };
    assert_eq!(copied(&every_kind().await, &database).0, Some(0));
    let link = Link::to(target.port()).await;
    let store = connect(&target.url_through(&link), &Options::default()).unwrap();
    link.block_at("_sqlx_migrations");
    let anew = async {
        link.is_blocked().await;
        database.execute("UPDATE copy_from_sqlite SET finished_at = NULL").await;
        link.mend();
    };
    let (refused, ()) = tokio::join!(store.prepare(), anew);
    let refused = refused.unwrap_err();
    assert!(refused.message.contains("`orderbox copy` that has not come to its end"), "{refused}");
    assert_eq!(database.number("SELECT count(*) FROM copy_from_sqlite").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_not_the_same_is_told_with_its_table_and_starting_over_mends_it() {
    let Some(target) = Database::postgres().await else { return };
    let source = every_kind().await;
    let (_, report) = copied(&source, &target);
    let last = target.number("SELECT max(id) FROM orders").await;
    let changes = [
        ("channels", "INSERT INTO channels VALUES ('http', 'zzz', 1, 1)".to_owned(), "http, zzz"),
        ("gaps", "DELETE FROM gaps WHERE first = 3".to_owned(), "stan, orders, 70, 3"),
        (
            "ledger",
            "UPDATE ledger SET messages = messages + 1 WHERE source = 'sample' AND outcome = 'applied'"
                .to_owned(),
            "sample, ",
        ),
        ("inbox", "UPDATE inbox SET payload = '\\x00' WHERE attempts = 1".to_owned(), ""),
        ("dead_letters", "UPDATE dead_letters SET errors = '[]' WHERE id = 7".to_owned(), "7"),
        (
            "orders",
            format!("UPDATE orders SET updated_at = updated_at + interval '1 microsecond' WHERE id = {last}"),
            &last.to_string(),
        ),
        (
            "deliveries",
            "UPDATE deliveries SET city = coalesce(city, '') || ' ' WHERE order_id = 2".to_owned(),
            "2",
        ),
        ("payments", "UPDATE payments SET custom_fee = NULL, amount = 0 WHERE order_id = 1".to_owned(), "1"),
        (
            "items",
            "UPDATE items SET price = price + 0.01 WHERE order_id = 1 AND position = 0".to_owned(),
            "1, 0",
        ),
        (
            "order_history",
            "UPDATE order_history SET document = document || '\\x20' WHERE id = 1".to_owned(),
            "1",
        ),
    ];
    for (_, change, _) in &changes {
        target.execute(change).await;
    }
    let (code, told) = copied(&source, &target);
    assert_eq!(code, Some(1), "{told}");
    for (table, _, key) in &changes {
        let line = format!("  {table}: the first row that is not the same has the key {key}");
        assert!(told.contains(&line), "{line}\n{told}");
        let unlike = sums(&report).iter().any(|line| line.starts_with(table) && told.contains(*line));
        assert!(unlike, "the source has not changed: {told}");
    }
    let over = command(&source.url(), &target.url()).arg("--start-over").output().unwrap();
    assert_eq!(over.status.code(), Some(0), "{}", text(&over));
    assert_eq!(sums(&text(&over)), sums(&report));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_was_used_after_a_copy_began_is_told_and_starting_over_copies_it() {
    let Some(target) = Database::postgres().await else { return };
    let source = every_kind().await;
    assert_eq!(copied(&source, &target).0, Some(0));
    source.store().await.record(&[message(11, 110, "more")]).await.unwrap();
    let (code, told) = copied(&source, &target);
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("a service has run on that of --from since: add --start-over"), "{told}");
    let over = command(&source.url(), &target.url()).arg("--start-over").output().unwrap();
    assert_eq!(over.status.code(), Some(0), "{}", text(&over));
    // It throws away what a copy has written, and nothing else.
    target.store().await;
    let over = command(&source.url(), &target.url()).arg("--start-over").output().unwrap();
    assert_eq!(over.status.code(), Some(2), "{}", text(&over));
    assert!(text(&over).contains("is in use"), "{}", text(&over));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_copied_is_an_error_that_says_what_to_do() {
    let Some(target) = Database::postgres().await else { return };
    let source = Database::sqlite().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    let foreign = format!("sqlite://{}", foreign.display());
    let (sqlite, postgres) = (source.url(), target.url());
    for (from, to, parts) in [
        (&*sqlite, &*sqlite, ["copy goes from SQLite to PostgreSQL", "docs/OPERATIONS.md"]),
        (&postgres, &postgres, ["copy goes from SQLite to PostgreSQL", "docs/OPERATIONS.md"]),
        (&postgres, &sqlite, ["copy goes from SQLite to PostgreSQL", "docs/OPERATIONS.md"]),
        (&sqlite, &postgres, ["does not exist", "check --from"]),
        (&foreign, &postgres, ["is no database of orderbox", "check --from"]),
        ("mysql://x", &postgres, ["--from begins with \"mysql\"", "use sqlite://FILE"]),
        (&sqlite, "postgres://h:nope/db", ["--to is not a valid postgres URL", ""]),
    ] {
        let output = command(from, to).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{from} {to}");
        assert!(parts.iter().all(|part| text(&output).contains(part)), "{from} {to}: {}", text(&output));
    }
    source.store().await;
    let away = command(&sqlite, "postgres://postgres@127.0.0.1:1/db").output().unwrap();
    assert_eq!(away.status.code(), Some(2));
    assert!(text(&away).contains("run the same command again"), "{}", text(&away));
    source.execute("INSERT INTO channels VALUES ('stan', 'a' || char(0), 1, 1)").await;
    let (code, told) = copied(&source, &target);
    assert_eq!(code, Some(2));
    assert!(told.contains("channels, row stan: channel: it holds a NUL"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_on_the_copy_goes_on_with_what_the_channel_holds() {
    let Some(target) = Database::postgres().await else { return };
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let source = Database::sqlite().unwrap();
    let stan = server.url();
    let settings = [
        ("STAN_URL", stan.as_str()),
        ("STAN_ACK_WAIT", "3s"),
        ("STORE_TIMEOUT", "2s"),
        ("SAMPLE_ORDER", "false"),
    ];
    let mut service = Orderbox::on(&source, &settings).await;
    let load = Load::of(41, 3000);
    let mut publisher = load.start(&service);
    eventually("some messages are settled", async || settled(&source).await >= 500).await;
    // Some are recorded and not settled, some settled and not acked.
    service.kill();
    assert!(publisher.wait(Duration::from_secs(120)).await.success(), "{}", publisher.output());
    let so_far = settled(&source).await;
    assert!(so_far < 3000, "all of it is settled, so this test shows nothing");

    let (code, report) = copied(&source, &target);
    assert_eq!(code, Some(0), "{report}");
    assert_eq!(settled(&target).await, so_far);
    let more = Load::of(42, 200);
    let service = Orderbox::on(&target, &settings).await;
    more.publish(&service);
    let mut expected = load.expected();
    expected.add(more.expected());
    all_is_well(&target, &server, &service, &expected).await;
}

/// Only instances on PostgreSQL have others to tell what they have deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_same_tables_and_columns() {
    let Some(target) = Database::postgres().await else { return };
    let source = Database::sqlite().unwrap();
    source.store().await;
    target.store().await;
    let sqlite = "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c
        WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'";
    let postgres = "SELECT table_name || '.' || column_name FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT IN ('_sqlx_migrations', 'expired_orders')";
    let columns = async |database: &Database, sql| {
        database.rows(sql).await.into_iter().flatten().collect::<BTreeSet<_>>()
    };
    assert_eq!(columns(&source, sqlite).await, columns(&target, postgres).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: two hundred thousand orders"]
async fn two_hundred_thousand_orders_are_copied_though_the_copy_is_killed_twice() {
    let Some(target) = Database::postgres().await else { return };
    let source = many(200_000).await;
    let folder = tempfile::tempdir().unwrap();
    for rows in [50_000, 150_000] {
        let mut copy =
            Process::start("copy", command(&source.url(), &target.url()), folder.path().join("copy"));
        eventually("a part is copied", async || {
            let there =
                target.number("SELECT count(*) FROM pg_class WHERE relname = 'copy_from_sqlite'").await > 0;
            there && target.number("SELECT count(*) FROM orders").await >= rows
        })
        .await;
        copy.kill();
        assert!(target.number("SELECT count(*) FROM items").await < 200_000, "it was at its end");
    }
    let began = std::time::Instant::now();
    let (code, report) = copied(&source, &target);
    println!("the rest, and the comparison, took {:.1} s\n{report}", began.elapsed().as_secs_f64());
    assert_eq!(code, Some(0), "{report}");
    let Some(other) = Database::postgres().await else { return };
    let began = std::time::Instant::now();
    let (code, undisturbed) = copied(&source, &other);
    println!("a copy at one go took {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!((code, sums(&undisturbed)), (Some(0), sums(&report)));
    let service = Orderbox::on(&target, &[]).await;
    service.ok(&["audit"]);
}
