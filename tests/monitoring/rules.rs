//! The rules as files: promtool tries them, and what it does not ask of an alert is asked here.

use std::{collections::BTreeSet, path::PathBuf, process::Command};

use yaml_rust2::{Yaml, YamlLoader};

use super::expressions::{project, read};
use crate::support::program;

/// Where an alert's runbook is; its section follows.
const RUNBOOK_URL: &str = "https://github.com/orderbox/orderbox/blob/main/docs/RUNBOOK.md#";
/// At once, or within days.
const SEVERITIES: [&str; 2] = ["page", "ticket"];

#[test]
fn prometheus_can_read_its_configuration_and_its_rules() {
    promtool(&["check", "config", "--lint-fatal"], &[project("prometheus/prometheus.yml")]);
    promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &files("rules"));
}

#[test]
fn every_rule_passes_its_tests() {
    // One process a file: promtool itself takes one file after another.
    std::thread::scope(|threads| {
        for file in files("tests") {
            threads.spawn(|| promtool(&["test", "rules"], &[file]));
        }
    });
}

#[test]
fn an_alert_says_how_urgent_it_is_what_happened_and_where_it_is_explained() {
    for alert in rules("alert") {
        let name = string(&alert["alert"]);
        assert_eq!(keys(&alert["labels"]), ["severity"], "{name}");
        assert!(SEVERITIES.contains(&string(&alert["labels"]["severity"])), "{name}");
        assert!(!string(&alert["for"]).is_empty(), "{name}: how long must it hold?");
        assert_eq!(keys(&alert["annotations"]), ["summary", "description", "runbook_url"], "{name}");
        for text in ["summary", "description"].map(|key| string(&alert["annotations"][key])) {
            assert!(text.ends_with('.') && text.contains(' '), "{name}: no sentence: {text}");
        }
        assert!(string(&alert["annotations"]["summary"]).len() <= 100, "{name}: too long for a pager");
        let url = string(&alert["annotations"]["runbook_url"]);
        assert_eq!(url.strip_prefix(RUNBOOK_URL), Some(&*name.to_lowercase()), "{name}");
    }
}

#[test]
fn every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() {
    let runbook = read("docs/RUNBOOK.md");
    // The head of the runbook has sections of the second level.
    let sections: Vec<_> = runbook.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts: BTreeSet<_> = rules("alert").iter().map(|alert| string(&alert["alert"]).to_owned()).collect();
    assert_eq!(sections.len(), alerts.len(), "a section too many: {sections:?}");
    assert_eq!(sections.iter().map(|section| (*section).to_owned()).collect::<BTreeSet<_>>(), alerts);
}

#[test]
fn every_alert_is_tried_with_what_fires_it_and_with_what_does_not() {
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for case in cases("alert_rule_test") {
        let alert = string(&case["alertname"]).to_owned();
        // An absent list would be an empty one too, but nobody could see that it is meant.
        match list(&case["exp_alerts"]) {
            [] => silent.insert(alert),
            _ => fires.insert(alert),
        };
    }
    let alerts: BTreeSet<_> = rules("alert").iter().map(|alert| string(&alert["alert"]).to_owned()).collect();
    assert_eq!(fires, alerts, "those that fire in a test, and all");
    assert_eq!(silent, alerts, "those that stay silent in a test, and all");
}

#[test]
fn every_recording_rule_says_its_level_metric_and_operations_is_tried_and_is_read() {
    let tried: Vec<_> =
        cases("promql_expr_test").iter().map(|case| string(&case["expr"]).to_owned()).collect();
    let read: Vec<_> = rules("alert").iter().map(|alert| string(&alert["expr"]).to_owned()).collect();
    for record in rules("record") {
        let name = string(&record["record"]);
        assert_eq!(name.split(':').count(), 3, "{name}: not level:metric:operations");
        assert!(tried.iter().any(|expression| mentions(expression, name)), "{name} has no test");
        assert!(read.iter().any(|expression| mentions(expression, name)), "no alert reads {name}");
    }
}

/// Whether an expression contains this name, and not only a longer one.
fn mentions(expression: &str, name: &str) -> bool {
    let more = |after: char| after.is_alphanumeric() || "_:".contains(after);
    expression.split(name).skip(1).any(|rest| !rest.starts_with(more))
}

/// Runs promtool, which has to be content.
fn promtool(arguments: &[&str], files: &[PathBuf]) {
    let Some(promtool) = program("promtool", &[]) else { return };
    let output = Command::new(promtool).args(arguments).args(files).output().unwrap();
    assert!(
        output.status.success(),
        "promtool {}:\n{}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Every rule of a kind, `alert` or `record`.
fn rules(kind: &str) -> Vec<Yaml> {
    let groups = documents("rules").into_iter().flat_map(|document| list(&document["groups"]).to_vec());
    let rules = groups.flat_map(|group| list(&group["rules"]).to_vec());
    let found: Vec<_> = rules.filter(|rule| !rule[kind].is_badvalue()).collect();
    assert!(!found.is_empty(), "no rule is a {kind}");
    found
}

/// Every case of a kind of promtool's tests.
fn cases(kind: &str) -> Vec<Yaml> {
    let tests = documents("tests").into_iter().flat_map(|document| list(&document["tests"]).to_vec());
    tests.filter(|test| !test[kind].is_badvalue()).flat_map(|test| list(&test[kind]).to_vec()).collect()
}

/// The YAML files of a folder in `prometheus/`.
fn documents(folder: &str) -> Vec<Yaml> {
    let document = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).unwrap();
        YamlLoader::load_from_str(&text).unwrap().remove(0)
    };
    files(folder).iter().map(document).collect()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project("prometheus").join(folder)).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[track_caller]
fn list(yaml: &Yaml) -> &[Yaml] {
    yaml.as_vec().expect("a list")
}

#[track_caller]
fn string(yaml: &Yaml) -> &str {
    yaml.as_str().expect("a text")
}

#[track_caller]
fn keys(yaml: &Yaml) -> Vec<&str> {
    yaml.as_hash().expect("a mapping").keys().map(string).collect()
}
