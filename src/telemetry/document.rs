//! docs/METRICS.md, printed from the table.

use std::{fmt::Write, path::Path};

use super::{Kind, METRICS, Metric, Presence, Route, Topic, names};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/METRICS.md");

const HEAD: &str = "\
# Metrics

<!-- Printed from src/telemetry/names.rs by a test. Change the table there; `cargo test --lib docs_metrics` then writes this file. -->

`GET /metrics` prints these in the Prometheus text format. This page is printed from the one table that the service itself is
set up from ([src/telemetry/names.rs](../src/telemetry/names.rs)): a test fails until both say the same.

How names and labels are made:

- Everything of orderbox begins with `orderbox_`; `process_…` are the names that every Prometheus client library uses.
- Base units, and the unit ends the name: `_seconds`, `_bytes`. What only grows ends in `_total`.
- A label takes a closed set of values, all listed here, and every series begins at 0: a rate over the first event is not lost,
  and no request or message can add a series.
- What could not be read for a scrape is absent from it; \"Absent\" says when that is. The store's figures are at most a second old.
- Histograms are classic ones: `_bucket`, `_sum` and `_count`.
";

/// A promise about a metric that stands on an edge of its buckets, so that it can be counted exactly.
struct Objective {
    promise: &'static str,
    metric: &'static str,
    edge: f64,
}

const OBJECTIVES: [Objective; 4] = [
    Objective {
        promise: "99.9 % of reads are answered within 10 ms, over 30 days (and 99.9 % without a 5xx)",
        metric: names::HTTP_REQUEST_DURATION,
        edge: 0.01,
    },
    Objective {
        promise: "99 % of orders can be read within 1 s of their publication",
        metric: names::PUBLISH_TO_VISIBLE,
        edge: 1.0,
    },
    Objective { promise: "99 % of commits take at most 250 ms", metric: names::COMMIT_DURATION, edge: 0.25 },
    Objective {
        promise: "no ack comes too late: none is counted up to this edge",
        metric: names::ACK_HEADROOM,
        edge: 0.0,
    },
];

fn title(topic: Topic) -> &'static str {
    match topic {
        Topic::Pipeline => "The pipeline: from a source to the ack",
        Topic::Stan => "NATS Streaming",
        Topic::JetStream => "JetStream",
        Topic::Broker => "NATS Streaming and JetStream",
        Topic::Broken => "Messages that are broken or odd",
        Topic::Store => "The store",
        Topic::Reads => "HTTP",
        Topic::Cache => "The cache",
        Topic::Process => "The process",
    }
}

/// The whole file.
fn document() -> String {
    let mut text = HEAD.to_owned();
    text.push_str(
        "\nWhat is promised, and the bucket edge that counts it:\n\n| objective | counted by |\n|---|---|\n",
    );
    for Objective { promise, metric, edge } in &OBJECTIVES {
        line(&mut text, format_args!("| {promise} | `{metric}_bucket{{le=\"{edge}\"}}` |"));
    }
    let mut topic = None;
    for metric in METRICS {
        if topic.replace(metric.topic) != Some(metric.topic) {
            line(&mut text, format_args!("\n## {}\n", title(metric.topic)));
            text.push_str("| name | kind | unit | labels | meaning |\n|---|---|---|---|---|\n");
        }
        row(&mut text, metric);
    }
    text.push_str(
        "\n## Statuses of each route\n\nA status that is not listed for a route is counted as `other`.\n\n",
    );
    text.push_str("| route | statuses |\n|---|---|\n");
    for route in Route::ALL {
        line(&mut text, format_args!("| `{}` | {} |", route.as_str(), route.statuses().join(" ")));
    }
    text.push_str("\n## Buckets\n\nThe upper edges; `+Inf` follows each.\n\n| name | edges |\n|---|---|\n");
    for metric in METRICS {
        if let Kind::Histogram(edges) = metric.kind {
            let edges: Vec<_> = edges.iter().map(f64::to_string).collect();
            line(&mut text, format_args!("| `{}` | {} |", metric.name, edges.join(" ")));
        }
    }
    text
}

fn row(text: &mut String, metric: &Metric) {
    let kind = metric.kind.as_str();
    let unit = metric.unit.map_or("", |unit| match unit {
        metrics::Unit::Count => "rows",
        unit => unit.as_str(),
    });
    let labels: Vec<_> = metric
        .labels
        .iter()
        .map(|label| match label.key {
            // Too many to repeat, or another one with each release.
            "status" => "`status`: see below".to_owned(),
            "version" => "`version`".to_owned(),
            key => format!("`{key}`: {}", (label.values)().join(", ")),
        })
        .collect();
    let absent = match metric.presence {
        Presence::Always => String::new(),
        Presence::WithStan => " Absent without STAN_URL.".to_owned(),
        Presence::WithJetStream => " Absent without JETSTREAM_URL.".to_owned(),
        Presence::WithBroker => " Absent without STAN_URL and JETSTREAM_URL.".to_owned(),
        Presence::WhenRead => absent(metric.name).map(|when| format!(" Absent {when}.")).unwrap_or_default(),
    };
    let Metric { name, help, .. } = metric;
    let help = help.replace('|', "\\|");
    line(text, format_args!("| `{name}` | {kind} | {unit} | {} | {help}{absent} |", labels.join("; ")));
}

/// When a metric that is read for each scrape is not there.
fn absent(name: &str) -> Option<&'static str> {
    match name {
        names::STAN_LAST_SEQUENCE => Some("without STAN_URL, and while it is not known"),
        names::SOURCE_LAG => Some("for a source that is not configured, and while either side is not known"),
        names::POOL_CONNECTIONS => None,
        names::DEAD_LETTERS => Some("while the store does not answer, or takes more than 2 s to count them"),
        names::AVAILABLE_BYTES => Some("while the store does not answer, and with PostgreSQL"),
        _ if name.starts_with("process_") => Some("where the system does not say (it does on Linux)"),
        _ => Some("while the store does not answer"),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a String takes everything");
}

#[test]
fn docs_metrics_is_what_the_table_says() {
    let document = document();
    let found = std::fs::read_to_string(FILE).unwrap_or_default();
    if found != document {
        if std::env::var_os("CI").is_none() {
            std::fs::write(Path::new(FILE), document).expect("write docs/METRICS.md");
        }
        panic!(
            "docs/METRICS.md did not say what src/telemetry/names.rs says. Outside CI this test has just written it anew: look at the change and commit it"
        );
    }
}

#[test]
fn each_objective_has_an_edge_of_its_histogram() {
    for Objective { metric, edge, .. } in &OBJECTIVES {
        let row = METRICS.iter().find(|row| row.name == *metric).expect("it stands in the table");
        let Kind::Histogram(edges) = row.kind else { panic!("{metric} is no histogram") };
        assert!(edges.contains(edge), "{metric} has no edge at {edge}");
    }
}

#[test]
fn names_follow_their_conventions() {
    for metric in METRICS {
        let Metric { name, kind, unit, .. } = metric;
        assert!(name.starts_with("orderbox_") || metric.topic == Topic::Process, "{name}");
        assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
        let stem = name.trim_end_matches("_total");
        for (ending, base) in [("_seconds", metrics::Unit::Seconds), ("_bytes", metrics::Unit::Bytes)] {
            assert_eq!(stem.ends_with(ending), *unit == Some(base), "{name}");
        }
        if let Kind::Histogram(edges) = kind {
            assert!(edges.is_sorted(), "{name}");
        }
    }
}
