use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use clap::Args;
use time::OffsetDateTime;

use super::{complain_of_none, instant, payload};
use crate::{
    cli::{database, output},
    config::StoreSettings,
    store::{DeadLetter, Replay, ReplayState, Store, StoreError},
    terminal::printable,
};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Ids, as `list` shows them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<i64>,

    /// Of the one dead letter the bytes of its message, and nothing else
    #[arg(long)]
    raw: bool,

    #[command(flatten)]
    store: StoreSettings,
}

impl Show {
    pub(super) async fn run(self) -> ExitCode {
        let store = match database::open(&self.store) {
            Ok(store) => store,
            Err(code) => return code,
        };
        match self.ids[..] {
            [id] if self.raw => write(store.as_ref(), id).await,
            _ if self.raw => output::failure("--raw writes one dead letter: give its id, and no other"),
            _ => show(store.as_ref(), &self.ids).await,
        }
    }
}

/// Writes the message as it came: exit 1 when there is no such dead letter.
async fn write(store: &dyn Store, id: i64) -> ExitCode {
    if io::stdout().is_terminal() {
        return output::failure(
            "--raw writes bytes that may steer a terminal: send them to a file, as in > mended.json",
        );
    }
    match store.dead_letter(id, usize::MAX).await {
        Ok(Some(letter)) => output::answer(&letter.payload, ExitCode::SUCCESS),
        Ok(None) => {
            complain_of_none(id);
            ExitCode::FAILURE
        }
        Err(cause) => unread(&cause),
    }
}

fn unread(cause: &StoreError) -> ExitCode {
    output::failure(format_args!("the store can't be read: {cause}"))
}

/// Prints everything about each dead letter: exit 1 when one of them does not exist.
async fn show(store: &dyn Store, ids: &[i64]) -> ExitCode {
    let mut text = String::new();
    let mut missing = Vec::new();
    for id in ids {
        let (letter, lineage) = tokio::join!(store.dead_letter(*id, usize::MAX), store.lineage(*id));
        let found = letter.and_then(|letter| Ok(letter.zip(lineage?)));
        match found {
            Ok(Some((letter, lineage))) => {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&described(&letter, lineage.replay.as_ref()));
            }
            Ok(None) => missing.push(*id),
            Err(cause) => return unread(&cause),
        }
    }
    missing.iter().copied().for_each(complain_of_none);
    output::answer(&text, if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn described(letter: &DeadLetter, replay: Option<&Replay>) -> String {
    let summary = &letter.summary;
    let mut text = format!("dead letter {} ({})\n", summary.id, summary.resolution);
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("  {name:<12} {}\n", printable(&value)));
        }
    };
    line("message_id", Some(summary.message_id.clone()));
    line(
        "source",
        Some(format!("{}, channel {}, sequence {}", summary.source, summary.channel, summary.sequence)),
    );
    line("published_at", published(summary.published_at_ns));
    line("received_at", Some(instant(summary.received_at)));
    line("rejected_at", Some(instant(summary.rejected_at)));
    line("order_uid", summary.order_uid.clone());
    line("reason", Some(summary.reason.clone()));
    line("detail", letter.detail());
    line("resolved_at", letter.resolved_at.map(instant));
    line("resolved_by", letter.resolved_by.clone());
    line("note", letter.note.clone());
    line("replay of", letter.parent_id.map(|id| format!("dead letter {id}")));
    line("became", replay.map(became));
    let errors = summary.errors();
    if !errors.is_empty() {
        text.push_str(&format!(
            "  {} {}\n",
            errors.len(),
            if errors.len() == 1 { "error" } else { "errors" }
        ));
    }
    for error in &errors {
        let pointer = if error.pointer.is_empty() { "(the message)" } else { &error.pointer };
        text.push_str(&format!(
            "    {}  {}  {}\n",
            printable(pointer),
            printable(&error.code),
            printable(&error.message)
        ));
    }
    payload::append(&mut text, &letter.payload);
    text
}

