//! Conservation at every commit: whoever looks, at whatever moment, finds every message received accounted for.

use std::time::Duration;

use crate::support::{
    database::Database,
    orderbox::{Orderbox, on_each_store},
    stan_server::{StanServer, eventually},
};

on_each_store!(the_ledger_balances_at_every_moment_while_the_service_is_killed_again_and_again,);

const SETTLED: &str =
    "SELECT CAST(coalesce(sum(messages), 0) AS bigint) FROM ledger WHERE outcome <> 'received'";

async fn the_ledger_balances_at_every_moment_while_the_service_is_killed_again_and_again(database: Database) {
    let Some(server) = StanServer::builder().file_store().start().await else { return };
    let (url, stan) = (database.url(), server.url());
    let mut service = Orderbox::prepare(&[
        ("DATABASE_URL", &url),
        ("STAN_URL", &stan),
        ("STORE_TIMEOUT", "2s"),
        ("STAN_ACK_WAIT", "3s"),
        ("SAMPLE_ORDER", "false"),
    ]);
    service.restart().await;
    // Its own connections: it sees what any other program sees.
    let watcher = database.store().await;
    let (mut looks, mut states) = (0, std::collections::BTreeSet::new());
    let looking = async {
        loop {
            let audit = watcher.audit().await.unwrap();
            assert!(audit.balances(), "look {looks}: {:#?}\n{audit:#?}", audit.differences());
            looks += 1;
            states.insert(audit.channels.first().map(|channel| channel.ledger.received));
            tokio::task::yield_now().await;
        }
    };
    let killing = async {
        let args = [
            "publish", "--count", "3000", "--rate", "1000", "--broken", "0.05", "--items", "1", "--seed",
            "31",
        ];
        let mut publisher = service.spawn("publish", &args);
        for settled in [100, 700, 1300, 2000, 2600] {
            eventually("some messages are settled", || async { database.number(SETTLED).await >= settled })
                .await;
            service.kill();
            service.restart().await;
        }
        assert!(publisher.wait(Duration::from_secs(60)).await.success(), "{}", publisher.output());
        eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
    };
    tokio::select! {
        () = looking => {}
        () = killing => {}
    }
    // Each state that was seen is that of another commit; a busy machine looks less often.
    assert!(
        states.len() >= 8,
        "only {} states in {looks} looks, so this test has shown nothing",
        states.len()
    );
    service.ok(&["audit"]);
}
