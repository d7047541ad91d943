//! wrk on core 1: one thread, 64 connections. The servers it loads have core 0.

use std::{path::Path, time::Duration};

use tokio::process::Command;

use super::{Result, usage};

/// Where servers run that are measured on one core.
pub(crate) const SERVER_CORE: [&str; 3] = ["taskset", "-c", "0"];
const LOAD_CORE: &str = "1";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/bench/wrk.lua");

/// A server that is loaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loaded<'a> {
    pub(crate) port: u16,
    pub(crate) pid: u32,
    /// A file of uids to ask for.
    pub(crate) uids: Option<&'a Path>,
    /// The uid to ask for without such a file.
    pub(crate) uid: &'a str,
}

/// What a server did under load.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p99_millis: f64,
    /// CPU time of the server.
    pub(crate) cpu_micros_a_request: f64,
}

impl Loaded<'_> {
    /// Loads it; an error unless every request is answered with success.
    pub(crate) async fn load(self, time: Duration) -> Result<Figures> {
        let mut command = Command::new("taskset");
        command.args(["-c", LOAD_CORE, "wrk", "--threads=1", "--connections=64", "--latency"]);
        command.arg(format!("--duration={}s", time.as_secs())).arg(format!("--script={SCRIPT}"));
        command.arg(format!("http://127.0.0.1:{}/order?order_uid={}", self.port, self.uid));
        match self.uids {
            Some(uids) => command.env("UID_FILE", uids),
            None => command.env_remove("UID_FILE"),
        };
        let before = usage::cpu_micros(self.pid)?;
        let output =
            command.kill_on_drop(true).output().await.map_err(|error| format!("run taskset: {error}"))?;
        let cpu = usage::cpu_micros(self.pid)? - before;
        let text = String::from_utf8_lossy(&output.stdout);
        let [requests, micros, p99_micros, failed] = numbers(&text).ok_or_else(|| {
            format!("wrk did not end well: {} {text}", String::from_utf8_lossy(&output.stderr).trim())
        })?;
        if failed > 0.0 || requests < 1.0 {
            return Err(format!("of {requests} requests {failed} were not answered with success").into());
        }
        Ok(Figures {
            per_second: requests / micros * 1e6,
            p99_millis: p99_micros / 1e3,
            cpu_micros_a_request: cpu / requests,
        })
    }
}

fn numbers(text: &str) -> Option<[f64; 4]> {
    let line = text.lines().find_map(|line| line.strip_prefix("done "))?;
    let numbers: Vec<f64> = line.split(' ').filter_map(|number| number.parse().ok()).collect();
    numbers.try_into().ok()
}
