//! The log as whoever started the service sees it, or stops seeing it.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::http::Method;
use bytes::Bytes;
use tempfile::TempDir;

use crate::support::{client::Client, free_port, stan_server::eventually};

#[tokio::test]
async fn a_reader_of_the_log_that_goes_away_ends_neither_the_service_nor_its_ordered_stop() {
    let folder = TempDir::new().expect("create a temporary folder");
    let port = free_port();
    let child = Command::new(env!("CARGO_BIN_EXE_orderbox"))
        .current_dir(folder.path())
        .env_clear()
        .env("HTTP_ADDR", format!("127.0.0.1:{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run orderbox");
    let mut service = Killed(child);
    drop(service.0.stderr.take());
    let client = Client::of(port);
    eventually("/readyz answers 200", || async {
        let answer = client.try_send(Method::GET, "/readyz", Bytes::new()).await;
        answer.is_some_and(|answer| answer.status == 200)
    })
    .await;
    let pid = service.0.id().to_string();
    assert!(Command::new("kill").arg(pid).status().expect("run kill").success());
    let stopped = tokio::task::spawn_blocking(move || service.0.wait());
    let status = tokio::time::timeout(Duration::from_secs(60), stopped).await.expect("it stops");
    assert_eq!(status.expect("no panic").expect("it was started").code(), Some(0));
}

/// A process that does not outlive a failing test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // An error means that it is gone already, which is what is wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
