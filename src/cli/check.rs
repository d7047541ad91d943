//! `orderbox check`: says what each message is, and writes nothing.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
    process::ExitCode,
};

use clap::Args;

use super::lines::{self, Line, Lines};
use crate::{
    config::{ByteSize, DEFAULT_MAX_MESSAGE_BYTES},
    order::{Report, diagnose},
    terminal::{printable, printable_json},
};

pub(crate) const ABOUT: &str = "\
Tell what each message would become; writes nothing

One JSON line a message: the verdict, the reason, every error with a JSON Pointer and a code, and every warning.
Exit code 0: all are orders; 1: something is rejected; 2: a file can't be read.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  orderbox check order.json orders.ndjson
  curl -s 'http://127.0.0.1:8080/order/b563feb7b2b84b6test' | orderbox check -";

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct CheckCommand {
    /// A file is one message; one that ends in .ndjson or .jsonl holds a message a line; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,

    /// The largest message that can be an order
    #[arg(id = "MAX_MESSAGE_BYTES", long = "max-message-bytes", env = "MAX_MESSAGE_BYTES", default_value = DEFAULT_MAX_MESSAGE_BYTES)]
    max_message_bytes: ByteSize,
}

impl CheckCommand {
    pub(crate) fn run(&self) -> ExitCode {
        run(&self.files, self.max_message_bytes.as_usize())
    }
}

/// Everything was an order.
const ALL_ACCEPTED: u8 = 0;
/// Something was rejected.
const SOME_REJECTED: u8 = 1;
/// A file could not be read, or a report not be written.
const NOT_CHECKED: u8 = 2;

/// Prints one report a message, each a JSON line, to standard output; `max_bytes` is the most that a message may have.
///
/// A file is one message, its bytes taken as they are. A file that ends in `.ndjson` or `.jsonl` holds a message a line: the
/// report keeps the argument as `file` and has the line's number, from 1, as `line`; lines of white space are no messages.
/// `-` is standard input, one message. No more than `max_bytes` of a message are held, however long it is.
///
/// The exit code is 0 when all were accepted, 1 when any was rejected, and 2 when a file could not be read: standard error
/// says which and why, and the others are checked all the same. A reader that went away is no error.
fn run(files: &[String], max_bytes: usize) -> ExitCode {
    let mut check = Check {
        stdin: io::stdin().lock(),
        out: io::BufWriter::new(io::stdout().lock()),
        complaints: io::stderr().lock(),
        max_bytes,
        code: ALL_ACCEPTED,
    };
    ExitCode::from(check.all(files))
}

/// One run of the command, with all that it touches.
struct Check<In, Out, Err> {
    stdin: In,
    out: Out,
    complaints: Err,
    max_bytes: usize,
    /// The worst so far.
    code: u8,
}

/// Why a file was left.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("cannot read: {0}")]
    Read(io::Error),
    #[error("cannot write the report: {0}")]
    Write(io::Error),
}

