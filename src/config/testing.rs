//! How the tests of the settings parse and judge a command line.

use clap::{Args, Command, FromArgMatches};

use super::{Finding, Settings};

/// The command without its environment: a test must not depend on the shell that runs it.
fn command() -> Command {
    Settings::augment_args(Command::new("serve")).mut_args(|arg| arg.env(None::<&'static str>))
}

fn parse(args: &[&str]) -> Result<Settings, clap::Error> {
    let matches = command().try_get_matches_from(std::iter::once(&"serve").chain(args))?;
    Settings::from_arg_matches(&matches)
}

pub(crate) fn settings(args: &[&str]) -> Settings {
    parse(args).unwrap_or_else(|error| panic!("{args:?} is refused: {error}"))
}

/// What the parser says about arguments that it must refuse.
pub(crate) fn refused(args: &[&str]) -> String {
    parse(args).expect_err("must be refused").to_string()
}

pub(crate) fn errors(args: &[&str]) -> Vec<String> {
    settings(args).check().errors.iter().map(Finding::to_string).collect()
}

fn warnings(args: &[&str]) -> Vec<String> {
    settings(args).check().warnings.iter().map(Finding::to_string).collect()
}

#[track_caller]
pub(crate) fn expect_error(args: &[&str], part: &str) {
    let errors = errors(args);
    assert!(errors.iter().any(|error| error.contains(part)), "{args:?}: no error says {part:?}: {errors:?}");
}

#[track_caller]
pub(crate) fn expect_warning(args: &[&str], part: &str) {
    let warnings = warnings(args);
    assert!(
        warnings.iter().any(|text| text.contains(part)),
        "{args:?}: no warning says {part:?}: {warnings:?}"
    );
    assert_eq!(errors(args), [""; 0], "{args:?}");
}

#[track_caller]
pub(crate) fn expect_fine(args: &[&str]) {
    let findings = settings(args).check();
    let said: Vec<String> =
        findings.errors.iter().chain(&findings.warnings).map(Finding::to_string).collect();
    assert_eq!(said, [""; 0], "{args:?}");
}
