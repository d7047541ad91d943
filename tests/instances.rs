//! Several instances on one PostgreSQL, fed by a durable queue group: they share the messages, none is lost or settled twice
//! whichever of them is killed or paused, and none serves for more than a second what another has replaced.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::support::{
    database::Database,
    load::{Load, all_is_well, published, settled},
    orderbox::Orderbox,
    stan_server::{StanServer, eventually},
};

/// How long an instance may serve what another one has replaced.
const STALE: Duration = Duration::from_secs(1);

fn settings(database: &Database, server: &StanServer) -> Vec<(String, String)> {
    let fixed = [
        ("STAN_QUEUE_GROUP", "orderbox"),
        ("STORE_TIMEOUT", "2s"),
        ("STAN_ACK_WAIT", "3s"),
        ("SAMPLE_ORDER", "false"),
    ];
    let own = [("DATABASE_URL", database.url()), ("STAN_URL", server.url())];
    let fixed = fixed.map(|(name, value)| (name, value.to_owned()));
    own.into_iter().chain(fixed).map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn instances<const N: usize>(settings: &[(String, String)]) -> [Orderbox; N] {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut instances = std::array::from_fn(|_| Orderbox::prepare(&settings));
    for instance in &mut instances {
        instance.restart().await;
    }
    instances
}

fn version(number: u64) -> String {
    format!(r#"{{"order_uid":"shared","track_number":"{number}","delivery":{{}},"payment":{{}},"items":[]}}"#)
}

/// One instance replaces the order, and the other has served it before.
async fn is_seen(one: &Orderbox, other: &Orderbox, number: u64) {
    let before = Bytes::from(version(number - 1));
    eventually("the other one has served it before", || async {
        other.order("shared").await == Ok(before.clone())
    })
    .await;
    // The first call after a cut may be the one that notices it.
    eventually("the order is accepted", || async {
        one.client().post("/order", version(number)).await.status == 202
    })
    .await;
    let new = Bytes::from(version(number));
    eventually("the one that settles it serves it", || async {
        one.order("shared").await == Ok(new.clone())
    })
    .await;
    let replaced = Instant::now();
    loop {
        // Just cut off from the store, it may have to say so once; but it says nothing else than these.
        let served = other.order("shared").await;
        let late = replaced.elapsed();
        if served.as_ref() == Ok(&new) {
            break;
        }
        assert!(served == Ok(before.clone()) || served == Err(503), "{served:?}");
        assert!(late < STALE, "the other instance serves what was replaced {late:?} ago:\n{}", other.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_order_is_seen_on_the_other_instance_within_a_second_also_after_its_connections_were_cut()
{
    let Some(database) = Database::postgres().await else { return };
    let url = database.url();
    let settings: [(String, String); 2] =
        [("DATABASE_URL".to_owned(), url), ("SAMPLE_ORDER".to_owned(), "false".to_owned())];
    let [one, other] = instances(&settings).await;
    assert_eq!(one.client().post("/order", version(0)).await.status, 202);
    eventually("an order that one instance settles is served by the other", || async {
        other.order("shared").await == Ok(version(0).into())
    })
    .await;
    for round in 0..5 {
        is_seen(&one, &other, 3 * round + 1).await;
        is_seen(&other, &one, 3 * round + 2).await;
        let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE application_name = 'orderbox' AND datname = current_database()";
        assert!(database.number(cut).await > 0, "nothing was cut");
        is_seen(&one, &other, 3 * round + 3).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_of_a_queue_group_lose_and_double_nothing_while_they_are_killed_and_paused() {
    let messages = std::env::var("MESSAGES").map_or(6000, |value| value.parse().expect("a number"));
    let Some(database) = Database::postgres().await else { return };
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let settings = settings(&database, &server);
    let mut instances: [Orderbox; 3] = instances(&settings).await;
    let load = Load { seed: 61, count: messages, rate: Some(1500) };
    let mut publisher = load.start(&instances[0]);
    let mut random = fastrand::Rng::with_seed(61);
    let mut enough = 0;
    for _ in 0..(messages / 1000) {
        enough += random.i64(200..1000);
        eventually("some messages are settled", || async { settled(&database).await >= enough }).await;
        let (killed, paused) = (random.usize(..3), random.usize(..2));
        instances[killed].kill();
        let paused = &instances[(killed + 1 + paused) % 3];
        paused.pause();
        let so_far = settled(&database).await;
        eventually("the one that is left goes on", || async { settled(&database).await > so_far }).await;
        paused.resume();
        instances[killed].restart().await;
    }
    published(&mut publisher).await;
    for instance in &instances {
        all_is_well(&database, &server, instance, &load.expected()).await;
    }
    let doubled = "SELECT count(*) FROM order_history";
    assert_eq!(database.number(doubled).await, 0, "an order was settled twice");
}
