#![expect(clippy::disallowed_macros, reason = "this is where the ban of raw metrics macros points to")]

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use metrics::{Key, Label as KeyLabel, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tokio_util::sync::CancellationToken;

use super::{
    HttpRequests, StoreFigures,
    metric::{Kind, Presence},
    names::{self, METRICS},
    scrape::Scrape,
};
use crate::cache::Cache;

/// Histograms keep raw samples until a scrape or this upkeep folds them into buckets. At 100,000 reads a second that many
/// samples still fit the processor's cache; with nothing to fold it takes 20 µs.
const UPKEEP: Duration = Duration::from_millis(250);

static METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// The recorder of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Makes the metrics macros of this process record, with every series at 0. A second call returns what the first
    /// installed.
    ///
    /// # Panics
    /// When something else in this process has installed another recorder.
    #[must_use]
    pub fn install() -> Self {
        static INSTALLED: OnceLock<Metrics> = OnceLock::new();
        INSTALLED
            .get_or_init(|| {
                let recorder = recorder();
                let handle = recorder.handle();
                begin_at_zero(&recorder, Presence::Always);
                metrics::set_global_recorder(recorder).expect("no other recorder is installed");
                Self { handle }
            })
            .clone()
    }

    /// Says that this process reads from NATS Streaming: what is about that begins at 0 now, and is absent otherwise.
    pub fn with_stan(&self) {
        begin_now(Presence::WithStan);
    }

    /// The same for JetStream.
    pub fn with_jetstream(&self) {
        begin_now(Presence::WithJetStream);
    }

    /// Everything in the Prometheus text format.
    pub async fn render(&self, cache: &Cache, store: &Arc<StoreFigures>, requests: &HttpRequests) -> String {
        let read = String::from(Scrape::read(store).await);
        requests.report_reads();
        metrics::gauge!(names::CACHE_ENTRIES).set(cache.len() as f64);
        metrics::gauge!(names::CACHE_BYTES).set(cache.weight() as f64);
        metrics::counter!(names::CACHE_EVICTIONS).absolute(cache.evictions());
        metrics::gauge!(names::CACHE_REBUILD_RATIO).set(cache.rebuild_ratio());
        self.handle.render() + &read
    }

    /// Folds samples into buckets four times a second, so that a service that nobody scrapes does not grow; until `stop`.
    pub async fn keep_up(&self, stop: &CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.handle.run_upkeep();
        }
    }
}

fn begin_now(presence: Presence) {
    metrics::with_recorder(|recorder| {
        begin_at_zero(recorder, presence);
        begin_at_zero(recorder, Presence::WithBroker);
    });
}

fn recorder() -> PrometheusRecorder {
    let mut builder = PrometheusBuilder::new();
    for metric in METRICS {
        if let Kind::Histogram(bounds) = metric.kind {
            builder = builder
                .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), bounds)
                .expect("the table has no empty bounds");
        }
    }
    let recorder = builder.build_recorder();
    for metric in METRICS {
        let (name, unit, help) = (metric.name.into(), metric.unit, metric.help.into());
        match metric.kind {
            Kind::Counter => recorder.describe_counter(name, unit, help),
            Kind::Gauge => recorder.describe_gauge(name, unit, help),
            Kind::Histogram(_) => recorder.describe_histogram(name, unit, help),
        }
    }
    recorder
}

