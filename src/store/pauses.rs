use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The longest pause before jitter: how late it is noticed at worst that a store or a broker has healed is about twice this.
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses between the tries of one thing while the store or a broker fails: 100 ms, doubling to 2 s, with jitter, without end.
#[derive(Debug)]
pub(crate) struct Pauses(backon::ExponentialBackoff);

impl Default for Pauses {
    fn default() -> Self {
        Self(
            ExponentialBuilder::new()
                .with_min_delay(Duration::from_millis(100))
                .with_max_delay(LONGEST)
                .with_factor(2.0)
                .with_jitter()
                .without_max_times()
                .build(),
        )
    }
}

impl Pauses {
    /// Waits for the next pause.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0.next().unwrap_or(LONGEST)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_never_end() {
        let pauses: Vec<Duration> = Pauses::default().0.take(200).collect();
        assert_eq!(pauses.len(), 200);
        assert!(pauses[0] < Duration::from_millis(300), "{:?}", pauses[0]);
        assert!(pauses.iter().skip(10).all(|pause| (LONGEST..=2 * LONGEST).contains(pause)));
    }
}
