//! Every expression that somebody looks at or is woken by: those of the dashboards, and those of the rules.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::promql;
use crate::support::prometheus::Rule;

/// An expression as it is asked.
#[derive(Debug)]
pub(crate) struct Expression {
    /// Where it stands, as `may_be_empty.tsv` says it.
    pub(crate) place: String,
    pub(crate) text: String,
    /// The labels that its legend names.
    pub(crate) legend: Vec<String>,
}

/// A file or folder of this project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The content of a file of this project.
pub(crate) fn read(path: &str) -> String {
    let path = project(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The dashboards by the names of their files.
pub(crate) fn dashboards() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(project("grafana/dashboards")).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    let dashboard = |file: String| {
        let text = read(&format!("grafana/dashboards/{file}"));
        let json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        (file, json)
    };
    files.into_iter().map(dashboard).collect()
}

/// The panels of a dashboard that draw something.
pub(crate) fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = dashboard["panels"].as_array().expect("a dashboard has panels");
    panels.iter().filter(|panel| panel["type"] != "row")
}

/// What the dashboards ask for their panels, annotations and variables; `interval` takes the place of `$__rate_interval`.
pub(crate) fn of_dashboards(interval: &str) -> Vec<Expression> {
    let mut found = Vec::new();
    for (file, dashboard) in dashboards() {
        let mut add = |what: &str, text: &str, legend: &str| {
            let text = text.replace("$__rate_interval", interval).replace("$instance", ".+");
            assert!(!text.contains('$'), "{file}, {what}: nothing is known to put in place: {text}");
            found.push(Expression { place: format!("{file}: {what}"), text, legend: labels(legend) });
        };
        for panel in panels(&dashboard) {
            for target in list(&panel["targets"]) {
                let what = format!("{}, {}", string(&panel["title"]), string(&target["refId"]));
                add(&what, string(&target["expr"]), string(&target["legendFormat"]));
            }
        }
        for annotation in list(&dashboard["annotations"]["list"]) {
            let what = format!("annotation {}", string(&annotation["name"]));
            add(&what, string(&annotation["target"]["expr"]), string(&annotation["textFormat"]));
        }
        for variable in list(&dashboard["templating"]["list"]) {
            if variable["type"] == "query" {
                let query = string(&variable["query"]["query"]);
                let call = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
                let (metric, label) =
                    call.and_then(|call| call.rsplit_once(", ")).expect("label_values(…, …)");
                add(
                    &format!("variable {}", string(&variable["name"])),
                    &format!("group by ({label}) ({metric})"),
                    &format!("{{{{{label}}}}}"),
                );
            }
        }
    }
    found
}

/// What the rules ask: all of a rule that records, and of an alert what it compares.
pub(crate) fn of_rules(rules: &[Rule]) -> Vec<Expression> {
    let mut found = BTreeMap::new();
    for rule in rules {
        if rule.alerts {
            let whole = promql::parse(&rule.expression);
            let operands = promql::operands(&whole);
            assert!(!operands.is_empty(), "{} compares nothing", rule.name);
            let texts = operands.into_iter().map(ToString::to_string);
            found.extend(texts.map(|text| (format!("{}: {text}", rule.name), text)));
        } else {
            found.insert(rule.name.clone(), rule.expression.clone());
        }
    }
    found.into_iter().map(|(place, text)| Expression { place, text, legend: Vec::new() }).collect()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The labels in a legend such as `{{route}} {{status}}`.
fn labels(legend: &str) -> Vec<String> {
    let names = legend.split("{{").skip(1).map(|rest| rest.split_once("}}").expect("a closed {{").0);
    names.map(|name| name.trim().to_owned()).collect()
}
