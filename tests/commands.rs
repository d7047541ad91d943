//! `orderbox check` as a process of its own. What it says of which message are unit tests of `cli::check` and `order`.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const SOUND: &[u8] = orderbox::sample::MODEL;

fn check(argument: &str, input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_orderbox"))
        .env_clear()
        .args(["check", argument])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Less than a pipe holds, so this does not wait for a reader; dropping the handle is the end of the input.
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// The exit code and the report, which is one JSON line and all that is written.
fn reported(output: &Output) -> (Option<i32>, Value) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!((text.lines().count(), text.ends_with('\n')), (1, true), "{text}");
    (output.status.code(), serde_json::from_str(&text).unwrap())
}

#[test]
fn check_says_in_one_json_line_and_by_its_exit_code_what_a_file_would_become() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content, code, verdict) in
        [("sound.json", SOUND, 0, "accept"), ("broken.json", b"{}", 1, "reject")]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let file = file.to_str().unwrap();
        let (exit, report) = reported(&check(file, b""));
        assert_eq!((exit, &report["verdict"], &report["file"]), (Some(code), &verdict.into(), &file.into()));
        assert_eq!(report["errors"].as_array().unwrap().is_empty(), code == 0, "{report}");
    }
}

#[test]
fn check_names_a_file_that_is_not_there_and_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.json");
    let output = check(missing.to_str().unwrap(), b"");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.starts_with(&format!("orderbox check: {}: cannot read: ", missing.display())), "{told}");
}

#[test]
fn check_reads_a_message_from_a_pipe() {
    for (input, code, verdict) in [(SOUND, 0, "accept"), (b"not json", 1, "reject")] {
        let (exit, report) = reported(&check("-", input));
        assert_eq!((exit, &report["verdict"], &report["file"]), (Some(code), &verdict.into(), &"-".into()));
    }
}

/// Whoever can set the environment must not be able to hold a service that anybody uses.
#[cfg(not(feature = "fail-points"))]
#[test]
fn the_binary_holds_no_fail_point() {
    let binary = std::fs::read(env!("CARGO_BIN_EXE_orderbox")).unwrap();
    let name = b"ORDERBOX_FAIL_POINT";
    assert!(!binary.windows(name.len()).any(|window| window == name));
}
