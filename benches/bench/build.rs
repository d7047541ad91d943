//! How long cargo takes, with the dependencies downloaded: a release build from nothing, and a debug build after one file has
//! changed. Only when asked for by name: it takes minutes, and says nothing about the service.

use std::{
    fs::File,
    path::Path,
    process::Command,
    time::{Instant, SystemTime},
};

use super::{
    Result,
    rows::{Rows, Target::AtMost, Unit::Seconds},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

pub(crate) async fn measure(rows: &mut Rows) -> Result {
    let release = rows.figure("build/release", Seconds, AtMost(240.0));
    let debug = rows.figure("build/debug", Seconds, AtMost(15.0));

    let folder = tempfile::tempdir()?;
    rows.measured(release, cargo(folder.path(), &["--release"])?);
    cargo(folder.path(), &[])?;
    let changed = File::options().append(true).open(Path::new(ROOT).join("src/lib.rs"))?;
    for _ in 0..3 {
        changed.set_modified(SystemTime::now())?;
        rows.measured(debug, cargo(folder.path(), &[])?);
    }
    Ok(())
}

/// Seconds of a build into this folder.
fn cargo(target: &Path, arguments: &[&str]) -> Result<f64> {
    let began = Instant::now();
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--locked", "--quiet", "--target-dir"])
        .arg(target)
        .args(arguments)
        .current_dir(ROOT);
    let status = command.status()?;
    let seconds = began.elapsed().as_secs_f64();
    if status.success() { Ok(seconds) } else { Err(format!("cargo build: {status}").into()) }
}
