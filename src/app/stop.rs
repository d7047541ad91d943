use futures_util::future::join_all;
use tokio::task::{JoinError, JoinHandle};

use super::Service;
use crate::fail_point;

impl Service {
    /// The ordered shutdown; docs/ARCHITECTURE.md names the steps. `true` when all that was received is settled and its acks
    /// have arrived.
    pub(super) async fn stop(&mut self) -> bool {
        tracing::info!("stopping: settling what was received");
        // 1
        self.stopping.cancel();
        self.inbox.close();
        self.stop_background.cancel();
        self.step = "2: sources stop reading";
        self.stop_sources.cancel();
        let (mut sources, mut sound) = (Vec::new(), true);
        for source in self.sources.drain(..) {
            match source.await {
                Ok(source) => sources.push(source),
                Err(error) => sound = failed("a source", &error),
            }
        }
        fail_point::reach("during_shutdown").await;
        self.step = "3: the inbox writer commits what has queued";
        self.stop_writer.cancel();
        sound &= ended("the inbox writer", &mut self.writer).await;
        fail_point::reach("during_shutdown").await;
        // The queue to the worker closes when its last sender, the writer or the recovery, has gone.
        self.step = "4: the worker settles what is recorded";
        sound &= ended("the worker", &mut self.worker).await;
        fail_point::reach("during_shutdown").await;
        self.step = "5 and 6: acks go out, subscriptions close";
        // At once: one that can't reach its broker must not take the time of the other.
        let finished = join_all(sources.iter_mut().map(|source| source.finish())).await;
        sound &= finished.into_iter().all(|proven| proven);
        fail_point::reach("during_shutdown").await;
        self.step = "7: HTTP requests finish";
        self.stop_server.cancel();
        sound &= ended("the HTTP server", &mut self.server).await;
        self.tasks.close();
        self.tasks.wait().await;
        sound && self.in_flight.is_empty()
    }
}

/// Waits for a stage; `false` when it has failed.
async fn ended(name: &str, task: &mut Option<JoinHandle<()>>) -> bool {
    let Some(task) = task.take() else { return true };
    match task.await {
        Ok(()) => true,
        Err(error) => failed(name, &error),
    }
}

fn failed(name: &str, error: &JoinError) -> bool {
    // Not what it says: the text of a panic may quote a message.
    tracing::error!(cancelled = error.is_cancelled(), "{name} has failed, which is a bug");
    false
}
