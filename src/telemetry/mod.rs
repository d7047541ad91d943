//! What the service says of itself: metrics and the health of its parts. Raw metrics macros appear only here.
//!
//! ```text
//! names    the table of all metrics; metric, labels what its rows are made of
//! events   one function for each thing that happens; http_requests those of a request
//! scrape   what is read when somebody asks: the store's figures (store_figures), a channel's end (upstream), process
//! metrics  the recorder, set up from the table, and what /metrics prints
//! ```

#[cfg(test)]
mod document;
mod events;
mod health;
mod http_requests;
mod labels;
pub mod logging;
mod metric;
mod metrics;
mod names;
mod process;
mod pulse;
mod scrape;
mod store_figures;
mod upstream;

pub use events::{
    acked_after, batch, batch_split, cache_rebuilt, committed, deliveries_dropped, expired, field_error,
    gaps_recorded, in_flight, jetstream_connected, jetstream_reconnected, received, redelivered, rejected,
    replayed, retried, settled, stan_connected, stan_reconnected, store_error, visible_after, warned,
};
pub use health::{Board, Part, PartSnapshot, State};
pub use http_requests::HttpRequests;
pub use labels::{CacheResult, Route, Stage};
pub use metric::{Kind, Label, Metric, Presence, Topic};
pub use metrics::Metrics;
pub use names::METRICS;
pub use pulse::watch_store;
pub use store_figures::{Figures, GapFigures, SourceFigures, StoreFigures};
pub use upstream::{Place, Upstream};
