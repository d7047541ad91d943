//! What the tests share: real servers on free ports in temporary folders, started and ended by the test that uses them.

pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod database;
pub(crate) mod expected;
pub(crate) mod link;
pub(crate) mod load;
pub(crate) mod nats_server;
pub(crate) mod orderbox;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod prometheus;
#[cfg(feature = "fail-points")]
pub(crate) mod reckoning;
pub(crate) mod stan_server;
pub(crate) mod tmpfs;
pub(crate) mod wire;

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
};

/// Where `make test-servers` puts programs from PyPI: a place for [`program`].
pub(crate) const PYTHON_TOOLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-tools/python/bin");

/// A port that nothing listens on at the moment of the call.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("bind a free port");
    listener.local_addr().expect("local address").port()
}

/// The path of an external program that a test needs, or `None` when it is not installed.
/// In CI (`CI` set) a missing program is a failure, elsewhere the caller returns and the test says loudly what it skipped.
pub(crate) fn program(name: &str, places: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(places.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed: run `make test-servers`");
        eprintln!("SKIPPED: {name} is not installed; run `make test-servers`");
    }
    found
}

/// The folder of the material that other people own (`../shared`), or `None` where it is not there: the caller returns and the
/// test says loudly what it skipped. `ORDERBOX_SHARED=required`, which .ci/run sets where it found the folder, makes that a failure.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var_os("ORDERBOX_SHARED").is_some_and(|value| value == "required");
    assert!(!required, "{} was there and is not found any more", folder.display());
    eprintln!("SKIPPED: ../shared is not there, so the real messages were not tried");
    None
}
