//! Every fail point with every fault on each store: `make chaos`.
//!
//! | fault | on PostgreSQL | on SQLite |
//! |---|---|---|
//! | `killed` | kill -9 of the service, which starts again | the same |
//! | `database gone` | the server is stopped at once, and started again | every write to its files fails (RLIMIT_FSIZE) |
//! | `database paused` | SIGSTOP of every process of the server | another process holds the write lock |
//! | `broker gone` | kill -9 of the streaming server, which starts again | the same |

mod fault;
mod row;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread,
};

use tokio::runtime;

use crate::support::{database::Database, postgres};

use fault::Fault;
use row::{Row, Verdict};

/// Where a row holds the service, and at which arrival there.
const POINTS: [(&str, u32); 7] = [
    ("after_receive", 5),
    ("after_inbox_commit", 5),
    ("before_settle_commit", 5),
    ("after_settle_commit", 5),
    ("before_ack", 5),
    ("during_rebuild", 1),
    ("during_shutdown", 2),
];

/// Rows that run beside each other, on each store.
const LANES: usize = 2;

#[test]
#[ignore = "long: 7 fail points, 4 faults, both stores"]
fn whatever_breaks_wherever_nothing_is_lost_and_nothing_doubled() {
    let rows = thread::scope(|scope| {
        let on_sqlite = scope.spawn(|| walk(false));
        let on_postgres = scope.spawn(|| walk(true));
        [on_sqlite, on_postgres]
            .map(|store| store.join().expect("a lane turns a panic of a row into its verdict"))
    })
    .concat();
    println!(
        "\n{:22}{:17}{:12}{:>5} {:>6} {:>8} {:>13}",
        "point", "fault", "store", "fired", "lost", "doubled", "recovered in"
    );
    for (row, verdict) in &rows {
        println!("{row}{verdict}");
    }
    assert_eq!(rows.len(), POINTS.len() * Fault::ALL.len() * 2, "every row was walked");
    let failed = rows.iter().filter(|(_, verdict)| !verdict.is_sound()).count();
    assert_eq!(failed, 0, "rows that failed");
}

/// Walks the rows of one store.
fn walk(on_postgres: bool) -> Vec<(Row, Verdict)> {
    let rows = POINTS
        .iter()
        .flat_map(|&(point, at)| Fault::ALL.map(|fault| Row { point, at, fault, on_postgres }))
        .collect();
    let rows = Mutex::new(rows);
    let mut walked = thread::scope(|scope| {
        let lanes = [(); LANES].map(|()| scope.spawn(|| lane(&rows)));
        lanes.map(|lane| lane.join().expect("a panic of a row becomes its verdict")).concat()
    });
    walked.sort_by_key(|(row, _)| (POINTS.iter().position(|(point, _)| *point == row.point), row.fault));
    walked
}

/// Takes row after row; one that panics failed, and the next one is walked with servers of its own.
fn lane(rows: &Mutex<VecDeque<Row>>) -> Vec<(Row, Verdict)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut server = None;
    let mut walked = Vec::new();
    let next = || rows.lock().expect("no lane panics while it takes a row").pop_front();
    while let Some(row) = next() {
        let verdict = catch_unwind(AssertUnwindSafe(|| {
            runtime.block_on(async {
                let database = if row.on_postgres {
                    if server.is_none() {
                        server = postgres::Server::start(&[]).await;
                    }
                    let server = server.as_ref().expect("PostgreSQL is installed: `make test-servers`");
                    Database::Postgres(server.database().await)
                } else {
                    Database::sqlite().expect("a folder")
                };
                row.walk(&database, server.as_ref()).await
            })
        }));
        walked.push((
            row,
            verdict.unwrap_or_else(|_| {
                server = None;
                Verdict::Panicked
            }),
        ));
    }
    walked
}
