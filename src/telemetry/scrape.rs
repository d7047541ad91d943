//! What is read for a scrape and printed only when it could be: a gauge of the recorder, once set, could not be taken back.

use std::{fmt::Write, sync::Arc};

use super::{
    StoreFigures,
    labels::CONNECTION_STATES,
    metric::{Metric, Presence},
    names::{self, METRICS},
    process::Process,
};

/// Metrics of [`Presence::WhenRead`] in the Prometheus text format.
#[derive(Debug, Default)]
pub(super) struct Scrape(String);

impl Scrape {
    /// Reads everything there is to read.
    pub(super) async fn read(store: &Arc<StoreFigures>) -> Self {
        let mut scrape = Self::default();
        scrape.store(store).await;
        scrape.process();
        scrape
    }

    async fn store(&mut self, store: &Arc<StoreFigures>) {
        if let Some(figures) = store.get().await {
            let status = &figures.store;
            self.number(names::INBOX_PENDING, status.inbox_pending as f64);
            let oldest = status.oldest_pending.unwrap_or_default();
            self.number(names::INBOX_OLDEST_PENDING, oldest.as_secs_f64());
            self.number(names::UNACCOUNTED, status.unaccounted as f64);
            let dead_letters = figures.dead_letters.iter().flatten();
            self.numbers(
                names::DEAD_LETTERS,
                dead_letters.map(|(resolution, letters)| (resolution.as_str(), *letters as f64)),
            );
            let oldest = status.oldest_dead_letter.unwrap_or_default();
            self.number(names::OLDEST_DEAD_LETTER, oldest.as_secs_f64());
            self.numbers(names::SOURCE_LAG, figures.lags().map(|(source, lag)| (source, lag as f64)));
            self.maybe(names::AVAILABLE_BYTES, status.available_bytes.map(|bytes| bytes as f64));
        }
        let last = store.upstreams().iter().find_map(|upstream| upstream.last());
        self.maybe(names::STAN_LAST_SEQUENCE, last.map(|last| last.sequence as f64));
        let connections = store.connections();
        let counts = [connections.idle, connections.busy].map(|count| count as f64);
        self.numbers(names::POOL_CONNECTIONS, CONNECTION_STATES.into_iter().zip(counts));
    }

    fn process(&mut self) {
        let process = Process::read();
        for (name, figure) in [
            (names::PROCESS_CPU, process.cpu_seconds),
            (names::PROCESS_MEMORY, process.resident_bytes),
            (names::PROCESS_VIRTUAL_MEMORY, process.virtual_bytes),
            (names::PROCESS_OPEN_FDS, process.open_fds),
            (names::PROCESS_MAX_FDS, process.max_fds),
            (names::PROCESS_THREADS, process.threads),
            (names::PROCESS_START, process.started_at),
        ] {
            self.maybe(name, figure);
        }
    }

    fn maybe(&mut self, name: &'static str, value: Option<f64>) {
        if let Some(value) = value {
            self.number(name, value);
        }
    }

    fn number(&mut self, name: &'static str, value: f64) {
        self.head(name);
        self.line(format_args!("{name} {value}"));
    }

    /// A metric with one label.
    fn numbers(&mut self, name: &'static str, values: impl IntoIterator<Item = (&'static str, f64)>) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        let key = self.head(name).labels[0].key;
        for (label, value) in values {
            self.line(format_args!("{name}{{{key}=\"{label}\"}} {value}"));
        }
    }

    fn head(&mut self, name: &'static str) -> &'static Metric {
        let metric =
            METRICS.iter().find(|metric| metric.name == name).expect("every name stands in the table");
        debug_assert_eq!(metric.presence, Presence::WhenRead, "{name}");
        let kind = metric.kind.as_str();
        self.line(format_args!("# HELP {name} {}\n# TYPE {name} {kind}", metric.help));
        metric
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a String takes everything");
    }
}

impl From<Scrape> for String {
    fn from(scrape: Scrape) -> Self {
        scrape.0
    }
}
