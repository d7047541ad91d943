//! What the service says of itself: metrics and the health of its parts. Raw metrics macros appear only here.

mod events;
mod health;
pub mod logging;
mod metrics;
mod names;
mod store_figures;

pub use events::{
    CacheResult, HttpRequests, Route, Stage, ack_after, batch, batch_split, cache_rebuilt, committed,
    deliveries_dropped, field_error, in_flight, received, redelivered, rejected, retried, settled,
    stan_connected, stan_reconnected, store_error, warned,
};
pub use health::{Board, Part, PartSnapshot, State};
pub use metrics::Metrics;
pub use names::{Kind, Label, METRICS, Metric};
pub use store_figures::StoreFigures;
