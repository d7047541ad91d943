use std::{collections::BTreeMap, fmt::Write, fs, path::PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::{assert_sound, on};
use crate::support::{
    database::Database,
    orderbox::{Orderbox, on_each_store},
    program,
    stan_server::eventually,
};

const KNOWN: usize = 100;
const KNOWN_RATE: usize = 500;
const FLOOD_RATE: usize = 5_000;
const PAIRS: usize = 5;
/// A pair counts only when its flood was one of at least this share of the rate; so many are tried before that is a failure, of the
/// service or of a machine that is too busy to tell.
const WHOLE: f64 = 0.9;
const TRIES: usize = 15;
const SECONDS: usize = 4;
/// The flood begins before the readers do and ends after them.
const FLOOD_SECONDS: usize = SECONDS + 3;

/// The p99 that a flood may cause whatever it was without, in milliseconds.
const FINE: f64 = 5.0;

on_each_store! {
    #[ignore = "long: five pairs of runs against the release binary: `make attack`"]
    known_orders_are_read_in_time_under_a_flood_of_unknown_uids,
}

async fn known_orders_are_read_in_time_under_a_flood_of_unknown_uids(database: Database) {
    if std::env::var_os("ORDERBOX_BINARY").is_none() {
        eprintln!("SKIPPED: only the release binary can be measured; run `make attack`");
        return;
    }
    let service = on(&database, &[]).await;
    let Some(load) = Load::against(&service).await else { return };
    let mut excesses = Vec::new();
    for pair in 1..=TRIES {
        let alone = load.run("known", KNOWN_RATE, SECONDS).await;
        let asked = looked_up(&service).await;
        let readers = async {
            eventually("the flood is there", || async { looked_up(&service).await > asked + 100.0 }).await;
            load.run("known", KNOWN_RATE, SECONDS).await
        };
        let (flood, beside) = tokio::join!(load.run("unknown", FLOOD_RATE, FLOOD_SECONDS), readers);
        eprintln!(
            "pair {pair}: p99 of known uids {:.2} ms alone, {:.2} ms under {:.0} unknown/s; the flood: {:?}, p99 {:.2} ms",
            alone.p99, beside.p99, flood.rate, flood.answers, flood.p99,
        );
        for known in [&alone, &beside] {
            assert_eq!(known.answers.keys().collect::<Vec<_>>(), ["200"], "{:?}", known.answers);
        }
        assert!(
            flood.answers.keys().all(|status| ["404", "503"].contains(&status.as_str())),
            "{:?}",
            flood.answers
        );
        if flood.rate < WHOLE * FLOOD_RATE as f64 {
            continue;
        }
        excesses.push(beside.p99 / FINE.max(2.0 * alone.p99));
        if excesses.len() == PAIRS {
            break;
        }
    }
    assert_eq!(excesses.len(), PAIRS, "pairs of {TRIES} whose flood was one of {FLOOD_RATE}/s");
    excesses.sort_by(f64::total_cmp);
    let median = excesses[PAIRS / 2];
    eprintln!("p99 under the flood over what it may be: {median:.2} (median; {excesses:.2?})");
    assert!(median <= 1.0, "{excesses:?}");
    assert_sound(&service).await;
}

async fn looked_up(service: &Orderbox) -> f64 {
    let results =
        ["absent", "error"].map(|result| format!("orderbox_cache_requests_total{{result=\"{result}\"}}"));
    let mut sum = 0.0;
    for result in &results {
        sum += service.metric(result).await.unwrap_or_default();
    }
    sum
}

/// vegeta with what it asks for.
struct Load {
    vegeta: PathBuf,
    folder: TempDir,
}

/// What vegeta says of a run.
struct Report {
    /// In milliseconds.
    p99: f64,
    /// Sent a second.
    rate: f64,
    answers: BTreeMap<String, u64>,
}

impl Load {
    /// Publishes the known orders, and waits until they are in memory.
    async fn against(service: &Orderbox) -> Option<Self> {
        let home = std::env::var("HOME").unwrap_or_default();
        let vegeta = program("vegeta", &[&format!("{home}/go/bin")])?;
        let folder = tempfile::tempdir().unwrap();
        let (host, port) = service.address();
        let mut known = String::new();
        for n in 0..KNOWN {
            let order = crate::conformance::fixture::small(&format!("known-{n}"), n);
            assert_eq!(service.client().post("/order", order).await.status, 202);
            writeln!(known, "GET http://{host}:{port}/order/known-{n}\n").unwrap();
        }
        let mut unknown = String::new();
        for n in 0..FLOOD_RATE * FLOOD_SECONDS {
            writeln!(unknown, "GET http://{host}:{port}/order/unknown-{n}\n").unwrap();
        }
        fs::write(folder.path().join("known"), known).unwrap();
        fs::write(folder.path().join("unknown"), unknown).unwrap();
        service.until_settled().await;
        Some(Self { vegeta, folder })
    }

    async fn run(&self, targets: &str, rate: usize, seconds: usize) -> Report {
        // As many connections as workers, all kept, or vegeta counts its own sockets as failures of the service.
        let workers = if targets == "known" { "32" } else { "512" };
        // A flood comes from elsewhere. Here it takes what the service, its database and the known readers leave of the processors:
        // else the p99 would tell how long the readers' own load generator waits for them.
        let niceness = if targets == "known" { "0" } else { "19" };
        let attack = Command::new("nice")
            .args(["-n", niceness])
            .arg(&self.vegeta)
            .current_dir(self.folder.path())
            .env("GOGC", "off")
            .env("GOMEMLIMIT", "512MiB")
            .args([
                "attack",
                "-targets",
                targets,
                "-rate",
                &rate.to_string(),
                "-duration",
                &format!("{seconds}s"),
            ])
            .args([
                "-workers",
                workers,
                "-max-workers",
                workers,
                "-connections",
                workers,
                "-max-connections",
                workers,
            ])
            .args(["-max-body", "0", "-redirects", "0", "-output", &format!("{targets}.bin")])
            .output();
        let attack = attack.await.unwrap();
        assert!(attack.status.success(), "{attack:?}");
        let report = Command::new(&self.vegeta)
            .current_dir(self.folder.path())
            .args(["report", "-type", "json", &format!("{targets}.bin")])
            .output();
        let report: Value = serde_json::from_slice(&report.await.unwrap().stdout).unwrap();
        Report {
            p99: report["latencies"]["99th"].as_f64().unwrap() / 1e6,
            rate: report["rate"].as_f64().unwrap(),
            answers: serde_json::from_value(report["status_codes"].clone()).unwrap(),
        }
    }
}
