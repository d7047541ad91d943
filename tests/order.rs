//! What counts as an order, held against messages: our own, one a rule, and the real ones.

use std::{collections::BTreeSet, fs, path::Path};

use orderbox::order::{Diagnosis, Verdict, diagnose, validate};

use crate::support;

const MAX_BYTES: usize = 256 * 1024;

/// What a message must come to.
#[derive(Debug, PartialEq)]
struct Expected {
    verdict: String,
    reason: String,
    /// `pointer:code`
    errors: BTreeSet<String>,
}

impl Expected {
    /// Reads the columns after the file name: verdict, reason, and the errors parted by commas.
    fn from_columns<'c>(mut columns: impl Iterator<Item = &'c str>) -> Self {
        let mut next = || columns.next().unwrap_or_default();
        Self {
            verdict: next().to_owned(),
            reason: next().to_owned(),
            errors: next().split(',').filter(|error| !error.is_empty()).map(str::to_owned).collect(),
        }
    }

    fn from_diagnosis(diagnosis: &Diagnosis<'_>) -> Self {
        match &diagnosis.verdict {
            Verdict::Accept(_) => {
                Self { verdict: "accept".to_owned(), reason: String::new(), errors: BTreeSet::new() }
            }
            Verdict::Reject(rejection) => Self {
                verdict: "reject".to_owned(),
                reason: rejection.reason.to_string(),
                errors: rejection
                    .errors
                    .iter()
                    .map(|error| format!("{}:{}", error.pointer, error.code))
                    .collect(),
            },
        }
    }
}

/// Diagnoses a message and makes sure that the pipeline would say the same.
fn diagnosed<'a>(name: &str, payload: &'a [u8]) -> Diagnosis<'a> {
    let diagnosis = diagnose(payload, MAX_BYTES);
    assert_eq!(validate(payload, MAX_BYTES), diagnosis.verdict, "{name}: check and the pipeline agree");
    diagnosis
}

#[test]
fn real_messages_get_the_verdicts_that_they_must_get() {
    let Some(shared) = support::shared() else { return };
    let wild = shared.join("wild");
    let verdicts = fs::read_to_string(wild.join("VERDICTS.tsv")).unwrap();
    let mut held = 0;
    for line in verdicts.lines().skip(1) {
        let mut columns = line.split('\t');
        let file = columns.next().unwrap();
        let payload = fs::read(wild.join(file)).unwrap();
        let expected = Expected::from_columns(columns);
        assert_eq!(Expected::from_diagnosis(&diagnosed(file, &payload)), expected, "{file}");
        held += 1;
    }
    eprintln!("{held} of {held} real messages got their verdict, reason and errors");
    let files = fs::read_dir(&wild).unwrap().count() - 1;
    assert_eq!(held, files, "every file of wild/ has its line");
    assert!(held >= 108);
}

/// Columns: file, verdict, reason, errors in document order, warnings in document order.
const FIXTURES: &str = include_str!("fixtures/orders/VERDICTS.tsv");

#[test]
fn own_messages_one_a_rule_get_their_verdicts_errors_and_warnings_in_document_order() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/orders");
    let mut named = BTreeSet::from(["VERDICTS.tsv".to_owned()]);
    for line in FIXTURES.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, verdict, reason, errors, warnings] = columns[..] else { panic!("five columns: {line}") };
        let payload = fs::read(folder.join(file)).unwrap();
        let diagnosis = diagnosed(file, &payload);
        let found = Expected::from_diagnosis(&diagnosis);
        assert_eq!((found.verdict.as_str(), found.reason.as_str()), (verdict, reason), "{file}");
        let listed = match &diagnosis.verdict {
            Verdict::Accept(_) => String::new(),
            Verdict::Reject(rejection) => {
                join(rejection.errors.iter().map(|error| format!("{}:{}", error.pointer, error.code)))
            }
        };
        assert_eq!(listed, errors, "{file}");
        let listed = join(diagnosis.warnings.iter().map(|found| format!("{}:{}", found.pointer, found.code)));
        assert_eq!(listed, warnings, "{file}");
        named.insert(file.to_owned());
    }
    let there: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, named, "every fixture has its line");
}

fn join(found: impl Iterator<Item = String>) -> String {
    found.collect::<Vec<_>>().join(",")
}
