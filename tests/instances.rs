//! Several instances on one PostgreSQL, fed by a durable queue group or a consumer of JetStream: they share the messages, none is lost or settled twice
//! whichever of them is killed or paused, and none serves for more than a second what another has replaced.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::support::{
    database::Database,
    load::{Load, all_is_settled, all_is_well, published, settled},
    nats_server::{NatsServer, until_all_is_acked},
    orderbox::Orderbox,
    stan_server::{StanServer, eventually},
};

/// How long an instance may serve what another one has replaced.
const STALE: Duration = Duration::from_secs(1);

async fn instances<const N: usize>(database: &Database, source: &[(&str, &str)]) -> [Orderbox; N] {
    let url = database.url();
    let own = [("DATABASE_URL", url.as_str()), ("STORE_TIMEOUT", "2s"), ("SAMPLE_ORDER", "false")];
    let settings = [&own, source].concat();
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
    let [one, other] = instances(&database, &[]).await;
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
async fn an_order_that_one_instance_deletes_is_gone_on_the_other_within_a_second_and_the_next_of_its_uid_is_shown()
 {
    let Some(database) = Database::postgres().await else { return };
    let [other] = instances(&database, &[]).await;
    assert_eq!(other.client().post("/order", version(0)).await.status, 202);
    other.until_settled().await;
    for number in 0..4 {
        let (old, new) = (Bytes::from(version(number)), Bytes::from(version(number + 1)));
        assert_eq!(other.order("shared").await, Ok(old.clone()));
        database.execute("UPDATE orders SET updated_at = now() - interval '2 hours'").await;
        let [one] = instances(&database, &[("ORDER_RETENTION", "1h")]).await;
        eventually("it is deleted", async || database.number("SELECT count(*) FROM orders").await == 0).await;
        let mut changed = Instant::now();
        // Each second time the next one is settled before the other instance has looked.
        let (next, shown) = if number % 2 == 0 {
            (None, Err(404))
        } else {
            assert_eq!(one.client().post("/order", new.clone()).await.status, 202);
            changed = Instant::now();
            (Some(new.clone()), Ok(new.clone()))
        };
        loop {
            let served = other.order("shared").await;
            if served == shown {
                break;
            }
            assert!(served == Ok(old.clone()) || served == Err(404), "{served:?}");
            assert!(
                changed.elapsed() < STALE,
                "the other instance serves what was deleted:\n{}",
                other.log()
            );
            // The service has the same two cores.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        if next.is_none() {
            assert_eq!(one.client().post("/order", new.clone()).await.status, 202);
        }
        eventually("the next is shown", async || other.order("shared").await == Ok(new.clone())).await;
        one.ok(&["audit"]);
    }
}

/// Publishes while one instance after the other is killed and another one stopped for a while; `meanwhile` is done once a round.
async fn disturb(
    database: &Database,
    instances: &mut [Orderbox; 3],
    load: Load,
    mut meanwhile: impl AsyncFnMut(usize),
) {
    let mut publisher = load.start(&instances[0]);
    let mut random = fastrand::Rng::with_seed(load.seed);
    let mut enough = 0;
    for round in 0..load.count / 1000 {
        enough += random.i64(200..1000);
        eventually("some messages are settled", || async { settled(database).await >= enough }).await;
        let (killed, paused) = (random.usize(..3), random.usize(1..3));
        instances[killed].kill();
        let paused = &instances[(killed + paused) % 3];
        paused.pause();
        meanwhile(round).await;
        let so_far = settled(database).await;
        eventually("the one that is left goes on", || async { settled(database).await > so_far }).await;
        paused.resume();
        instances[killed].restart().await;
    }
    published(&mut publisher).await;
}

/// Beside what each instance says: nothing was settled as a second version of itself.
async fn nothing_is_doubled(database: &Database) {
    assert_eq!(database.number("SELECT count(*) FROM order_history").await, 0, "an order was settled twice");
}

fn messages() -> usize {
    std::env::var("MESSAGES").map_or(6000, |value| value.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_instances_of_a_queue_group_lose_and_double_nothing_while_they_are_killed_and_paused() {
    let Some(database) = Database::postgres().await else { return };
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let url = server.url();
    let stan = [("STAN_URL", url.as_str()), ("STAN_QUEUE_GROUP", "orderbox"), ("STAN_ACK_WAIT", "3s")];
    let mut instances = instances(&database, &stan).await;
    let load = Load { rate: Some(1500), ..Load::of(61, messages()) };
    disturb(&database, &mut instances, load, async |_| {}).await;
    for instance in &instances {
        all_is_well(&database, &server, instance, &load.expected()).await;
    }
    nothing_is_doubled(&database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: a cluster of three nodes, of which one is killed as well"]
async fn three_instances_of_a_consumer_lose_and_double_nothing_while_they_and_a_node_are_killed() {
    let Some(database) = Database::postgres().await else { return };
    let Some(mut server) = NatsServer::cluster().await else { return };
    server.make_stream().await;
    let url = server.url();
    let mut instances = instances(&database, &[("JETSTREAM_URL", url.as_str())]).await;
    let load = Load { rate: Some(500), ..Load::of(62, messages()) };
    disturb(&database, &mut instances, load, async |round| match round % 3 {
        0 => server.kill(round % 2),
        1 => server.restart((round - 1) % 2).await,
        _ => {}
    })
    .await;
    until_all_is_acked(&server).await;
    for instance in &instances {
        all_is_settled(&database, instance, &load.expected()).await;
    }
    nothing_is_doubled(&database).await;
}
