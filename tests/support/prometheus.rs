//! A real Prometheus for one test, with the configuration and the rules that this project ships.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use url::form_urlencoded::Serializer;

use super::{client::Client, free_port, process::Process, program};

/// Starting and scraping may wait for a machine that is busy with other tests.
const LIMIT: Duration = Duration::from_secs(120);

/// A running Prometheus that scrapes and evaluates once a second. It listens on 127.0.0.1 only, writes to a temporary
/// folder, and ends with the value.
#[derive(Debug)]
pub(crate) struct Prometheus {
    client: Client,
    process: Process,
    // Last, so that a failing test can still print the log in it.
    _folder: TempDir,
}

/// A series of an answer: its labels, and its values in the order of time.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) values: Vec<f64>,
}

/// A rule as it was loaded.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// Whether it is an alert; otherwise it records.
    pub(crate) alerts: bool,
    pub(crate) expression: String,
    /// Why its last evaluation failed, or empty.
    pub(crate) error: String,
}

impl Prometheus {
    /// Starts it and waits until it is ready; `None` when it is not installed (see [`program`]). Each of `targets`, by its
    /// name in `prometheus/prometheus.yml`, is looked for at this address; every other one is not there.
    pub(crate) async fn start(targets: &[(&str, (&str, u16))]) -> Option<Self> {
        let binary = program("prometheus", &[])?;
        let folder = tempfile::tempdir().expect("create a temporary folder");
        let port = free_port();
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("prometheus");
        let configuration =
            std::fs::read_to_string(project.join("prometheus.yml")).expect("read prometheus/prometheus.yml");
        let file = folder.path().join("prometheus.yml");
        let itself = ("localhost:9090", ("127.0.0.1", port));
        std::fs::write(&file, hurried(&configuration, &[targets, &[itself]].concat()))
            .expect("write the configuration");
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).expect("create a folder for the rules");
        for file in std::fs::read_dir(project.join("rules")).expect("list prometheus/rules") {
            let file = file.expect("list prometheus/rules");
            let text = std::fs::read_to_string(file.path()).expect("read a file of rules");
            std::fs::write(rules.join(file.file_name()), hurried(&text, &[])).expect("write the rules");
        }

        let mut command = Command::new(binary);
        command.current_dir(folder.path());
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let process = Process::start("prometheus", command, folder.path().join("prometheus.log"));
        let mut prometheus = Self { client: Client::of(port), process, _folder: folder };
        prometheus.ready().await;
        Some(prometheus)
    }

    async fn ready(&mut self) {
        let end = Instant::now() + LIMIT;
        loop {
            let answer = self.client.try_send(axum::http::Method::GET, "/-/ready", bytes::Bytes::new()).await;
            if answer.is_some_and(|answer| answer.status == 200) {
                return;
            }
            if let Some(status) = self.process.exited() {
                panic!("prometheus ended with {status}:\n{}", self.process.output());
            }
            assert!(Instant::now() < end, "prometheus is not ready:\n{}", self.process.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until an expression has data.
    pub(crate) async fn until(&self, expression: &str) {
        let end = Instant::now() + LIMIT;
        while self.query(expression).await.expect("a sound expression").is_empty() {
            assert!(Instant::now() < end, "{expression}: has no data within {LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// An expression as of now.
    pub(crate) async fn query(&self, expression: &str) -> Result<Vec<Series>, String> {
        self.ask("query", &[("query", expression)]).await.map(|data| series(&data["result"]))
    }

    /// An expression at each second of the last `seconds`, as a panel draws it.
    pub(crate) async fn query_range(&self, expression: &str, seconds: f64) -> Result<Vec<Series>, String> {
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs_f64();
        let (start, end) = ((now - seconds).to_string(), now.to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", "1")];
        self.ask("query_range", &parameters).await.map(|data| series(&data["result"]))
    }

    /// Whether there has been a series like this.
    pub(crate) async fn knows(&self, selector: &str) -> Result<bool, String> {
        let data = self.ask("series", &[("match[]", selector)]).await?;
        Ok(data.as_array().is_some_and(|found| !found.is_empty()))
    }

    /// Every rule that was loaded.
    pub(crate) async fn rules(&self) -> Vec<Rule> {
        let data = self.ask("rules", &[]).await.expect("the rules are told");
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        let groups = data["groups"].as_array().expect("a list of groups");
        let rules = groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
        rules
            .map(|rule| Rule {
                name: text(rule, "name"),
                alerts: rule["type"] == "alerting",
                expression: text(rule, "query"),
                error: text(rule, "lastError"),
            })
            .collect()
    }

    async fn ask(&self, what: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
        let parameters = Serializer::new(String::new()).extend_pairs(parameters).finish();
        let mut answer = self.client.get(&format!("/api/v1/{what}?{parameters}")).await.json();
        match answer["status"].as_str() {
            Some("success") => Ok(answer["data"].take()),
            _ => Err(answer["error"].as_str().unwrap_or("no reason given").to_owned()),
        }
    }
}

/// The configuration, or a file of rules, with everything done once a second, and with these targets.
fn hurried(configuration: &str, targets: &[(&str, (&str, u16))]) -> String {
    let mut lines = Vec::new();
    for line in configuration.lines() {
        let (indent, setting) = line.split_at(line.len() - line.trim_start().len());
        lines.push(match setting.split_once(": ") {
            Some((name @ ("scrape_interval" | "scrape_timeout" | "evaluation_interval" | "interval"), _)) => {
                format!("{indent}{name}: 1s")
            }
            Some(("- targets", list)) => {
                let target = list.trim_matches(['[', ']']);
                let known = targets.iter().find(|(name, _)| *name == target);
                let (host, port) = known.map_or_else(|| ("127.0.0.1", free_port()), |(_, address)| *address);
                format!("{indent}- targets: [\"{host}:{port}\"]")
            }
            _ => line.to_owned(),
        });
    }
    lines.join("\n")
}

/// The series of a vector, of a matrix, or the one of a scalar.
fn series(result: &Value) -> Vec<Series> {
    let number = |sample: &Value| {
        let text = sample[1].as_str().expect("a value is a text");
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    let result = result.as_array().expect("a result is a list");
    if result.first().is_some_and(Value::is_number) {
        let value = number(&Value::Array(result.clone()));
        return vec![Series { labels: BTreeMap::new(), values: vec![value] }];
    }
    let labels = |one: &Value| {
        let labels = one["metric"].as_object().expect("a series has labels");
        labels
            .iter()
            .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
            .collect()
    };
    result
        .iter()
        .map(|one| Series {
            labels: labels(one),
            values: match one["values"].as_array() {
                Some(values) => values.iter().map(number).collect(),
                None => vec![number(&one["value"])],
            },
        })
        .collect()
}
