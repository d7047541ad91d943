//! The service, NATS Streaming, JetStream and a Prometheus with the project's own configuration under sound and broken load: every
//! expression of every panel, rule and alert is asked. Prometheus can read it, it names only what there is, and it has
//! data, or `may_be_empty.tsv` says why not.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use orderbox::sample::Options;
use rusty_promql_parser::{LabelMatchOp, LabelMatcher, VectorSelector};

use super::{
    expressions::{self, Expression},
    promql,
};
use crate::support::{
    expected::Expected,
    nats_server::NatsServer,
    orderbox::{Orderbox, order_path},
    prometheus::{Prometheus, Series},
    stan_server::StanServer,
};

/// `$__rate_interval` is four scrapes at least, which are a second apart here.
const RATE_INTERVAL: &str = "4s";
/// What a panel is drawn over. The load has lasted longer by then.
const PANEL_SECONDS: f64 = 10.0;
/// One of the messages that the load publishes.
const SEED: &str = "5";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_panel_rule_and_alert_names_what_there_is_and_has_data() {
    let Some(stan) = StanServer::builder().start().await else { return };
    // Room for a few hundred orders, so that some are evicted and loaded again.
    let Some(jetstream) = NatsServer::start().await else { return };
    jetstream.make_stream().await;
    let brokers = [("STAN_URL", &*stan.url()), ("JETSTREAM_URL", &*jetstream.url())];
    let service = Orderbox::start(&[&brokers[..], &[("CACHE_BYTES", "1MiB")]].concat()).await;
    let Some(prometheus) = Prometheus::start(&[("orderbox:8080", service.address())]).await else { return };
    let load = ["publish", "--count", "1000000", "--rate", "200", "--broken", "0.2", "--seed", SEED];
    let http = format!("http://127.0.0.1:{}", service.address().1);
    let channel = format!("stan://127.0.0.1:{}/{}/orders", stan.port(), StanServer::CLUSTER);
    let _to_the_channel = service.spawn("publish-to-stan", &[&load[..], &["--to", &channel]].concat());
    let _to_the_stream = service.spawn("publish-to-jetstream", &load);
    let _to_http = service.spawn("publish-to-http", &[&load[..], &["--to", &http]].concat());
    tokio::select! {
        () = read(&service) => unreachable!("readers never stop"),
        () = prove(prometheus) => {}
    }
}

async fn prove(prometheus: Prometheus) {
    until_seen(&prometheus).await;
    let rules = prometheus.rules().await;
    for rule in &rules {
        assert_eq!(rule.error, "", "{} can't be evaluated", rule.name);
    }
    let recorded = rules.iter().filter(|rule| !rule.alerts).map(|rule| rule.name.clone());
    let mut proof = Proof {
        prometheus,
        names: promql::known_names(recorded),
        may_be_empty: may_be_empty(),
        faults: Vec::new(),
    };
    for expression in expressions::of_dashboards(RATE_INTERVAL) {
        let answer = proof.prometheus.query_range(&expression.text, PANEL_SECONDS).await;
        proof.judge(&expression, answer).await;
    }
    for expression in expressions::of_rules(&rules) {
        let answer = proof.prometheus.query(&expression.text).await;
        proof.judge(&expression, answer).await;
    }
    proof.conclude();
}

/// Reads orders in every way: from memory, from the store, in vain, and what else is asked of a service.
async fn read(service: &Orderbox) {
    let sound = Expected::of(SEED.parse().unwrap(), 100, 0.2, Options::default()).sound;
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    for uid in sound.keys().cycle() {
        for path in [&order_path(uid), "/order/b563feb7b2b84b6test", "/order/never-sent", "/api/status", "/"]
        {
            pace.tick().await;
            service.client().get(path).await;
        }
    }
}

/// Waits until Prometheus has seen enough of the load to draw it, and the rules have recorded something.
async fn until_seen(prometheus: &Prometheus) {
    let applied = r#"orderbox_messages_settled_total{outcome="applied"}"#;
    prometheus.until(&format!("count_over_time((rate({applied}[{RATE_INTERVAL}]) > 0)[1m:1s]) >= 10")).await;
    prometheus.until("count_over_time(job:orderbox_late_orders_per_orders:ratio_rate5m[1m]) >= 5").await;
}

