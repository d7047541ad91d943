//! The Dockerfile: its parts, and what holds of them at rest.

use std::process::Command;

use super::{is_pinned, port_of, read, root};
use crate::support::{PYTHON_TOOLS, process::Process, program, stan_server::eventually};

/// One FROM and what follows it.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) base: String,
    pub(crate) name: Option<String>,
    /// Keyword and arguments, continued lines joined.
    pub(crate) instructions: Vec<(String, String)>,
}

impl Stage {
    /// The arguments of the last instruction with this keyword.
    pub(crate) fn last(&self, keyword: &str) -> Option<&str> {
        let found = self.instructions.iter().rev().find(|(other, _)| other == keyword)?;
        Some(&found.1)
    }
}

/// The stages in order.
pub(crate) fn stages() -> Vec<Stage> {
    let text = read("Dockerfile");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let mut stages: Vec<Stage> = Vec::new();
    for line in lines.join("\n").replace("\\\n", " ").lines().filter(|line| !line.trim().is_empty()) {
        let (keyword, rest) = line.split_once(' ').expect("a keyword and its arguments");
        if keyword == "FROM" {
            let (base, name) = match rest.split_once(" AS ") {
                Some((base, name)) => (base, Some(name.to_owned())),
                None => (rest, None),
            };
            stages.push(Stage { base: base.to_owned(), name, instructions: Vec::new() });
        } else {
            let stage = stages.last_mut().expect("FROM comes first");
            stage.instructions.push((keyword.to_owned(), rest.trim().to_owned()));
        }
    }
    stages
}

/// The stage that the service runs in.
pub(crate) fn service() -> Stage {
    stages().pop().expect("a stage")
}

/// The environment that the image sets.
pub(crate) fn image_environment() -> Vec<(String, String)> {
    let service = service();
    let set = service.instructions.iter().filter(|(keyword, _)| keyword == "ENV");
    set.map(|(_, rest)| rest.split_once('=').expect("one NAME=value an ENV"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The same with another port, for 8080 may be taken here.
pub(crate) fn image_environment_on(port: u16) -> Vec<(String, String)> {
    let with_port = |value: &str| value.replace("8080", &port.to_string());
    image_environment().into_iter().map(|(name, value)| (name, with_port(&value))).collect()
}

/// The words of an instruction in exec form, that is without a shell.
pub(crate) fn exec_form(arguments: &str) -> Vec<String> {
    serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{arguments} is not in exec form: {error}"))
}

/// The command of the image's HEALTHCHECK.
pub(crate) fn health_check() -> Vec<String> {
    let service = service();
    let (_, command) = service.last("HEALTHCHECK").unwrap().split_once("CMD ").expect("a command");
    exec_form(command)
}

#[test]
fn hadolint_finds_nothing() {
    let Some(hadolint) = program("hadolint", &[PYTHON_TOOLS]) else { return };
    let output = Command::new(hadolint).current_dir(root()).arg("Dockerfile").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn every_base_is_of_one_version() {
    let stages = stages();
    assert!(stages.len() > 1, "the compiler must not be in the image");
    for Stage { base, .. } in &stages {
        let stage = stages.iter().any(|stage| stage.name.as_ref() == Some(base));
        assert!(stage || is_pinned(base), "{base}");
    }
}

#[test]
fn the_service_is_stopped_by_sigterm_and_runs_as_nobody_in_particular() {
    let service = service();
    assert_eq!(service.last("STOPSIGNAL"), Some("SIGTERM"));
    // Numbers: an orchestrator that refuses root can't look a name up.
    let user = service.last("USER").expect("a user");
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number")).collect();
    assert!(ids.len() == 2 && !ids.contains(&0), "{user}");
    assert_eq!(exec_form(service.last("ENTRYPOINT").unwrap()), ["orderbox"]);
    let labels = service.last("LABEL").unwrap();
    let version = format!("org.opencontainers.image.version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(labels.contains(&version), "{labels}");
}

#[test]
fn only_what_the_images_are_built_from_goes_to_the_engine() {
    let patterns = read(".dockerignore");
    let mut patterns = patterns.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(patterns.next(), Some("*"), "all is left out but what follows");
    for secret_or_large in [".env", ".git", "target", "loadtest/results"] {
        assert!(!super::image::goes_to_the_engine(secret_or_large), "{secret_or_large}");
    }
}

#[tokio::test]
async fn the_health_check_of_the_image_is_answered_by_a_service_that_listens_as_in_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let check = health_check();
    assert_eq!(check[0], "orderbox");
    let orderbox = |arguments: &[String], port: u16| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orderbox"));
        command.args(arguments).current_dir(folder.path()).env_clear().envs(image_environment_on(port));
        command
    };
    let service = Process::start("orderbox", orderbox(&[], 0), folder.path().join("orderbox.log"));
    let port = port_of(&service).await;
    eventually("the service is healthy", || async {
        orderbox(&check[1..], port).output().unwrap().status.success()
    })
    .await;
}
