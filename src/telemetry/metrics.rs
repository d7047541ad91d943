#![expect(clippy::disallowed_macros, reason = "this is where the ban of raw metrics macros points to")]

use std::{sync::OnceLock, time::Duration};

use metrics::{Key, Label as KeyLabel, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;

use super::names::{self, Kind, METRICS, Metric};
use crate::{cache::Cache, store::StoreStatus};

/// Histograms keep raw samples until a scrape or this upkeep folds them into buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Figures that only the store knows: printed when it has just said them, and otherwise not at all.
pub(super) const FROM_STORE: [&str; 3] =
    [names::INBOX_PENDING, names::INBOX_OLDEST_PENDING, names::DEAD_LETTERS];

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The recorder of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Makes the metrics macros of this process record, with every label of a closed set at 0. A second call returns what
    /// the first installed.
    ///
    /// # Panics
    /// When something else in this process has installed another recorder.
    #[must_use]
    pub fn install() -> Self {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        INSTALLED
            .get_or_init(|| {
                let recorder = recorder(METRICS);
                let handle = recorder.handle();
                begin_at_zero(&recorder);
                metrics::set_global_recorder(recorder).expect("no other recorder is installed");
                Self { handle }
            })
            .clone()
    }

    /// Everything in the Prometheus text format. `status` is what the store said just now, if it answered.
    #[must_use]
    pub fn render(&self, cache: &Cache, status: Option<&StoreStatus>) -> String {
        metrics::gauge!(names::CACHE_ENTRIES).set(cache.len() as f64);
        metrics::gauge!(names::CACHE_BYTES).set(cache.weight() as f64);
        metrics::counter!(names::CACHE_EVICTIONS).absolute(cache.evictions());
        metrics::gauge!(names::CACHE_REBUILD_RATIO).set(cache.rebuild_ratio());
        let mut text = self.handle.render();
        if let Some(status) = status {
            text.push_str(&store_figures(status));
        }
        text
    }

    /// Folds samples into buckets every few seconds, so that a service that nobody scrapes does not grow; until `stop`.
    pub async fn keep_up(&self, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.handle.run_upkeep();
        }
    }
}

fn recorder(metrics: &[Metric]) -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for metric in metrics {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
                .expect("the table has no empty bounds");
        }
    }
    let recorder = builder.build_recorder();
    for metric in metrics {
        let (name, unit, help) = (metric.name.into(), metric.unit, metric.help.into());
        match metric.kind {
            Kind::Counter => recorder.describe_counter(name, unit, help),
            Kind::Gauge => recorder.describe_gauge(name, unit, help),
            Kind::Histogram(_) => recorder.describe_histogram(name, unit, help),
        }
    }
    recorder
}

/// Registers each combination of closed labels, so that a rate over the first event is not lost. A metric with an open label
/// begins when it is first recorded.
fn begin_at_zero(recorder: &PrometheusRecorder) {
    for metric in METRICS.iter().filter(|metric| !FROM_STORE.contains(&metric.name)) {
        for key in keys(metric) {
            match metric.kind {
                Kind::Counter => recorder.register_counter(&key, &METADATA).absolute(0),
                Kind::Gauge => recorder.register_gauge(&key, &METADATA).set(0.0),
                Kind::Histogram(_) => drop(recorder.register_histogram(&key, &METADATA)),
            }
        }
    }
    let version = Key::from_parts(
        names::BUILD_INFO,
        vec![KeyLabel::from_static_parts("version", env!("CARGO_PKG_VERSION"))],
    );
    recorder.register_gauge(&version, &METADATA).set(1.0);
}

/// A metric's keys for every combination of its labels' values; none when a label is open.
fn keys(metric: &Metric) -> Vec<Key> {
    let mut sets = vec![Vec::new()];
    for label in metric.labels {
        let values = label.values.map(|values| values()).unwrap_or_default();
        sets = sets
            .iter()
            .flat_map(|set| {
                values.iter().map(|value| {
                    let mut set: Vec<KeyLabel> = set.clone();
                    set.push(KeyLabel::from_static_parts(label.key, value));
                    set
                })
            })
            .collect();
    }
    sets.into_iter().map(|labels| Key::from_parts(metric.name, labels)).collect()
}

