//! `audit` and `dead-letters` on a real database, through the binary.

use std::process::{Command, Output};

use orderbox::store::{Decision, Refusal, Settlement};

use crate::{
    conformance::fixture::{message, recorded, small, try_settle},
    support::database::Database,
};

fn orderbox(url: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orderbox"))
        .env_clear()
        .env("DATABASE_URL", url)
        .args(arguments)
        .output()
        .expect("run orderbox")
}

fn stdout(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// One order, two dead letters, one message that still waits.
async fn filled() -> Database {
    let database = Database::sqlite().unwrap();
    let store = database.store().await;
    let rows = recorded(
        store.as_ref(),
        &[
            message(1, 1, &small("one", "A")),
            message(2, 2, "not json"),
            message(3, 3, "{\"order_uid\":\"\u{9b}\"}"),
        ],
    )
    .await;
    try_settle(store.as_ref(), &rows[..2]).await.unwrap();
    let refusal = Refusal {
        reason: "invalid_fields",
        errors: r#"[{"pointer":"/order_uid","code":"control_char","message":"has a control character"}]"#,
        order_uid: None,
    };
    store.settle(&[Settlement { row: &rows[2], decision: Decision::Reject(refusal) }]).await.unwrap();
    recorded(store.as_ref(), &[message(4, 4, "waits")]).await;
    database
}

#[tokio::test]
async fn audit_exits_0_when_it_balances_and_1_when_a_row_is_gone() {
    let database = filled().await;
    let sound = orderbox(&database.url(), &["audit"]);
    assert!(stdout(&sound).ends_with("balances: no message is missing and none is counted twice\n"));
    assert_eq!(sound.status.code(), Some(0));

    database.execute("DELETE FROM payments").await;
    let spoiled = orderbox(&database.url(), &["audit", "--json"]);
    assert_eq!(spoiled.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_str(&stdout(&spoiled)).unwrap();
    assert_eq!(report["balances"], false);
    assert_eq!(report["channels"][0]["received"], 4);
    assert_eq!(report["channels"][0]["pending"], 1);
    assert!(report["differences"].to_string().contains("orders = payments"), "{report}");
}

#[tokio::test]
async fn dead_letters_are_listed_newest_first_and_shown_with_their_bytes() {
    let database = filled().await;
    let list = stdout(&orderbox(&database.url(), &["dead-letters", "list", "--json"]));
    let letters: Vec<serde_json::Value> =
        list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let reasons: Vec<&str> = letters.iter().map(|letter| letter["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["invalid_fields", "not_json"]);
    assert_eq!(letters[0]["codes"], serde_json::json!(["control_char"]));

    let only = stdout(&orderbox(&database.url(), &["dead-letters", "list", "--reason", "not_json"]));
    assert_eq!(only.lines().count(), 2, "a head and one row: {only}");

    let id = letters[0]["id"].to_string();
    let shown = stdout(&orderbox(&database.url(), &["dead-letters", "show", &id]));
    assert!(shown.contains(r#"{"order_uid":"\u{9b}"}"#), "{shown}");
    assert!(shown.contains("/order_uid  control_char  has a control character"), "{shown}");
}

#[tokio::test]
async fn a_dead_letter_that_is_not_there_is_told_and_the_others_are_shown() {
    let database = filled().await;
    let output = orderbox(&database.url(), &["dead-letters", "show", "1", "4711"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("dead letter 1 (open)"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no dead letter 4711"));
}

#[test]
fn a_missing_database_is_told_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("none.db");
    let url = format!("sqlite://{}", file.display());
    for arguments in [&["audit"][..], &["dead-letters", "list"], &["dead-letters", "show", "1"]] {
        let output = orderbox(&url, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains("does not exist"), "{arguments:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_is_no_database_of_ours_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in
        [("empty.db", &b""[..]), ("other.db", b"certainly not a database, but long enough to be read")]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        let output = orderbox(&format!("sqlite://{}", file.display()), &["audit"]);
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stderr(&output).starts_with("orderbox: the store can't be read: "), "{name}");
        assert_eq!(std::fs::read(&file).unwrap(), content, "{name} is left as it was");
    }
}
