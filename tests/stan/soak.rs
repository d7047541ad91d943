//! What five hundred connections leave behind.

use std::{sync::Arc, time::Duration};

use orderbox::stan::{Start, SubscribeOptions};

use super::{connect, next, publish, within};
use crate::support::stan_server::{StanServer, eventually};

/// Connections of a round. The first round fills what grows once: buffers, tables, the pools of the allocator.
const ROUND: u64 = 100;

/// Less than 2 KiB a connection after the first round, and more than an allocator wavers by.
const FLAT: u64 = 800 << 10;

#[tokio::test]
async fn five_hundred_connections_leave_no_task_no_session_and_no_memory_behind() {
    if !alone("stan::soak::five_hundred_connections_leave_no_task_no_session_and_no_memory_behind") {
        return;
    }
    let Some(server) = StanServer::builder().start().await else { return };
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let mut resident = Vec::new();
    for round in 0..5 {
        let mut sessions = Vec::new();
        for number in round * ROUND + 1..=(round + 1) * ROUND {
            let connection = connect(&server, "me").await;
            sessions.push(Arc::downgrade(connection.session()));
            let options = SubscribeOptions { start: Start::NewOnly, ..SubscribeOptions::new("c") };
            let mut subscription = within(connection.subscribe(&options)).await.unwrap();
            publish(&connection, number..=number).await;
            assert_eq!(next(&mut subscription).await.sequence, number);
            drop(subscription);
            within(connection.close(Duration::from_secs(10))).await.unwrap();
        }
        assert!(server.clients().await.is_empty());
        eventually("nothing is left", || async {
            tasks() <= before && sessions.iter().all(|session| session.strong_count() == 0)
        })
        .await;
        resident.push(resident_memory());
    }
    eprintln!("resident after each {ROUND} connections: {resident:?} bytes");
    assert!(resident[4] < resident[0] + FLAT, "{resident:?}");
}

/// Whether this process runs nothing but this test, so that its memory is that of the test. If not, such a process is run.
fn alone(test: &str) -> bool {
    const ALONE: &str = "ORDERBOX_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    eprintln!("{said}");
    false
}

fn resident_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}
