//! What a process has used, as /proc says it.

use std::fs;

use super::Result;

/// In which /proc/PID/stat counts: 100 a second is what Linux tells programs, whatever its own clock does.
const TICK_MICROS: f64 = 1e4;

/// CPU time so far in microseconds, its own and the kernel's for it.
pub(crate) fn cpu_micros(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program, in brackets, may hold anything.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok());
    Ok(ticks(11).zip(ticks(12)).map(|(user, system)| user + system).ok_or("an unknown stat")? * TICK_MICROS)
}

/// Resident memory in bytes.
pub(crate) fn resident_bytes(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    Ok(kib.ok_or("the process has no memory")?.parse::<f64>()? * 1024.0)
}