/// The places whose expressions may have no data, each with its reason.
fn may_be_empty() -> BTreeMap<String, String> {
    let text = expressions::read("tests/monitoring/may_be_empty.tsv");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let entry = |line: &str| {
        let (place, reason) = line.split_once('\t').unwrap_or_else(|| panic!("no reason is given: {line}"));
        (place.to_owned(), reason.to_owned())
    };
    lines.map(entry).collect()
}

struct Proof {
    prometheus: Prometheus,
    names: BTreeSet<String>,
    /// An entry goes when its expression comes.
    may_be_empty: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Proof {
    async fn judge(&mut self, expression: &Expression, answer: Result<Vec<Series>, String>) {
        let excused = self.may_be_empty.remove(&expression.place).is_some();
        let mut faults = self.misnamed(&expression.text).await;
        match answer {
            Err(error) => faults.push(format!("Prometheus refuses it: {error}")),
            Ok(series) => {
                let has_data = series.iter().any(|one| one.values.iter().any(|value| !value.is_nan()));
                if has_data && excused {
                    faults.push("it has data: may_be_empty.tsv need not excuse it".to_owned());
                } else if !has_data && !excused {
                    faults.push("it has no data".to_owned());
                }
                for label in &expression.legend {
                    if series.iter().any(|one| !one.labels.contains_key(label)) {
                        faults.push(format!("its legend names {label}, which is not among its labels"));
                    }
                }
            }
        }
        if !faults.is_empty() {
            self.faults.push(format!("{}: {}\n    {}", expression.place, faults.join("; "), expression.text));
        }
    }

    /// Metrics, labels and values of labels that are not there.
    async fn misnamed(&self, text: &str) -> Vec<String> {
        let expression = promql::parse(text);
        let mut faults = Vec::new();
        for selector in promql::selectors(&expression) {
            let name = promql::name(selector);
            if !self.names.contains(name) {
                faults.push(format!("there is no metric {name}"));
            }
        }
        if !faults.is_empty() {
            return faults;
        }
        for selector in promql::selectors(&expression).into_iter().filter(|one| is_seen(one)) {
            for value in values(selector) {
                if !self.knows(&value).await {
                    faults.push(format!("no series is {value}"));
                }
            }
        }
        for (label, operand) in promql::grouped_by(&expression) {
            let selectors = promql::selectors(operand);
            let mut there = selectors.iter().any(|one| !is_seen(one));
            for selector in selectors {
                there = there || self.knows(&format!("{}{{{label}!=\"\"}}", promql::name(selector))).await;
            }
            if !there {
                faults.push(format!("nothing has the label {label}"));
            }
        }
        faults
    }

    async fn knows(&self, selector: &str) -> bool {
        self.prometheus.knows(selector).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    fn conclude(self) {
        let stale = self.may_be_empty.keys().map(|place| format!("{place}: no such expression is left"));
        let faults: Vec<_> = self.faults.into_iter().chain(stale).collect();
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    }
}

/// Whether what is selected is exported by something that this test has started.
fn is_seen(selector: &VectorSelector) -> bool {
    !promql::is_of_another_exporter(promql::name(selector))
}

/// A selector for each value that a selector wants to have or to leave out: each must be there, or a word is misspelt.
fn values(selector: &VectorSelector) -> Vec<String> {
    let name = promql::name(selector);
    let one = |label: &str, operator: &str, value: &str| format!("{name}{{{label}{operator}{value:?}}}");
    let mut found = Vec::new();
    for LabelMatcher { name: label, op, value } in &selector.matchers {
        match op {
            LabelMatchOp::Equal | LabelMatchOp::NotEqual => found.push(one(label, "=", value)),
            // Prometheus 2 and 3 write the bounds of buckets in two ways, and only one of them is here.
            LabelMatchOp::RegexMatch if label == "le" => found.push(one(label, "=~", value)),
            LabelMatchOp::RegexMatch | LabelMatchOp::RegexNotMatch => {
                found.extend(value.split('|').map(|value| one(label, "=~", value)));
            }
        }
    }
    found
}
