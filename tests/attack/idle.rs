use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::{Instant, timeout};

use super::{KNOWN, assert_sound, start};
use crate::support::{
    orderbox::Orderbox,
    wire::{Wire, ask, statuses},
};

const CONNECTIONS: usize = 10_000;

/// What a connection that does nothing may cost.
const BYTES_EACH: u64 = 24 << 10;

/// What the first of them cost beside that, however many follow: what the allocator keeps of connections that came and went.
const BYTES_AT_ALL: u64 = 32 << 20;

#[ignore = "long: ten thousand connections, twice"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_hold_bounded_memory_and_keep_nobody_out() {
    if !may_open(CONNECTIONS as u64 + 500) {
        return;
    }
    for (places, kept) in [("1024", 1024), ("12000", CONNECTIONS as u64)] {
        let settings = [
            ("HTTP_MAX_CONNECTIONS", places),
            ("HTTP_HEADER_TIMEOUT", "600s"),
            ("HTTP_IDLE_TIMEOUT", "600s"),
        ];
        let service = start(&settings).await;
        assert_sound(&service).await;
        let before = service.resident_bytes();
        let mut held = Vec::with_capacity(CONNECTIONS);
        while held.len() < CONNECTIONS {
            held.extend(join_all((0..100).map(|n| idle(&service, n % 2 == 0))).await);
        }
        let request = format!("GET /order/{KNOWN} HTTP/1.1\r\nConnection: close\r\n\r\n");
        let mut times = Vec::new();
        for _ in 0..200 {
            let began = Instant::now();
            let said = timeout(Duration::from_secs(30), ask(&service, &request)).await;
            assert_eq!(statuses(&said.expect("nobody has to wait for the idle")), [200]);
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let grown = service.resident_bytes().saturating_sub(before);
        eprintln!(
            "HTTP_MAX_CONNECTIONS={places}: {CONNECTIONS} idle connections hold {} KiB; a new reader: p50 {:?}, p99 {:?}",
            grown >> 10,
            times[99],
            times[197],
        );
        assert!(grown <= BYTES_AT_ALL + kept * BYTES_EACH, "{grown} bytes for {kept} connections");
        assert_sound(&service).await;
        drop(held);
    }
}

/// A connection that has said nothing, or begun and not gone on.
async fn idle(service: &Orderbox, begun: bool) -> Wire {
    let mut wire = Wire::to(service).await;
    if begun {
        wire.send("GET /order/").await;
    }
    wire
}

/// Raises the limit of open files of this process, which holds the other ends.
fn may_open(files: u64) -> bool {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|maximum| maximum < files + 2_000) {
        eprintln!("SKIPPED: not enough open files; raise the hard limit (ulimit -Hn) to {}", files + 2_000);
        return false;
    }
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok()
}
