//! `dead-letters replay` and `discard` on a real database, through the binary: beside a running service, and without one.

use std::process::{Command, Output};

use orderbox::store::{Decision, Refusal, Settlement};

use crate::{
    conformance::fixture::{message, recorded, small, try_settle},
    support::{
        database::Database,
        orderbox::{Orderbox, on_each_store},
        stan_server::eventually,
    },
};

on_each_store!(
    an_edited_file_becomes_an_order_while_the_service_runs,
    a_bulk_asks_for_nothing_in_a_script_and_says_what_would_pass,
    what_the_routes_refuse_the_commands_refuse_too,
    what_show_writes_raw_is_the_message_to_the_byte,
);

fn desk(database: &Database, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orderbox"))
        .env_clear()
        .env("DATABASE_URL", database.url())
        .env("USER", "tester")
        .arg("dead-letters")
        .args(arguments)
        .output()
        .expect("run orderbox")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Dead letters of these payloads; ids begin at 1.
async fn refused(database: &Database, payloads: &[&str]) {
    let store = database.store().await;
    let messages: Vec<_> = (1..).zip(payloads).map(|(n, payload)| message(n, n, payload)).collect();
    let rows = recorded(store.as_ref(), &messages).await;
    try_settle(store.as_ref(), &rows).await.unwrap();
}

async fn an_edited_file_becomes_an_order_while_the_service_runs(database: Database) {
    refused(&database, &["broken", "of no use"]).await;
    let service = Orderbox::on(&database, &[("SAMPLE_ORDER", "false")]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mended.json");
    std::fs::write(&file, small("mended", 1)).unwrap();
    let replayed = desk(&database, &["replay", "--edit", file.to_str().unwrap(), "1"]);
    assert_eq!(replayed.status.code(), Some(0), "{}", text(&replayed));
    assert!(text(&replayed).starts_with("dead letter 1 is replayed; "), "{}", text(&replayed));
    eventually("the order can be read", async || service.order("mended").await.is_ok()).await;
    let shown = text(&desk(&database, &["show", "1"]));
    assert!(shown.contains("became       edited, order mended"), "{shown}");
    assert!(shown.contains("resolved_by  cli:tester"), "{shown}");

    let again = desk(&database, &["replay", "1", "4711"]);
    assert_eq!(again.status.code(), Some(1));
    for part in ["dead letter 1 is replayed already, by cli:tester", "there is no dead letter 4711"] {
        assert!(text(&again).contains(part), "{}", text(&again));
    }
    let discarded = desk(&database, &["discard", "--note", "a test", "2"]);
    assert_eq!(discarded.status.code(), Some(0), "{}", text(&discarded));
    assert!(text(&desk(&database, &["show", "2"])).contains("note         a test"));
    assert_eq!(text(&desk(&database, &["list"])), "no dead letters\n");
}

async fn a_bulk_asks_for_nothing_in_a_script_and_says_what_would_pass(database: Database) {
    refused(&database, &["broken", "broken too"]).await;
    for wrong in [&["replay"][..], &["discard"], &["replay", "--edit", "x.json", "--all"]] {
        assert_eq!(desk(&database, wrong).status.code(), Some(2), "{wrong:?} must not mean everything");
    }
    let dry = desk(&database, &["replay", "--all", "--dry-run"]);
    assert_eq!(text(&dry), "2 open dead letters match; 0 of the 2 oldest would pass now\n");
    let passing = desk(&database, &["replay", "--all", "--only-passing"]);
    assert_eq!(text(&passing), "0 replayed, 2 would not pass and stay open\n");
    let none = desk(&database, &["replay", "--code", "missing"]);
    assert!(text(&none).starts_with("0 open dead letters match"), "{}", text(&none));
    // No service runs: they wait for the next one.
    let all = desk(&database, &["replay", "--reason", "not_json", "--until", "2200-01-01T00:00:00Z"]);
    assert_eq!(text(&all), "2 replayed\n");
    assert!(text(&desk(&database, &["show", "1"])).contains("became       waits in the inbox"));
    let discarded = desk(&database, &["discard", "--all"]);
    assert!(text(&discarded).starts_with("0 open"), "{}", text(&discarded));
}

async fn what_show_writes_raw_is_the_message_to_the_byte(database: Database) {
    let broken = " {\r\n\t\"order_uid\": \"\u{1b}[31m\u{9b}\", ";
    refused(&database, &[broken, "other"]).await;
    let raw = desk(&database, &["show", "--raw", "1"]);
    assert_eq!((raw.status.code(), &raw.stdout[..]), (Some(0), broken.as_bytes()), "{}", text(&raw));
    for (ids, code, part) in
        [(&["4711"][..], 1, "there is no dead letter 4711"), (&["1", "2"], 2, "give its id, and no other")]
    {
        let refused = desk(&database, &[&["show", "--raw"], ids].concat());
        assert_eq!(
            (refused.status.code(), &refused.stdout[..]),
            (Some(code), &b""[..]),
            "{}",
            text(&refused)
        );
        assert!(text(&refused).contains(part), "{}", text(&refused));
    }
}

async fn what_the_routes_refuse_the_commands_refuse_too(database: Database) {
    let (store, longest) = (database.store().await, "x".repeat(2000));
    // As after a change of the rules: refused then, an order now.
    let rows = recorded(store.as_ref(), &[message(1, 1, &small("sound now", 1))]).await;
    let refusal = Refusal { reason: "not_json", errors: "[]", order_uid: None };
    let refused = Settlement { row: &rows[0], decision: Decision::Reject(refusal) };
    store.settle(&[refused]).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mended.json");
    std::fs::write(&file, small("mended", 1)).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, part) in [
        (&["replay", "--max-message-bytes", "100", "--edit", file, "1"][..], "longer than MAX_MESSAGE_BYTES"),
        (&["discard", "--note", &format!("{longest}x"), "1"], "at most 2000 characters"),
        (&["discard", "--note", "\u{1b}[2J", "1"], "of control characters line breaks and tabs"),
        (&["discard", "--reason", "odd"], "possible values: empty, too_large"),
        (&["list", "--reason", "odd"], "possible values: empty, too_large"),
    ] {
        let refused = desk(&database, arguments);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused));
        assert!(text(&refused).contains(part), "{}", text(&refused));
    }
    // Both commands count by the same rules.
    for command in ["replay", "discard"] {
        for (max_bytes, passing) in [("100", 0), ("256KiB", 1)] {
            let dry = desk(&database, &[command, "--all", "--dry-run", "--max-message-bytes", max_bytes]);
            let expected = format!("1 open dead letters match; {passing} of the 1 oldest would pass now\n");
            assert_eq!(text(&dry), expected, "{command}");
        }
    }
    assert_eq!(desk(&database, &["discard", "--note", &longest, "1"]).status.code(), Some(0));
}
