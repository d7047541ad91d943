//! `make env`.

use std::{collections::BTreeMap, os::unix::fs::PermissionsExt, path::Path, process::Command};

use super::root;

/// Runs what `make env` runs, for this file instead of .env.
pub(crate) fn write(file: &Path) {
    let output = Command::new(root().join("scripts/env.sh")).arg(file).output().expect("run scripts/env.sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn variables(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .map(|line| line.split_once('=').expect("NAME=value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn make_env_writes_random_secrets_that_a_url_can_carry_and_only_the_owner_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    for file in [&one, &other] {
        write(file);
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let mut secrets: Vec<String> = [variables(&one), variables(&other)]
        .into_iter()
        .flatten()
        .filter(|(name, _)| name != "LOADTEST_USER")
        .map(|(_, value)| value)
        .collect();
    assert!(
        secrets
            .iter()
            .all(|secret| secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()))
    );
    let count = secrets.len();
    secrets.sort_unstable();
    secrets.dedup();
    assert_eq!((count, secrets.len()), (8, 8), "a secret came twice");
}

#[test]
fn make_env_keeps_what_is_there_and_adds_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    std::fs::write(&file, "MINE=1\nADMIN_TOKEN=chosen-by-hand\n").unwrap();
    write(&file);
    let before = variables(&file);
    assert_eq!((&*before["MINE"], &*before["ADMIN_TOKEN"]), ("1", "chosen-by-hand"));
    assert_eq!(before["PUBLISH_TOKEN"].len(), 64);
    write(&file);
    assert_eq!(variables(&file), before);
}

#[test]
fn make_env_fills_in_what_is_empty_and_adds_nothing_to_a_line_without_an_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    std::fs::write(&file, "ADMIN_TOKEN=\nPUBLISH_TOKEN=\"\"\nMINE=1").unwrap();
    write(&file);
    let found = variables(&file);
    assert_eq!(found["MINE"], "1");
    assert_eq!(found.len(), 6, "{:?}", found.keys());
    assert_eq!((found["ADMIN_TOKEN"].len(), found["PUBLISH_TOKEN"].len()), (64, 64));
    let lines = std::fs::read_to_string(&file).unwrap().lines().count();
    assert_eq!(lines, found.len(), "a name stands there twice");
}