/// Registers every series of the metrics of one presence, so that a rate over the first event is not lost.
fn begin_at_zero(recorder: &dyn Recorder, presence: Presence) {
    for metric in METRICS.iter().filter(|metric| metric.presence == presence) {
        for values in metric.series() {
            let labels = metric.labels.iter().zip(values);
            let labels: Vec<_> =
                labels.map(|(label, value)| KeyLabel::from_static_parts(label.key, value)).collect();
            let key = Key::from_parts(metric.name, labels);
            match metric.kind {
                Kind::Counter => recorder.register_counter(&key, &METADATA).absolute(0),
                // The one gauge that says something by being there.
                Kind::Gauge if metric.name == names::BUILD_INFO => {
                    recorder.register_gauge(&key, &METADATA).set(1.0);
                }
                Kind::Gauge => recorder.register_gauge(&key, &METADATA).set(0.0),
                Kind::Histogram(_) => drop(recorder.register_histogram(&key, &METADATA)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use axum::http::StatusCode;

    use super::*;
    use crate::{
        cache::testing::TestStore,
        order::{self, ErrorCode, Reason, Verdict},
        store::{Class, Outcome, SourceKind},
        telemetry::{self, CacheResult, Place, Route, Stage, Upstream},
    };

    const NO_ITEMS: &[u8] = br#"{"order_uid":"a","track_number":"b","delivery":{},"payment":{},"items":[]}"#;

    fn every_event(http: &HttpRequests) {
        telemetry::received(SourceKind::Stan, 1);
        telemetry::redelivered(SourceKind::Http, 1);
        telemetry::settled(Outcome::Applied, 1);
        telemetry::in_flight().set(1.0);
        telemetry::batch(Stage::Record, 1);
        telemetry::committed(Stage::Settle, Duration::from_millis(3));
        telemetry::visible_after([Duration::from_millis(3)]);
        telemetry::acked_after([(Duration::from_millis(3), Some(Duration::from_secs(30)))]);
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
        telemetry::gaps_recorded(SourceKind::Stan, 1);
        telemetry::stan_connected(true);
        telemetry::stan_reconnected();
        telemetry::jetstream_connected(true);
        telemetry::jetstream_reconnected();
        telemetry::cache_rebuilt(Duration::from_secs(1));
        drop(http.begin());
        http.read(CacheResult::Absent);
        http.answered(Route::PostOrder, StatusCode::ACCEPTED, Duration::from_micros(20));
    }

    /// A process of its own: its recorder, and the figures of a store, with channels that lag when `brokers` says so.
    struct Bench {
        recorder: PrometheusRecorder,
        store: Arc<TestStore>,
        figures: Arc<StoreFigures>,
    }

    impl Bench {
        fn new(brokers: bool) -> Self {
            let recorder = recorder();
            begin_at_zero(&recorder, Presence::Always);
            let mut upstreams = Vec::new();
            if brokers {
                for presence in [Presence::WithStan, Presence::WithJetStream, Presence::WithBroker] {
                    begin_at_zero(&recorder, presence);
                }
                let stan = Upstream::new(SourceKind::Stan, "orders", true);
                stan.saw(Some(Place { sequence: 42, published_at_ns: 1 }));
                let jetstream = Upstream::new(SourceKind::JetStream, "ORDERS", false);
                jetstream.saw_waiting(Some(7));
                upstreams = vec![stan, jetstream];
            }
            let store = Arc::<TestStore>::default();
            let figures = StoreFigures::new(Arc::clone(&store) as _, upstreams);
            Self { recorder, store, figures }
        }

        /// What a scrape prints after `events`.
        fn scrape(&self, events: impl FnOnce(&HttpRequests)) -> String {
            let metrics = Metrics { handle: self.recorder.handle() };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            metrics::with_local_recorder(&self.recorder, || {
                let http = HttpRequests::resolve();
                events(&http);
                let rendered = async { metrics.render(&Cache::new(1 << 20), &self.figures, &http).await };
                runtime.expect("a runtime").block_on(rendered)
            })
        }
    }

    /// Label and value, in the order printed.
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

    /// What the table says of a metric's series.
    fn expected(metric: &crate::telemetry::Metric) -> BTreeSet<Series> {
        let labels = |values: Vec<&str>| {
            let named = metric.labels.iter().zip(values);
            named.map(|(label, value)| (label.key.to_owned(), value.to_owned())).collect()
        };
        metric.series().into_iter().map(labels).collect()
    }

    #[test]
    fn what_is_printed_is_what_the_table_says() {
        let text = Bench::new(true).scrape(every_event);
        let printed = printed(&text);
        let names: BTreeSet<_> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
        assert_eq!(printed.keys().cloned().collect::<BTreeSet<_>>(), names);
        for metric in METRICS {
            // No series more, and none less: each is there though each event happened with one of its labels' values only.
            assert_eq!(printed[metric.name], expected(metric), "{}", metric.name);
            let kind = metric.kind.as_str();
            let head = format!("# HELP {0} {1}\n# TYPE {0} {kind}\n", metric.name, metric.help);
            assert_eq!(text.matches(&head).count(), 1, "{head}");
        }
        for line in [
            "orderbox_inbox_oldest_pending_seconds 1.5",
            "orderbox_stan_last_sequence 42",
            "orderbox_cache_requests_total{result=\"absent\"} 1",
            "orderbox_source_lag_messages{source=\"stan\"} 42",
            "orderbox_source_lag_messages{source=\"jetstream\"} 7",
            "orderbox_ack_headroom_seconds_bucket{le=\"0\"} 0",
            "orderbox_ack_headroom_seconds_bucket{le=\"30\"} 1",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_whole_table_begins_at_zero() {
        let printed = printed(&Bench::new(true).scrape(|_| {}));
        for metric in METRICS {
            assert_eq!(printed.get(metric.name), Some(&expected(metric)), "{}", metric.name);
        }
    }

    #[test]
    fn figures_of_a_store_that_does_not_answer_are_left_out() {
        let bench = Bench::new(true);
        bench.store.fail(Some("gone"));
        let printed = printed(&bench.scrape(|_| {}));
        let left_out: BTreeSet<_> =
            METRICS.iter().map(|metric| metric.name).filter(|name| !printed.contains_key(*name)).collect();
        let from_store = [
            names::INBOX_PENDING,
            names::INBOX_OLDEST_PENDING,
            names::UNACCOUNTED,
            names::DEAD_LETTERS,
            names::OLDEST_DEAD_LETTER,
            names::SOURCE_LAG,
            names::AVAILABLE_BYTES,
        ];
        assert_eq!(left_out, BTreeSet::from(from_store));
    }

    #[test]
    fn a_service_without_brokers_says_nothing_of_them() {
        let text = Bench::new(false).scrape(|_| {});
        for name in [
            names::STAN_CONNECTED,
            names::STAN_RECONNECTS,
            names::STAN_LAST_SEQUENCE,
            names::JETSTREAM_CONNECTED,
            names::JETSTREAM_RECONNECTS,
            names::SOURCE_LAG,
            names::ACK_HEADROOM,
        ] {
            assert!(!printed(&text).contains_key(name), "{name}");
        }
    }

    #[test]
    fn a_status_that_a_route_is_not_known_to_answer_is_counted_as_other() {
        let text = Bench::new(false).scrape(|http| {
            http.answered(Route::GetOrder, StatusCode::IM_A_TEAPOT, Duration::ZERO);
            http.answered(Route::GetOrder, StatusCode::OK, Duration::from_micros(50));
        });
        let name = names::HTTP_REQUEST_DURATION;
        assert!(
            text.contains(&format!("{name}_count{{route=\"get_order\",status=\"other\"}} 1\n")),
            "{text}"
        );
        assert!(
            text.contains(&format!("{name}_bucket{{route=\"get_order\",status=\"200\",le=\"0.00005\"}} 1\n"))
        );
        assert!(
            text.contains(&format!(
                "{name}_bucket{{route=\"get_order\",status=\"200\",le=\"0.000025\"}} 0\n"
            ))
        );
    }
}
