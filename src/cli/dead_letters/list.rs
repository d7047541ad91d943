use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{instant, which::Narrow};
use crate::{
    cli::{database, output},
    config::StoreSettings,
    store::{DeadLetterFilter, DeadLetterSummary, Resolution, Store},
    terminal::{printable, printable_json},
};

#[derive(Debug, Args)]
pub(super) struct List {
    /// Replayed and discarded ones too
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    narrow: Narrow,

    /// Only those older than the one with this id: the next page
    #[arg(long, value_name = "ID")]
    before: Option<i64>,

    /// At most so many, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,

    /// One JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreSettings,
}

impl List {
    pub(super) async fn run(self) -> ExitCode {
        match database::open(&self.store) {
            Ok(store) => list(store.as_ref(), &self).await,
            Err(code) => code,
        }
    }
}

/// Prints the dead letters, newest first, without their payloads.
async fn list(store: &dyn Store, options: &List) -> ExitCode {
    let filter = DeadLetterFilter {
        selection: options.narrow.selection(),
        resolution: if options.all { None } else { Some(Resolution::Open) },
        before: options.before,
        limit: options.limit.into(),
    };
    let letters = match store.dead_letters(&filter).await {
        Ok(letters) => letters,
        Err(cause) => return output::failure(format_args!("the store can't be read: {cause}")),
    };
    let text = if options.json { lines(&letters) } else { table(&letters, &filter) };
    output::answer(&text, ExitCode::SUCCESS)
}

const HEAD: [&str; 9] =
    ["id", "rejected_at", "reason", "source", "sequence", "order_uid", "resolution", "errors", "codes"];

/// So many codes tell the cases apart; `show` has all of them.
const CODES: usize = 3;

fn table(letters: &[DeadLetterSummary], filter: &DeadLetterFilter) -> String {
    if letters.is_empty() {
        return "no dead letters\n".to_owned();
    }
    let rows: Vec<Vec<String>> = letters.iter().map(row).collect();
    let mut text = output::table(&HEAD.map(str::to_owned), &rows, HEAD.len());
    if let (Some(last), true) = (letters.last(), letters.len() == filter.limit) {
        text.push_str(&format!("there may be more: --before {}\n", last.id));
    }
    text
}

fn row(letter: &DeadLetterSummary) -> Vec<String> {
    let errors = letter.errors();
    let mut codes: Vec<&str> = errors.iter().take(CODES).map(|error| error.code.as_str()).collect();
    if errors.len() > CODES {
        codes.push("…");
    }
    vec![
        letter.id.to_string(),
        instant(letter.rejected_at),
        printable(&letter.reason),
        letter.source.to_string(),
        letter.sequence.to_string(),
        printable(letter.order_uid.as_deref().unwrap_or("-")),
        letter.resolution.to_string(),
        errors.len().to_string(),
        printable(&codes.join(" ")),
    ]
}

/// Pointers and messages are left out: a pointer quotes keys of the payload, and a message may quote a value where the database
/// has made it.
fn lines(letters: &[DeadLetterSummary]) -> String {
    let line = |letter: &DeadLetterSummary| {
        let codes: Vec<String> = letter.errors().into_iter().map(|error| error.code).collect();
        let object = json!({
            "id": letter.id,
            "rejected_at": instant(letter.rejected_at),
            "received_at": instant(letter.received_at),
            "reason": letter.reason,
            "source": letter.source.as_str(),
            "channel": letter.channel,
            "sequence": letter.sequence,
            "published_at_ns": letter.published_at_ns,
            "message_id": letter.message_id,
            "order_uid": letter.order_uid,
            "bytes": letter.bytes,
            "codes": codes,
            "resolution": letter.resolution.as_str(),
        });
        format!("{}\n", printable_json(&object.to_string()))
    };
    letters.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::{
        store::{Selection, SourceKind},
        terminal::STEERING,
    };

    fn letter(id: i64, order_uid: Option<&str>, errors: &str) -> DeadLetterSummary {
        DeadLetterSummary {
            id,
            message_id: format!("stan:c/orders/{id}@1"),
            source: SourceKind::Stan,
            channel: "orders".to_owned(),
            sequence: id,
            published_at_ns: 1,
            order_uid: order_uid.map(str::to_owned),
            reason: "invalid_fields".to_owned(),
            errors: errors.to_owned(),
            bytes: 17,
            received_at: datetime!(2026-01-02 03:04:05.678 UTC),
            rejected_at: datetime!(2026-01-02 03:04:06.789 UTC),
            resolution: Resolution::Open,
        }
    }

    fn letters() -> Vec<DeadLetterSummary> {
        let error = |code: &str| {
            format!(r#"{{"pointer":"/delivery/phone","code":"{code}","message":"+972 is odd"}}"#)
        };
        let four = format!("[{}]", ["a", "b", "c", "d"].map(error).join(","));
        vec![letter(18, Some("uid\u{1b}[2J"), &four), letter(7, None, &format!("[{}]", error("missing")))]
    }

    fn filter(limit: usize) -> DeadLetterFilter {
        DeadLetterFilter { selection: Selection::default(), resolution: None, before: None, limit }
    }

    #[test]
    fn the_list_shows_what_tells_them_apart_and_how_to_go_on() {
        insta::assert_snapshot!(table(&letters(), &filter(2)));
        assert!(!table(&letters(), &filter(3)).contains("--before"));
        assert_eq!(table(&[], &filter(2)), "no dead letters\n");
    }

    #[test]
    fn neither_form_quotes_the_payload() {
        for text in [table(&letters(), &filter(2)), lines(&letters())] {
            assert!(!text.contains("+972") && !text.contains("phone"), "{text}");
        }
    }

    #[test]
    fn neither_form_steers_the_terminal() {
        let errors = json!([{ "pointer": STEERING, "code": STEERING, "message": STEERING }]).to_string();
        let mut letter = letter(1, Some(STEERING), &errors);
        for text in [&mut letter.message_id, &mut letter.channel, &mut letter.reason] {
            STEERING.clone_into(text);
        }
        for text in [table(&[letter.clone()], &filter(2)), lines(&[letter])] {
            for line in text.lines() {
                assert!(!line.contains(|character| STEERING.contains(character)), "{line:?}");
            }
        }
    }

    #[test]
    fn a_line_is_one_json_object() {
        let text = lines(&letters());
        let objects: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(objects.len(), 2);
        assert_eq!(objects[0]["codes"], json!(["a", "b", "c", "d"]));
        assert_eq!(objects[1]["order_uid"], json!(null));
        assert_eq!(objects[1]["rejected_at"], "2026-01-02T03:04:06Z");
    }

    #[test]
    fn errors_that_can_not_be_read_do_not_stop_the_list() {
        assert!(table(&[letter(1, None, "{")], &filter(2)).contains("unreadable"));
    }
}
