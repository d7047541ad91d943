//! A wall clock that a test sets for the processes that go by it, with libfaketime. Monotonic clocks stay true.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// Where Debian has the library, by architecture.
const PLACES: [&str; 2] = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];

/// The clock; processes that run with its environment look at it each time they ask what time it is.
#[derive(Debug)]
pub(crate) struct Clock {
    library: PathBuf,
    folder: TempDir,
}

impl Clock {
    /// A clock that is right; `None` when libfaketime is not installed.
    pub(crate) fn right() -> Option<Self> {
        let library = super::program("libfaketimeMT.so.1", &PLACES)?;
        let folder = TempDir::new().expect("create a folder");
        // PostgreSQL, which does not run as root, looks at it too.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("open the folder");
        let clock = Self { library, folder };
        clock.set(0);
        Some(clock)
    }

    /// Sets it so many hours off.
    pub(crate) fn set(&self, hours: i32) {
        // By one rename, for it may be read at any moment.
        let new = self.folder.path().join("new");
        fs::write(&new, format!("{:+}\n", hours * 3600)).expect("write the time");
        fs::rename(&new, self.file()).expect("set the time");
    }

    /// The environment of a process that goes by this clock, as `env` takes it.
    pub(crate) fn environment(&self) -> Vec<String> {
        let set = |name: &str, value: &Path| format!("{name}={}", value.display());
        let flags = ["FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "NO_FAKE_STAT=1"];
        let mut environment = vec![set("LD_PRELOAD", &self.library)];
        environment.push(set("FAKETIME_TIMESTAMP_FILE", &self.file()));
        environment.extend(flags.map(str::to_owned));
        environment
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("time")
    }
}
