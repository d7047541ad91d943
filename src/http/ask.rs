use std::time::Duration;

use super::errors::Problem;
use crate::{store, telemetry};

/// How long a reader waits for the store, its turn included, before it is told to come back: shorter than `STORE_TIMEOUT`,
/// because readers of one uid take turns at a store that hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// What the store answers to a question of a route.
///
/// # Errors
/// 503 when it fails, or does not answer within [`PATIENCE`].
pub(super) async fn ask<T>(question: impl Future<Output = store::Result<T>>) -> Result<T, Problem> {
    match tokio::time::timeout(PATIENCE, question).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => {
            telemetry::store_error(error.class);
            // Expected during an outage, which the store's health part logs once.
            tracing::debug!(%error, "a question to the store has failed");
        }
        Err(_) => tracing::debug!("a question to the store took too long"),
    }
    Err(Problem::store_down("the database does not answer; try again; see /healthz"))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_a_store_that_hangs() {
        let began = Instant::now();
        ask::<()>(std::future::pending()).await.expect_err("it does not answer");
        assert_eq!(began.elapsed(), PATIENCE);
    }
}
