//! The log as whoever started the service sees it, or stops seeing it.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::http::Method;
use bytes::Bytes;
use tempfile::TempDir;

use crate::support::{
    client::Client,
    free_port,
    orderbox::Orderbox,
    postgres,
    stan_server::{StanServer, eventually},
};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_many_tries_is_two_lines_a_part_that_say_what_it_is_and_how_long_it_took() {
    let Some(postgres) = postgres::Server::start(&[]).await else { return };
    let Some(mut server) = StanServer::builder().file_store().start().await else { return };
    let database = postgres.database().await;
    let (url, stan) = (database.url(), server.url());
    let mut service =
        Orderbox::start(&[("DATABASE_URL", &url), ("STAN_URL", &stan), ("STORE_TIMEOUT", "1s")]).await;
    service.until_status("/healthz", 200).await;
    let before = service.log().len();
    postgres.stop().await;
    server.kill();
    // A write that fails: the inbox writer says so too.
    assert_eq!(service.client().post("/order", "{}").await.status, 503);
    eventually("each part has failed several times", || async {
        service.metric("orderbox_retries_total{stage=\"recover\"}").await > Some(5.0)
    })
    .await;
    postgres.start_again().await;
    server.restart().await;
    service.until_status("/healthz", 200).await;
    let log = service.log();
    let lines: Vec<&str> = log
        .get(before..)
        .expect("a log only grows")
        .lines()
        .filter(|line| line.contains("orderbox::"))
        .collect();
    for part in ["store", "stan", "recovery", "inbox"] {
        let own: Vec<&&str> = lines.iter().filter(|line| line.contains(&format!(": {part} "))).collect();
        assert_eq!(own.len(), 2, "{part}: {lines:#?}");
        assert!(
            own[0].contains("WARN") && own[0].contains("does not work") && own[0].contains("reason="),
            "{own:?}"
        );
        assert!(
            own[1].contains("INFO") && own[1].contains("works again") && own[1].contains("after_s="),
            "{own:?}"
        );
        let (_, tries) = own[1].split_once("failed_tries=").expect("how many tries it took");
        let tries: String = tries.chars().take_while(char::is_ascii_digit).collect();
        assert!(tries.parse::<u32>().expect("a number") > 1, "{own:?}");
    }
    assert_eq!(lines.len(), 8, "one line a change of state and none a try: {lines:#?}");
}
