//! Faults of real disks, databases, links and clocks, under load, with the binary that users run: nothing that was acked is
//! lost or counted twice, no sound message becomes a dead letter, and once the fault is over the service goes on by itself.

mod clock;
mod cuts;
mod disk;
mod read_only;

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::support::{
    client::Client,
    database::Database,
    expected::Expected,
    load::{Load, all_is_well, published},
    orderbox::Orderbox,
    stan_server::{StanServer, eventually},
};

/// Orders that are read while a fault lasts.
const READ: usize = 100;

/// For so long /healthz is looked at: the store is asked every 2 s whether it takes writes again.
const NAMED: Duration = Duration::from_secs(5);

/// Short times, so that what has to time out does so while the test looks.
const SETTINGS: [(&str, &str); 3] =
    [("STORE_TIMEOUT", "2s"), ("STAN_ACK_WAIT", "3s"), ("SAMPLE_ORDER", "false")];

/// A service on this database and broker that is not started yet.
fn service(database: &Database, server: &StanServer) -> Orderbox {
    service_at(&database.url(), server, &[])
}

/// The same by the URL of the database, with further settings.
fn service_at(database: &str, server: &StanServer, more: &[(&str, &str)]) -> Orderbox {
    let server = server.url();
    let own = [("DATABASE_URL", database), ("STAN_URL", server.as_str())];
    Orderbox::prepare(&[&own[..], &SETTINGS[..], more].concat())
}

/// Messages come from STAN and by POST while the store takes no writes from `begins` to `ends`; /healthz says `why`.
async fn no_writes_for_a_while(
    database: &Database,
    why: &[&str],
    begins: impl AsyncFnOnce(),
    ends: impl AsyncFnOnce(),
) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let mut service = service(database, &server);
    service.restart().await;
    let load = Load { rate: Some(500), ..Load::of(81, 1500) };
    let by_post = Load::of(82, 100).expected();
    let mut expected = load.expected();
    let mut publisher = load.start(&service);
    let cached = expected.some_read_from(&service, database, READ).await;

    begins().await;
    let broken = async {
        reason(&service, why).await;
        eventually("writes were tried again and again", || async {
            read(&service, &cached).await;
            service.metric("orderbox_retries_total{stage=\"record\"}").await >= Some(3.0)
        })
        .await;
        ends().await;
    };
    let (refused, ()) = tokio::join!(post(service.client(), &by_post), broken);
    assert!(refused > 0, "nobody was told to try again");
    service.until_status("/healthz", 200).await;
    published(&mut publisher).await;
    expected.add(by_post);
    all_is_well(database, &server, &service, &expected).await;
    let log = service.log();
    assert_eq!(log.matches(": inbox does not work").count(), 1, "a line a change of state:\n{log}");
    assert_eq!(log.matches(": inbox works again").count(), 1, "a line a change of state:\n{log}");
}

/// A message that alone came while the disk was full is refused, and /healthz says for as long as it is full that it is.
async fn a_full_disk_is_named_while_nobody_writes(
    database: &Database,
    begins: impl FnOnce(),
    ends: impl FnOnce(),
) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let mut service = service(database, &server);
    service.restart().await;
    let messages = Load::of(89, 100).expected();
    begins();
    // Free pages may take some yet.
    let mut refused = None;
    for payload in messages.sound.values() {
        let answer = service.client().post("/order", payload.clone()).await;
        if answer.status == 503 {
            refused = Some(payload.clone());
            break;
        }
    }
    let refused = refused.expect("the disk is full");
    let full = ["make room on the database's disk"];
    let said = Instant::now();
    while said.elapsed() < NAMED {
        reason(&service, &full).await;
        let health = service.client().get("/healthz").await;
        assert_eq!(health.status, 503, "{}\n{}", health.text(), service.log());
    }
    ends();
    service.until_status("/healthz", 200).await;
    assert_eq!(service.client().post("/order", refused).await.status, 202);
    service.until_settled().await;
    service.ok(&["audit"]);
    assert_eq!(database.number("SELECT count(*) FROM dead_letters").await, 0);
    let log = service.log();
    assert_eq!(log.matches(": inbox does not work").count(), 1, "a line a change of state:\n{log}");
}

/// What /healthz says of a part that does not work, once it is all of this.
async fn reason(service: &Orderbox, says: &[&str]) -> String {
    let mut said = String::new();
    let end = Instant::now() + Duration::from_secs(30);
    while !says.iter().all(|part| said.contains(part)) {
        assert!(Instant::now() < end, "/healthz says {said:?} and not {says:?}\n{}", service.log());
        let health = service.client().get("/healthz").await;
        let parts = health.json()["parts"].clone();
        let down = |name| parts[name]["reason"].as_str().map(str::to_owned);
        said = ["store", "inbox", "worker"].into_iter().find_map(down).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    said
}

/// Every one of these is served.
async fn read(service: &Orderbox, orders: &[(String, Bytes)]) {
    for (uid, document) in orders {
        assert_eq!(service.order(uid).await.as_ref(), Ok(document), "{uid}");
    }
}

/// Posts each message until it is taken; how often one was refused for now.
async fn post(client: &Client, messages: &Expected) -> usize {
    let mut refused = 0;
    for payload in messages.sound.values().chain(&messages.broken) {
        loop {
            let answer = client.post("/order", payload.clone()).await;
            if answer.status == 202 {
                break;
            }
            assert_eq!(answer.status, 503, "{}", answer.text());
            assert!(answer.headers.contains_key("retry-after"), "{:?}", answer.headers);
            refused += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    refused
}
