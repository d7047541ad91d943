/// What the operating system says of this process, as every Prometheus client library tells it; `None` where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Process {
    /// By the process and by the kernel for it.
    pub(super) cpu_seconds: Option<f64>,
    pub(super) resident_bytes: Option<f64>,
    pub(super) virtual_bytes: Option<f64>,
    pub(super) open_fds: Option<f64>,
    /// The soft limit; `None` when there is none.
    pub(super) max_fds: Option<f64>,
    pub(super) threads: Option<f64>,
    /// Seconds since the Unix epoch.
    pub(super) started_at: Option<f64>,
}

#[cfg(target_os = "linux")]
impl Process {
    /// Reads it now: some tens of microseconds.
    pub(super) fn read() -> Self {
        use procfs::{
            WithCurrentSystemInfo,
            process::{LimitValue, Process},
        };

        let Ok(process) = Process::myself() else { return Self::default() };
        let stat = process.stat().ok();
        let seconds = |ticks: u64| ticks as f64 / procfs::ticks_per_second() as f64;
        Self {
            cpu_seconds: stat.as_ref().map(|stat| seconds(stat.utime + stat.stime)),
            resident_bytes: stat.as_ref().map(|stat| stat.rss_bytes().get() as f64),
            virtual_bytes: stat.as_ref().map(|stat| stat.vsize as f64),
            open_fds: process.fd_count().ok().map(|count| count as f64),
            max_fds: process.limits().ok().and_then(|limits| match limits.max_open_files.soft_limit {
                LimitValue::Value(limit) => Some(limit as f64),
                LimitValue::Unlimited => None,
            }),
            threads: stat.as_ref().map(|stat| stat.num_threads as f64),
            started_at: stat
                .zip(procfs::boot_time_secs().ok())
                .map(|(stat, boot)| boot as f64 + seconds(stat.starttime)),
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Process {
    pub(super) fn read() -> Self {
        Self::default()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn the_figures_are_those_of_this_process() {
        let process = Process::read();
        let age = OffsetDateTime::now_utc().unix_timestamp() as f64 - process.started_at.expect("a time");
        assert!((-2.0..3600.0).contains(&age), "started {age} s ago");
        assert!(process.cpu_seconds < Some(3600.0) && process.cpu_seconds >= Some(0.0));
        assert!(process.resident_bytes > Some(1e6) && process.virtual_bytes >= process.resident_bytes);
        assert!(process.open_fds > Some(2.0) && process.open_fds <= process.max_fds, "{process:?}");
        assert!(process.threads > Some(0.0));
    }
}
