//! The messages: those of the generator, with few uids, so that they replace, repeat and overtake each other.

use std::{collections::BTreeMap, sync::LazyLock};

use bytes::Bytes;
use fastrand::Rng;
use orderbox::sample::{Generator, Kind, Options, Sample};

/// What a message must become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    /// An order of this uid.
    Order(String),
    /// A dead letter with this reason.
    Letter(&'static str),
}

/// Made once for all seeds: making an order takes longer than simulating it.
static POOL: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let options = Options { broken: 0.2, items: Some(1), oversized: true };
    Generator::new(6, options).take(400).collect()
});

/// Draws messages of a few uids.
#[derive(Debug)]
pub(crate) struct Mail {
    rng: Rng,
    uids: u64,
    drawn: Vec<(Bytes, Expected)>,
}

impl Mail {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x3a11);
        let uids = rng.u64(1..6);
        Self { rng, uids, drawn: Vec::new() }
    }

    /// The next message; now and then one that came before, byte for byte.
    pub(crate) fn next(&mut self) -> (Bytes, Expected) {
        if !self.drawn.is_empty() && self.rng.u8(0..8) == 0 {
            return self.drawn[self.rng.usize(..self.drawn.len())].clone();
        }
        let sample = &POOL[self.rng.usize(..POOL.len())];
        let drawn = match &sample.kind {
            Kind::Broken(kind) => (sample.payload.clone(), Expected::Letter(kind.reason())),
            Kind::Sound { uid } => {
                let few = few(self.rng.u64(0..self.uids));
                match str::from_utf8(&sample.payload) {
                    Ok(text) if text.contains(&format!("\"{uid}\"")) => {
                        (Bytes::from(text.replace(uid, &few)), Expected::Order(few))
                    }
                    // Written with escapes: it keeps its own.
                    _ => (sample.payload.clone(), Expected::Order(uid.clone())),
                }
            }
        };
        self.drawn.push(drawn.clone());
        drawn
    }

    /// The uids that most messages have.
    pub(crate) fn uids(&self) -> Vec<String> {
        (0..self.uids).map(few).collect()
    }
}

fn few(number: u64) -> String {
    format!("{number:016x}test")
}

/// What was published, by message id.
pub(crate) type Published = BTreeMap<std::sync::Arc<str>, (Bytes, Expected)>;
