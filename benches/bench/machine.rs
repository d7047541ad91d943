//! Where the figures come from.

use std::{fs, process::Command, thread};

use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};

/// The day, in UTC.
pub(crate) fn date() -> String {
    let format = format_description!("[year]-[month]-[day]");
    OffsetDateTime::now_utc().format(&format).expect("a day can be written")
}

pub(crate) fn facts() -> Value {
    json!({
        "cores": cores(),
        "memory_gib": memory_gib(),
        "cpu": cpu(),
        "kernel": line_of("/proc/sys/kernel/osrelease"),
        "commit": commit(),
        "file_system": file_system(),
    })
}

pub(crate) fn sentence() -> String {
    let (cores, memory, cpu) = (cores(), memory_gib(), cpu());
    let kernel = line_of("/proc/sys/kernel/osrelease");
    let place = std::env::temp_dir();
    let (commit, place, kind) = (commit(), place.display(), file_system());
    format!(
        "{cores} cores ({cpu}), {memory} GiB of memory, Linux {kernel}, data in {place} on {kind}, commit {commit}"
    )
}

fn cores() -> usize {
    thread::available_parallelism().map_or(0, Into::into)
}

fn memory_gib() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib: Option<u64> = total.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    (kib.unwrap_or(0) + (1 << 19)) >> 20
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or("of an unknown model", |(_, name)| name).to_owned()
}

/// The kind of the file system that the servers write to; on tmpfs an fsync costs nothing, and no figure says much.
fn file_system() -> String {
    let table = said_by(Command::new("df").arg("--output=fstype").arg(std::env::temp_dir()));
    table.lines().last().unwrap_or_default().to_owned()
}

fn commit() -> String {
    said_by(
        Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(env!("CARGO_MANIFEST_DIR")),
    )
}

fn said_by(command: &mut Command) -> String {
    let output = command.output().map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&output).trim().to_owned();
    if text.is_empty() { "unknown".to_owned() } else { text }
}

fn line_of(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}