/// A recorder of its own for each scrape: gauges in the common one could not be taken back when the store stops answering.
fn store_figures(status: &StoreStatus) -> String {
    let rows: Vec<Metric> =
        METRICS.iter().filter(|metric| FROM_STORE.contains(&metric.name)).copied().collect();
    let recorder = recorder(&rows);
    metrics::with_local_recorder(&recorder, || {
        metrics::gauge!(names::INBOX_PENDING).set(status.inbox_pending as f64);
        metrics::gauge!(names::INBOX_OLDEST_PENDING)
            .set(status.oldest_pending.unwrap_or_default().as_secs_f64());
        for (resolution, letters) in status.dead_letters {
            metrics::gauge!(names::DEAD_LETTERS, "resolution" => resolution.as_str()).set(letters as f64);
        }
    });
    recorder.handle().render()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::{
        order::{self, ErrorCode, Reason, Verdict},
        store::{Class, Outcome, Resolution, SourceKind},
        telemetry::{self, CacheResult, HttpRequests, Route, Stage},
    };

    const NO_ITEMS: &[u8] = br#"{"order_uid":"a","track_number":"b","delivery":{},"payment":{},"items":[]}"#;

    fn status() -> StoreStatus {
        StoreStatus {
            inbox_pending: 3,
            oldest_pending: Some(Duration::from_millis(1500)),
            dead_letters: Resolution::ALL.map(|resolution| (resolution, 2)),
            ledger: Vec::new(),
            channels: Vec::new(),
        }
    }

    fn every_event() {
        telemetry::received(SourceKind::Stan, 1);
        telemetry::redelivered(SourceKind::Http, 1);
        telemetry::settled(Outcome::Applied, 1);
        telemetry::in_flight(1);
        telemetry::batch(Stage::Record, 1);
        telemetry::committed(Stage::Settle, Duration::from_millis(3));
        telemetry::ack_after(Duration::from_millis(3));
        telemetry::batch_split();
        telemetry::store_error(Class::Transient);
        telemetry::retried(Stage::Recover);
        telemetry::rejected(Reason::NotJson);
        telemetry::field_error(ErrorCode::Missing);
        let Verdict::Accept(accepted) = order::validate(NO_ITEMS, NO_ITEMS.len()) else {
            panic!("it is an order")
        };
        telemetry::warned(&accepted.warnings);
        telemetry::deliveries_dropped(SourceKind::Stan, 1);
        telemetry::stan_connected(true);
        telemetry::stan_reconnected();
        telemetry::cache_rebuilt(Duration::from_secs(1));
        let http = HttpRequests::resolve();
        drop(http.begin());
        http.read(CacheResult::Absent);
        http.answered(Route::PostOrder, axum::http::StatusCode::ACCEPTED, Duration::from_micros(20));
    }

    /// Label → value, in the order printed.
    type Series = Vec<(String, String)>;

    /// The series of each name, from the text; `le` belongs to the format.
    fn printed(text: &str) -> BTreeMap<String, BTreeSet<Series>> {
        let mut found = BTreeMap::<_, BTreeSet<Series>>::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (series, _) = line.rsplit_once(' ').expect("a value follows the series");
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let name = METRICS
                .iter()
                .find(|metric| {
                    matches!(metric.kind, Kind::Histogram(_))
                        && ["_bucket", "_sum", "_count"]
                            .iter()
                            .any(|suffix| name.strip_suffix(suffix) == Some(metric.name))
                })
                .map_or(name, |metric| metric.name);
            let labels = labels
                .trim_end_matches('}')
                .split(',')
                .filter_map(|label| label.split_once('='))
                .filter(|(key, _)| *key != "le")
                .map(|(key, value)| (key.to_owned(), value.trim_matches('"').to_owned()))
                .collect();
            found.entry(name.to_owned()).or_default().insert(labels);
        }
        found
    }

    #[test]
    fn what_is_printed_is_what_the_table_says() {
        let recorder = recorder(METRICS);
        begin_at_zero(&recorder);
        let metrics = Metrics { handle: recorder.handle() };
        let text = metrics::with_local_recorder(&recorder, || {
            every_event();
            metrics.render(&Cache::new(1 << 20), Some(&status()))
        });
        let printed = printed(&text);

        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
        assert_eq!(printed.keys().cloned().collect::<BTreeSet<_>>(), names);
        for metric in METRICS {
            let series = &printed[metric.name];
            let keys: Vec<_> = metric.labels.iter().map(|label| label.key).collect();
            for labels in series {
                assert!(labels.iter().map(|(key, _)| key).eq(&keys), "{} {labels:?}", metric.name);
            }
            // Begun at 0: each closed value is there, though each event happened with one value only. A metric with an
            // open label begins with its first event.
            let open = metric.labels.iter().any(|label| label.values.is_none());
            for (index, label) in metric.labels.iter().enumerate() {
                if let Some(values) = label.values {
                    let values: BTreeSet<_> = values().into_iter().map(str::to_owned).collect();
                    let found: BTreeSet<_> = series.iter().map(|labels| labels[index].1.clone()).collect();
                    assert!(found == values || open && found.is_subset(&values), "{} {found:?}", metric.name);
                }
            }
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram(_) => "histogram",
            };
            let head = format!("# HELP {0} {1}\n# TYPE {0} {kind}\n", metric.name, metric.help);
            assert_eq!(text.matches(&head).count(), 1, "{head}");
        }
        assert!(text.contains("orderbox_inbox_oldest_pending_seconds 1.5\n"), "{text}");
    }

    #[test]
    fn figures_of_a_store_that_does_not_answer_are_left_out() {
        let recorder = recorder(METRICS);
        begin_at_zero(&recorder);
        let metrics = Metrics { handle: recorder.handle() };
        metrics::with_local_recorder(&recorder, || {
            let cache = Cache::new(1 << 20);
            assert!(metrics.render(&cache, Some(&status())).contains("orderbox_inbox_pending 3"));
            let text = metrics.render(&cache, None);
            for name in FROM_STORE {
                assert!(!text.contains(name), "{name}");
            }
        });
    }
}
