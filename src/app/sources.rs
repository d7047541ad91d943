use crate::{
    config::Settings,
    source::{JetStreamSource, Source, StanSource},
    telemetry::{Board, Metrics, Upstream},
};

use super::StartError;

/// All that the settings say is read from, beside HTTP.
pub(super) struct Sources {
    pub(super) sources: Vec<Box<dyn Source>>,
    pub(super) upstreams: Vec<Upstream>,
}

impl Sources {
    pub(super) fn of(settings: &Settings, board: &Board, metrics: &Metrics) -> Result<Self, StartError> {
        let Settings { stan, jetstream, nats, limits, store, .. } = settings;
        let mut all = Self { sources: Vec::new(), upstreams: Vec::new() };
        let stan = StanSource::new(stan, nats, || {
            metrics.with_stan();
            board.register("stan", None)
        })?;
        if let Some(stan) = stan {
            all.upstreams.push(stan.upstream().clone());
            all.sources.push(Box::new(stan));
        }
        let jetstream = JetStreamSource::new(jetstream, nats, limits, store, || {
            metrics.with_jetstream();
            board.register("jetstream", None)
        })?;
        if let Some(jetstream) = jetstream {
            all.upstreams.push(jetstream.upstream().clone());
            all.sources.push(Box::new(jetstream));
        }
        Ok(all)
    }
}
