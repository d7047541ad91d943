//! Settings as the binary sees them: the environment, flags, exit codes. The rules themselves are unit tests of `config`.

use std::process::{Command, Output};

/// Runs the binary with these variables and no others that are ours.
fn orderbox(variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orderbox"))
        .env_clear()
        .envs(variables.iter().copied())
        .args(arguments)
        .output()
        .expect("run orderbox")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn wrong_settings_end_the_start_with_code_2_and_every_reason_on_standard_error() {
    let variables = [("DATABASE_URL", "mysql://u:s3cret@h/db"), ("STORE_TIMEOUT", "0s")];
    for arguments in [&["--batch-size", "0"][..], &["serve", "--batch-size", "0"]] {
        let output = orderbox(&variables, arguments);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert_eq!(output.stdout, b"");
        for setting in ["DATABASE_URL=mysql://u:***@h/db ", "STORE_TIMEOUT=0ns ", "BATCH_SIZE=0 "] {
            assert!(told.contains(setting), "{setting} is missing in {told}");
        }
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn what_the_streaming_client_would_refuse_names_its_setting_and_shows_no_password() {
    for (variable, value) in [
        ("STAN_URL", "nats://u:s3cret@h:4/x"),
        ("STAN_URL", "nats://u:s3cret,word"),
        ("STAN_URL", "nats://u:a,s3cret"),
        ("STAN_CLUSTER_ID", "a.b"),
        ("STAN_CLIENT_ID", "a.b"),
        ("STAN_DURABLE", " "),
    ] {
        let output = orderbox(&[("STAN_URL", "nats://127.0.0.1:4222"), (variable, value)], &[]);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{variable}={value}: {told}");
        assert!(told.contains(&format!("orderbox: {variable}=")), "{variable}={value}: {told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
}

#[test]
fn a_variable_set_to_nothing_counts_as_unset_and_a_flag_wins_over_a_variable() {
    let variables =
        [("CACHE_BYTES", ""), ("HTTP_ADDR", ""), ("STORE_TIMEOUT", "7s"), ("SHUTDOWN_TIMEOUT", "1s")];
    let told = stderr(&orderbox(&variables, &["--store-timeout", "9s"]));
    assert_eq!(
        told.lines().collect::<Vec<_>>().len(),
        1,
        "only SHUTDOWN_TIMEOUT is wrong, and the default of the others holds: {told}"
    );
    assert!(told.contains("SHUTDOWN_TIMEOUT=1s is shorter than STORE_TIMEOUT=9s"), "{told}");
}

#[test]
fn a_wrong_variable_of_serve_does_not_stop_other_commands() {
    let output = orderbox(&[("CACHE_BYTES", "much")], &["healthcheck", "--http-addr", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("http://127.0.0.1:1/healthz does not answer"), "{}", stderr(&output));
}

#[test]
fn an_unknown_flag_is_an_error_and_help_is_none() {
    assert_eq!(orderbox(&[], &["--cash-bytes=1"]).status.code(), Some(2));
    let help = orderbox(&[("ADMIN_TOKEN", "s3cret"), ("STAN_URL", "nats://s3cret@h")], &["serve", "--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&help.stdout).contains("s3cret"));
}