impl<In: Read, Out: Write, Err: Write> Check<In, Out, Err> {
    fn all(&mut self, files: &[String]) -> u8 {
        for file in files {
            let done = self.file(file).and_then(|()| self.out.flush().map_err(Stop::Write));
            match done {
                Ok(()) => {}
                Err(Stop::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(stop) => {
                    self.code = NOT_CHECKED;
                    // With standard error gone there is nobody left to tell; the exit code still says it.
                    drop(writeln!(self.complaints, "orderbox check: {}: {stop}", printable(file)));
                    if let Stop::Write(_) = stop {
                        break;
                    }
                }
            }
        }
        self.code
    }

    fn file(&mut self, file: &str) -> Result<(), Stop> {
        if file == "-" {
            let payload = lines::whole(&mut self.stdin, self.max_bytes).map_err(Stop::Read)?;
            return self.report(file, None, &payload);
        }
        let reader = File::open(file).map_err(Stop::Read)?;
        if !lines::hold_messages(Path::new(file)) {
            let payload = lines::whole(reader, self.max_bytes).map_err(Stop::Read)?;
            return self.report(file, None, &payload);
        }
        for line in Lines::new(BufReader::new(reader), self.max_bytes) {
            let Line { number, message } = line.map_err(Stop::Read)?;
            self.report(file, Some(number), &message)?;
        }
        Ok(())
    }

    fn report(&mut self, file: &str, line: Option<u64>, payload: &[u8]) -> Result<(), Stop> {
        let diagnosis = diagnose(payload, self.max_bytes);
        let report = Report::new(file, line, &diagnosis);
        if !report.accepted() {
            self.code = self.code.max(SOME_REJECTED);
        }
        let line = serde_json::to_string(&report).map_err(|error| Stop::Write(error.into()))?;
        writeln!(self.out, "{}", printable_json(&line)).map_err(Stop::Write)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;

    const SOUND: &str = r#"{"order_uid":"u","track_number":"t","delivery":{},"payment":{},"items":[]}"#;
    const MAX_BYTES: usize = 200;

    struct Done {
        code: u8,
        reports: Vec<Value>,
        complaints: String,
    }

    fn check(files: &[String], stdin: impl Read) -> Done {
        let (mut out, mut complaints) = (Vec::new(), Vec::new());
        let code = Check {
            stdin,
            out: &mut out,
            complaints: &mut complaints,
            max_bytes: MAX_BYTES,
            code: ALL_ACCEPTED,
        }
        .all(files);
        let reports = serde_json::Deserializer::from_slice(&out).into_iter().collect::<Result<_, _>>();
        let complaints = String::from_utf8(complaints).expect("UTF-8");
        Done { code, reports: reports.expect("a JSON line each"), complaints }
    }

    fn file(folder: &TempDir, name: &str, content: &str) -> String {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("write a file");
        path.into_os_string().into_string().expect("a path in UTF-8")
    }

    fn folder() -> TempDir {
        tempfile::tempdir().expect("a temporary folder")
    }

    #[test]
    fn a_report_says_the_file_as_given_and_the_verdict() {
        let folder = folder();
        let sound = file(&folder, "sound.json", &format!("{SOUND}\n"));
        let done = check(std::slice::from_ref(&sound), io::empty());
        assert_eq!(done.code, ALL_ACCEPTED);
        let report = &done.reports[0];
        assert_eq!(
            (&report["file"], &report["verdict"], &report["reason"]),
            (&json!(sound), &json!("accept"), &json!(null))
        );
        assert_eq!(report["errors"], json!([]));
        let warning =
            json!({"pointer": "/items", "code": "empty_items", "message": "the order has no items"});
        assert!(
            report["warnings"].as_array().is_some_and(|warnings| warnings.contains(&warning)),
            "{report}"
        );
        let keys: Vec<_> = report.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, ["errors", "file", "reason", "verdict", "warnings"]);
    }

    #[test]
    fn a_rejected_message_makes_the_exit_code_1_and_lists_its_errors() {
        let folder = folder();
        let files =
            [file(&folder, "a.json", SOUND), file(&folder, "b.json", "{}"), file(&folder, "c.json", "")];
        let done = check(&files, io::empty());
        assert_eq!(done.code, SOME_REJECTED);
        let reasons: Vec<_> = done.reports.iter().map(|report| &report["reason"]).collect();
        assert_eq!(reasons, [&json!(null), &json!("invalid_fields"), &json!("empty")]);
        let error = &done.reports[1]["errors"][0];
        assert_eq!((&error["pointer"], &error["code"]), (&json!("/order_uid"), &json!("missing")));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_the_others_are_checked() {
        let folder = folder();
        let missing = folder.path().join("missing.json").display().to_string();
        let itself = folder.path().display().to_string();
        let files =
            [missing.clone(), file(&folder, "b.json", "{}"), itself.clone(), file(&folder, "c.json", SOUND)];
        let done = check(&files, io::empty());
        assert_eq!((done.code, done.reports.len()), (NOT_CHECKED, 2));
        let complaints: Vec<_> = done.complaints.lines().collect();
        assert_eq!(complaints.len(), 2);
        assert!(
            complaints[0].starts_with(&format!("orderbox check: {missing}: cannot read: ")),
            "{complaints:?}"
        );
        assert!(
            complaints[1].starts_with(&format!("orderbox check: {itself}: cannot read: ")),
            "{complaints:?}"
        );
    }

    #[test]
    fn standard_input_is_one_message() {
        let done = check(&["-".to_owned()], format!("{SOUND}\n{SOUND}").as_bytes());
        assert_eq!((done.code, done.reports.len()), (SOME_REJECTED, 1));
        assert_eq!((&done.reports[0]["file"], &done.reports[0]["reason"]), (&json!("-"), &json!("not_json")));
    }

    #[test]
    fn an_endless_message_is_too_large() {
        let done = check(&["-".to_owned()], io::repeat(b' '));
        assert_eq!(done.reports[0]["reason"], json!("too_large"));
    }

    #[test]
    fn a_file_of_lines_holds_a_message_a_line() {
        let folder = folder();
        let content = format!("{SOUND}\r\n\n{{}}\n{}\n \t\n{SOUND}", "x".repeat(100_000));
        for name in ["a.ndjson", "a.jsonl"] {
            let done = check(&[file(&folder, name, &content)], io::empty());
            let found: Vec<_> =
                done.reports.iter().map(|report| (&report["line"], &report["reason"])).collect();
            let expected = [
                (&json!(1), &json!(null)),
                (&json!(3), &json!("invalid_fields")),
                (&json!(4), &json!("too_large")),
                (&json!(6), &json!(null)),
            ];
            assert_eq!(found, expected);
            assert_eq!(done.code, SOME_REJECTED);
        }
    }

    #[test]
    fn a_line_may_have_as_many_bytes_as_a_message() {
        let longest = format!("{SOUND}{}", " ".repeat(MAX_BYTES - SOUND.len()));
        let folder = folder();
        let done =
            check(&[file(&folder, "a.ndjson", &format!("{longest}\n{longest} \n{longest}"))], io::empty());
        let reasons: Vec<_> = done.reports.iter().map(|report| &report["reason"]).collect();
        assert_eq!(reasons, [&json!(null), &json!("too_large"), &json!(null)]);
    }

    /// A pipe that nobody reads any more, or a disk that is full.
    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn check_into(out: impl Write) -> (u8, String) {
        let folder = folder();
        let files = [file(&folder, "a.json", SOUND), file(&folder, "b.json", SOUND)];
        let mut complaints = Vec::new();
        let mut check = Check {
            stdin: io::empty(),
            out,
            complaints: &mut complaints,
            max_bytes: MAX_BYTES,
            code: ALL_ACCEPTED,
        };
        let code = check.all(&files);
        (code, String::from_utf8(complaints).expect("UTF-8"))
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        assert_eq!(check_into(Broken(io::ErrorKind::BrokenPipe)), (ALL_ACCEPTED, String::new()));
        assert_eq!(
            check_into(io::BufWriter::new(Broken(io::ErrorKind::BrokenPipe))),
            (ALL_ACCEPTED, String::new())
        );
    }

    #[test]
    fn a_report_that_cannot_be_written_is_an_error_said_once() {
        let (code, complaints) = check_into(Broken(io::ErrorKind::StorageFull));
        assert_eq!((code, complaints.lines().count()), (NOT_CHECKED, 1));
        assert!(complaints.contains("cannot write the report"), "{complaints}");
    }
}
