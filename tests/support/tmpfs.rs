//! A small file system of its own for what a test lets run out of room, or makes read-only.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// How much is written at once to fill it, and then the least that a file system gives.
const CHUNKS: [usize; 2] = [1 << 20, 4096];

/// A mounted tmpfs; it goes with the value, and what runs on it must have ended before.
#[derive(Debug)]
pub(crate) struct Tmpfs {
    folder: TempDir,
}

impl Tmpfs {
    /// `None` where mounting is not allowed: the caller returns, and the test says loudly what it skipped. In CI that is a
    /// failure.
    pub(crate) fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("orderbox-tmpfs-").tempdir().expect("create a folder");
        let size = format!("size={megabytes}m");
        let output = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "orderbox-test"])
            .arg(folder.path())
            .output()
            .expect("run mount");
        if output.status.success() {
            return Some(Self { folder });
        }
        let reason = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(std::env::var_os("CI").is_none(), "no tmpfs can be mounted: {reason}");
        eprintln!("SKIPPED: no tmpfs can be mounted, which needs root: {reason}");
        None
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Mounts it anew with other options, such as `size=64m` or `ro`; files stay.
    pub(crate) fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let output =
            Command::new("mount").args(["-o", &options]).arg(self.path()).output().expect("run mount");
        assert!(output.status.success(), "{options}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Takes all the room that is left.
    pub(crate) fn fill(&self) {
        let mut file = File::create(self.filler()).expect("create a file");
        for length in CHUNKS {
            let chunk = vec![0; length];
            let full = loop {
                if let Err(error) = file.write_all(&chunk) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
        }
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a failing test may leave something open on it for a moment.
        drop(Command::new("umount").arg("--lazy").arg(self.path()).output());
    }
}