/// What the replay of a dead letter became.
fn became(replay: &Replay) -> String {
    let edited = if replay.edited == Some(true) { "edited, " } else { "" };
    let state = match &replay.state {
        ReplayState::Pending => "waits in the inbox until a service settles it".to_owned(),
        ReplayState::Order(uid) => format!("order {uid}"),
        ReplayState::History(uid) => format!("a former document of order {uid}"),
        ReplayState::DeadLetter(id) => format!("dead letter {id}"),
        ReplayState::Unchanged => "nothing: the order said the same already".to_owned(),
    };
    format!("{edited}{state}")
}

/// `None` for the sample order, which nobody published.
fn published(nanoseconds: i64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.into()).ok()?;
    (nanoseconds != 0).then(|| format!("{} ({nanoseconds} ns)", instant(at)))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::{
        store::{DeadLetterSummary, Resolution, SourceKind},
        terminal::STEERING,
    };

    fn letter(payload: &'static [u8]) -> DeadLetter {
        DeadLetter {
            summary: DeadLetterSummary {
                id: 17,
                message_id: "stan:test-cluster/orders/4@1767323045000000007".to_owned(),
                source: SourceKind::Stan,
                channel: "orders".to_owned(),
                sequence: 4,
                published_at_ns: 1_767_323_045_000_000_007,
                order_uid: Some("uid".to_owned()),
                reason: "invalid_fields".to_owned(),
                errors: r#"[{"pointer":"/payment/amount","code":"wrong_type","message":"must be an integer, is \u001b[31m"},
                            {"pointer":"","code":"duplicate_key","message":"twice"}]"#
                    .to_owned(),
                bytes: payload.len(),
                received_at: datetime!(2026-01-02 03:04:05.678 UTC),
                rejected_at: datetime!(2026-01-02 03:04:06.789 UTC),
                resolution: Resolution::Discarded,
            },
            payload: Bytes::from_static(payload),
            resolved_at: Some(datetime!(2026-01-03 00:00 UTC)),
            resolved_by: Some("ops".to_owned()),
            note: Some("a test\u{1b}]0;x\u{7}".to_owned()),
            parent_id: Some(3),
        }
    }

    #[test]
    fn where_a_syntax_error_is_is_found_again_in_the_bytes() {
        let mut letter = letter(b"{\"order_uid\": nothing}");
        letter.summary.reason = "not_json".to_owned();
        letter.summary.errors = "[]".to_owned();
        let text = described(&letter, None);
        assert!(text.contains("detail") && text.contains("column 16"), "{text}");
        assert!(!text.contains("0 errors"), "{text}");
    }

    #[test]
    fn everything_that_is_known_is_shown() {
        insta::assert_snapshot!(described(
            &letter(b"{\"order_uid\":\"uid\",\n\"payment\":{\"amount\":\"\x1b[31m\"}}"),
            None
        ));
    }

    #[test]
    fn nothing_of_a_dead_letter_steers_the_terminal() {
        let mut letter = letter(b"");
        let summary = &mut letter.summary;
        for text in [&mut summary.message_id, &mut summary.channel, &mut summary.reason] {
            STEERING.clone_into(text);
        }
        summary.errors = json!([{ "pointer": STEERING, "code": STEERING, "message": STEERING }]).to_string();
        summary.order_uid = Some(STEERING.to_owned());
        letter.resolved_by = Some(STEERING.to_owned());
        letter.note = Some(STEERING.to_owned());
        for payload in [Bytes::from_static(STEERING.as_bytes()), Bytes::from_static(b"\x1b[2J\x9b\xff")] {
            letter.payload = payload;
            for line in described(&letter, None).lines() {
                assert!(!line.contains(|character| STEERING.contains(character)), "{line:?}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let mut letter = letter(b"");
        letter.summary.published_at_ns = 0;
        letter.note = None;
        letter.parent_id = None;
        let text = described(&letter, None);
        for name in ["published_at", "note", "replay of"] {
            assert!(!text.contains(name), "{text}");
        }
    }
}
