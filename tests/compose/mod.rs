//! The Dockerfile, docker-compose.yml and .env, held to what they promise without an engine: Docker Compose resolves the file,
//! and the image's own commands build and run outside of an image.

mod dockerfile;
mod env;
mod image;
mod stack;

use std::path::Path;

use crate::support::{process::Process, stan_server::eventually};

/// The checkout.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file of the checkout.
fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What `orderbox serve --help` says of its settings.
fn settings() -> String {
    let help = std::process::Command::new(env!("CARGO_BIN_EXE_orderbox"))
        .args(["serve", "--help"])
        .env_clear()
        .output()
        .expect("run orderbox");
    String::from_utf8(help.stdout).expect("UTF-8")
}

/// Waits until the service listens and returns the port, which it was left to choose: one chosen beforehand may be taken by then.
async fn port_of(service: &Process) -> u16 {
    let port = || -> Option<u16> {
        let output = service.output();
        output.split_once("listening on http://0.0.0.0:")?.1.split_once('/')?.0.parse().ok()
    };
    eventually("the service listens", || async { port().is_some() }).await;
    port().expect("it was there")
}

/// Whether a name of an image says which version it is: `postgres:18.6-bookworm`, `debian:bookworm-20260824-slim`.
fn is_pinned(image: &str) -> bool {
    let Some((_, tag)) = image.split_once(':') else { return false };
    tag.split('-').any(|part| {
        let version = part.strip_prefix('v').unwrap_or(part);
        let numbers: Vec<&str> = version.split('.').collect();
        let numeric = numbers.iter().all(|number| number.parse::<u32>().is_ok());
        numeric && (numbers.len() >= 2 || version.len() == "20260824".len())
    })
}

#[test]
fn a_tag_that_moves_from_version_to_version_pins_nothing() {
    for image in ["postgres:18.6-bookworm", "prom/prometheus:v3.13.3", "debian:bookworm-20260824-slim"] {
        assert!(is_pinned(image), "{image}");
    }
    for image in
        ["postgres", "postgres:latest", "postgres:18", "rust:1-slim-bookworm", "debian:bookworm-slim"]
    {
        assert!(!is_pinned(image), "{image}");
    }
}
