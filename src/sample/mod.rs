//! Orders to try the service with: the model order, and an endless stream of sound and broken messages from a seed.
//!
//! ```text
//! Generator ──> order (what an order holds) ──> json (how it is written) ──> bytes
//!          └──> broken (a table: what is wrong, what verdict it must get) ──┘
//! ```
//! No bytes depend on anything but the seed and the options: the same on every machine, in every build.

mod broken;
mod date;
mod generator;
mod json;
mod order;
mod rng;
mod words;

pub use broken::BrokenKind;
pub use generator::{Generator, Kind, MAX_ITEMS, Options, Sample};

/// The sample order `b563feb7b2b84b6test`, as JSON; an empty store starts with it.
pub const MODEL: &[u8] = include_bytes!("model.json");

#[cfg(test)]
mod tests {
    #[test]
    fn the_model_is_the_well_known_order() {
        let model: serde_json::Value = serde_json::from_slice(super::MODEL).expect("the model is JSON");
        assert_eq!(model["order_uid"], "b563feb7b2b84b6test");
        assert_eq!(model["payment"]["amount"], 1817);
        assert_eq!(model["items"][0]["rid"], "ab4219087a764ae0btest");
    }
}
