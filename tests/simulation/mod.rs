//! The pipeline under a seeded schedule of faults, on a clock that jumps.
//!
//! ```text
//! mail ──> broker ──> source ──> inbox, worker, recovery, cache (the real ones) ──> store ──> tables
//!          loses, repeats        process: started, stopped, crashed                 weather: what fails
//!                                reader: reads all the while
//! ```
//! `world` is one seed, `invariants` what must hold at its end, `journal` what happened, `report` what many seeds add up to.

mod broker;
mod invariants;
mod journal;
mod mail;
mod process;
mod reader;
mod report;
mod server;
mod source;
mod store;
pub(crate) mod tables;
mod weather;
mod world;

use std::{ops::Range, thread};

use journal::Counts;

/// A build that breaks the promise, at one of the simulation's own edges. Each must be caught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breakage {
    /// The source acks what it has only received.
    AcksAtReceipt,
    /// The source acks what the inbox had no room for.
    AcksDropped,
    /// The store settles and leaves the row in the inbox.
    KeepsInboxRow,
    /// The store tells nobody which orders it deleted.
    TellsNobody,
    /// A reader puts what it has loaded into the cache without a guard.
    InsertsPlainly,
}

/// Runs seeds, and panics with the whole story of the first that breaks a promise.
fn seeds(seeds: Range<u64>) -> Counts {
    let mut total = Counts::new();
    for seed in seeds {
        let run = world::run(seed, None, false);
        if let Some(promise) = run.violation {
            let story = world::run(seed, None, true).lines.join("\n");
            panic!("{story}\n\nseed {seed}: {promise}\nto run it again: SEED={seed} make simulate");
        }
        report::add(&mut total, &run.counts);
    }
    total
}

fn everyday(range: Range<u64>) {
    let missing = report::missing(&seeds(range));
    assert!(missing.is_empty(), "never happened: {missing:?}");
}

#[test]
fn every_promise_is_kept_by_the_first_thousand_seeds() {
    everyday(0..1_000);
}

#[test]
fn every_promise_is_kept_by_the_second_thousand_seeds() {
    everyday(1_000..2_000);
}

#[test]
fn a_seed_reproduces_its_run() {
    for seed in 0..30 {
        let (first, second) = (world::run(seed, None, true), world::run(seed, None, true));
        assert_eq!(first.lines, second.lines, "seed {seed}");
        assert_eq!(first.hash, second.hash, "seed {seed}");
    }
}

/// The first promise that a breakage is caught at.
fn caught(breakage: Breakage) -> String {
    let violation = (0..1_000).find_map(|seed| world::run(seed, Some(breakage), false).violation);
    violation.unwrap_or_else(|| panic!("{breakage:?} went unseen"))
}

#[test]
fn an_ack_before_the_commit_is_caught() {
    assert!(caught(Breakage::AcksAtReceipt).contains("acked and not settled"));
}

#[test]
fn an_ack_of_what_found_no_room_is_caught() {
    assert!(caught(Breakage::AcksDropped).contains("acked and not settled"));
}

#[test]
fn a_settle_that_leaves_the_inbox_row_is_caught() {
    assert!(caught(Breakage::KeepsInboxRow).contains("conservation"));
}

#[test]
fn a_deletion_that_other_instances_do_not_hear_of_is_caught() {
    assert!(caught(Breakage::TellsNobody).contains("than the store"));
}

#[test]
fn a_plain_insert_of_a_reader_is_caught() {
    let promise = caught(Breakage::InsertsPlainly);
    assert!(promise.contains("older than") || promise.contains("than the store"), "{promise}");
}

/// `SEED` alone, with its story, or `SEEDS` of them on every core.
#[test]
#[ignore = "long: thousands of seeds; make simulate runs it in release"]
fn simulate() {
    let number = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    if let Some(seed) = number("SEED") {
        let run = world::run(seed, None, true);
        println!("{}", run.lines.join("\n"));
        assert_eq!(run.violation, None, "seed {seed}");
        return;
    }
    let count = number("SEEDS").unwrap_or(4_000);
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let total = thread::scope(|scope| {
        let share = |core| count * core / cores..count * (core + 1) / cores;
        let runs: Vec<_> = (0..cores).map(|core| scope.spawn(move || seeds(share(core)))).collect();
        let mut total = Counts::new();
        for run in runs {
            match run.join() {
                Ok(counts) => report::add(&mut total, &counts),
                Err(story) => std::panic::resume_unwind(story),
            }
        }
        total
    });
    println!("{}", report::table(count, &total));
    let missing = report::missing(&total);
    assert!(missing.is_empty(), "never happened: {missing:?}");
}
