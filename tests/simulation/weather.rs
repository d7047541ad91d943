//! What happens to a call of the store: drawn from a seed, by the weather of the moment.

use std::time::Duration;

use fastrand::Rng;

/// `STORE_TIMEOUT`.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// How the store is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    Fair,
    /// Any fault, now and then.
    Flaky,
    Slow,
    /// Connections are refused.
    Down,
    /// Nothing answers.
    Hanging,
    /// Reads are answered, every write is refused.
    ReadOnly,
    /// Reads are answered, and half the commits take up to twice `STORE_TIMEOUT`.
    SlowCommits,
}

impl Weather {
    pub(crate) const ALL: [Self; 7] =
        [Self::Fair, Self::Flaky, Self::Slow, Self::Down, Self::Hanging, Self::ReadOnly, Self::SlowCommits];
}

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It works; `survives`: also when the caller is gone by then, for the server has got it.
    Works { after: Duration, survives: bool },
    /// An error before the commit; `answered`: the server says so.
    Fails { answered: bool },
    /// Data error for a batch of which no row fails alone.
    Spurious,
    /// Committed, and then the connection is lost.
    AnswerLost,
    /// No answer within `STORE_TIMEOUT`, and nothing was written.
    Hangs,
    /// No answer within `STORE_TIMEOUT`; the commit happens so long after the call began, perhaps after the time-out.
    Late(Duration),
}

fn ms(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_millis(rng.u64(0..most))
}

/// Draws the fate of a call.
pub(crate) fn fate(rng: &mut Rng, weather: Weather, writes: bool) -> Fate {
    let works = |rng: &mut Rng, most| Fate::Works { after: ms(rng, most), survives: rng.bool() };
    match weather {
        Weather::Fair => works(rng, 8),
        Weather::Slow => works(rng, 6_000),
        Weather::Down => Fate::Fails { answered: false },
        Weather::Hanging if rng.u8(0..4) == 0 => Fate::Late(ms(rng, 20_000)),
        Weather::Hanging => Fate::Hangs,
        Weather::ReadOnly if writes => Fate::Fails { answered: true },
        Weather::SlowCommits if writes && rng.bool() => Fate::Late(ms(rng, 20_000)),
        Weather::ReadOnly | Weather::SlowCommits => works(rng, 8),
        Weather::Flaky => match rng.u8(0..16) {
            0 => Fate::Fails { answered: false },
            1 | 2 => Fate::Fails { answered: true },
            3 => Fate::Spurious,
            4 | 5 => Fate::AnswerLost,
            6 => Fate::Hangs,
            7 => Fate::Late(ms(rng, 20_000)),
            8 => works(rng, 4_000),
            _ => works(rng, 30),
        },
    }
}
