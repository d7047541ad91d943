use metrics::Unit;

/// A row of the table: everything that is fixed about a metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// What it is about.
    pub topic: Topic,
    /// With the prefix `orderbox_`, or `process_` where every Prometheus client library uses the same name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The base unit; `None` where the name says what is counted.
    pub unit: Option<Unit>,
    /// One sentence.
    pub help: &'static str,
    /// Its labels, in the order in which they are printed.
    pub labels: &'static [Label],
    /// When a scrape holds it.
    pub presence: Presence,
    /// Whether a combination of label values can occur.
    pub occurs: fn(&[&'static str]) -> bool,
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution with these upper bounds.
    Histogram(&'static [f64]),
}

/// A label and the closed set of its values.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    /// Its name.
    pub key: &'static str,
    /// Every value it can take.
    pub values: fn() -> Vec<&'static str>,
}

/// When a scrape holds a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Always: each combination of its labels begins at 0, or a rate over the first event would be lost.
    Always,
    /// The same, where STAN_URL is set. Elsewhere never: an alert on "not connected" must not fire for a service that has
    /// nothing to connect to.
    WithStan,
    /// The same, where JETSTREAM_URL is set.
    WithJetStream,
    /// The same, where either is set.
    WithBroker,
    /// Only when it could be read, within the last second where the store had to be asked: an old value would hide that it is
    /// unknown.
    WhenRead,
}

/// What metrics are about, in the order in which a reader meets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Messages on their way from a source to their ack.
    Pipeline,
    /// The connection to NATS Streaming.
    Stan,
    /// The connection to JetStream.
    JetStream,
    /// How far what brokers hold is behind.
    Broker,
    /// Messages that are no orders.
    Broken,
    /// The database.
    Store,
    /// Answers.
    Reads,
    /// The documents in memory.
    Cache,
    /// The operating system's view.
    Process,
}

impl Kind {
    /// The name in the Prometheus text format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Topic {
    pub(super) const fn counter(
        self,
        name: &'static str,
        help: &'static str,
        labels: &'static [Label],
    ) -> Metric {
        Metric {
            topic: self,
            name,
            kind: Kind::Counter,
            unit: None,
            help,
            labels,
            presence: Presence::Always,
            occurs: |_| true,
        }
    }

    pub(super) const fn gauge(
        self,
        name: &'static str,
        unit: Option<Unit>,
        help: &'static str,
        labels: &'static [Label],
    ) -> Metric {
        Metric { kind: Kind::Gauge, unit, ..self.counter(name, help, labels) }
    }

    /// A distribution of times.
    pub(super) const fn seconds(
        self,
        name: &'static str,
        bounds: &'static [f64],
        help: &'static str,
        labels: &'static [Label],
    ) -> Metric {
        Metric {
            kind: Kind::Histogram(bounds),
            unit: Some(Unit::Seconds),
            ..self.counter(name, help, labels)
        }
    }
}

impl Metric {
    pub(super) const fn present(self, presence: Presence) -> Self {
        Self { presence, ..self }
    }

    /// Every combination of label values that can occur, each in the order of the labels.
    #[must_use]
    pub fn series(&self) -> Vec<Vec<&'static str>> {
        let mut series = vec![Vec::new()];
        for label in self.labels {
            let values = (label.values)();
            series = series
                .iter()
                .flat_map(|head| values.iter().map(|value| [head.as_slice(), &[*value]].concat()))
                .collect();
        }
        series.retain(|values| (self.occurs)(values));
        series
    }
}
