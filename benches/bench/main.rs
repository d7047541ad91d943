//! `make bench`: every figure that this project promises, each against its reference in the same run.
//!
//! ```text
//! settings ── sizes, from the environment
//! rows     ── what a row is: its figure of every round, its target, its errors
//! report   ── the table and the JSON;  machine ── where it was measured
//! one file a group of rows: reads, ingest, latency, growth, inbox, boot, poison, idle, build
//!   they start servers through tests/support, and measure with:
//!   backlog ── messages that wait in NATS Streaming, and how long it takes until all are acked
//!   mover   ── NATS Streaming into one raw table;  fill ── the same rows by SQL alone, as a floor and as stock
//!   nginx, wrk ── the other web server, and the load on both;  usage ── CPU time and memory of a process
//! ```
//! docs/PERFORMANCE.md says what each row is. Nothing fails on a target that is missed: the table says so. A run that is
//! broken (a lost order, an answer that is not 200) is an error of its rows, and the other groups go on.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is an error of the rows that were being measured")]

mod backlog;
mod boot;
mod build;
mod fill;
mod growth;
mod idle;
mod inbox;
mod ingest;
mod latency;
mod machine;
mod mover;
mod nginx;
mod poison;
mod reads;
mod report;
mod rows;
mod service;
mod settings;
#[path = "../../tests/support/mod.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "the tests use more of it")]
mod support;
mod usage;
mod wrk;

use std::{any::Any, panic::AssertUnwindSafe, process::ExitCode};

use futures_util::FutureExt;

use self::{rows::Rows, settings::Settings};

/// An error of the rows that were being measured.
type Trouble = Box<dyn std::error::Error + Send + Sync>;
type Result<T = ()> = std::result::Result<T, Trouble>;

/// The groups in the order in which they run. Those not in `DEFAULT` run only when asked for by name.
const DEFAULT: [&str; 9] =
    ["reads", "ingest-postgres", "latency", "ingest-sqlite", "growth", "inbox", "boot", "poison", "idle"];
const BY_NAME: [&str; 1] = ["build"];

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    // What cargo adds to the command line of every benchmark begins with a dash.
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let known = || DEFAULT.iter().chain(&BY_NAME);
    if let Some(unknown) = asked.iter().find(|name| !known().any(|known| known == name)) {
        let names: Vec<&str> = known().copied().collect();
        eprintln!("there are no rows {unknown}; there are: {}", names.join(" "));
        return ExitCode::from(2);
    }
    let settings = match Settings::from_environment() {
        Ok(settings) => settings,
        Err(wrong) => {
            eprintln!("{wrong}");
            return ExitCode::from(2);
        }
    };
    let mut rows = Rows::default();
    for group in
        known().filter(|name| if asked.is_empty() { DEFAULT.contains(name) } else { is_in(&asked, name) })
    {
        eprintln!("== {group}");
        rows.begin();
        // The servers of a group panic when they do not start.
        match AssertUnwindSafe(measure(group, &settings, &mut rows)).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(trouble)) => rows.failed(group, &trouble.to_string()),
            Err(panic) => rows.failed(group, said_by(panic.as_ref())),
        }
        // After every group, for whoever interrupts the next.
        if let Err(error) = report::write(&settings, &rows) {
            eprintln!("the figures could not be written: {error}");
        }
    }
    match report::print(&settings, &rows) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the table could not be printed: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(group: &str, settings: &Settings, rows: &mut Rows) -> Result {
    match group {
        "reads" => Box::pin(reads::measure(settings, rows)).await,
        "ingest-postgres" => Box::pin(ingest::postgres::measure(settings, rows)).await,
        "ingest-sqlite" => Box::pin(ingest::sqlite::measure(settings, rows)).await,
        "latency" => Box::pin(latency::measure(settings, rows)).await,
        "growth" => Box::pin(growth::measure(settings, rows)).await,
        "inbox" => Box::pin(inbox::measure(settings, rows)).await,
        "boot" => Box::pin(boot::measure(settings, rows)).await,
        "poison" => Box::pin(poison::measure(settings, rows)).await,
        "idle" => Box::pin(idle::measure(settings, rows)).await,
        _ => Box::pin(build::measure(rows)).await,
    }
}

fn is_in(asked: &[String], name: &str) -> bool {
    asked.iter().any(|asked| asked == name)
}

fn said_by(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}
