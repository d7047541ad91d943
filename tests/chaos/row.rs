use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use orderbox::{
    sample,
    stan::{Connection, Options, SubscribeOptions},
};

use super::fault::{Fault, Point};
use crate::support::{
    database::Database,
    expected::Expected,
    orderbox::Orderbox,
    postgres,
    reckoning::Reckoning,
    stan_server::{StanServer, eventually},
};

/// The load: so many messages, 2 % of them broken, at this rate.
const COUNT: usize = 400;
const RATE: &str = "200";
const BROKEN: f64 = 0.02;
const SEED: u64 = 71;

/// How long the service may take to say what is broken, or to stop.
const LIMIT: Duration = Duration::from_secs(30);

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) point: &'static str,
    pub(super) at: u32,
    pub(super) fault: Fault,
    pub(super) on_postgres: bool,
}

/// What a row came to.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// The test's output says where and why.
    Panicked,
    Reckoned {
        /// The service stood at the point when it struck.
        fired: bool,
        reckoning: Reckoning,
        /// `orderbox audit` says so, and the inbox is empty.
        balances: bool,
        /// All that was to be published is in the channel; of a broker that was gone, all that it acked.
        complete: bool,
        /// From the mending until the service is healthy and every message acked.
        recovered: Duration,
    },
}

impl Verdict {
    pub(super) fn is_sound(&self) -> bool {
        match self {
            Self::Panicked => false,
            Self::Reckoned { fired, reckoning, balances, complete, .. } => {
                *fired && *balances && *complete && *reckoning == Reckoning::default()
            }
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = if self.on_postgres { "postgresql" } else { "sqlite" };
        write!(f, "{:22}{:17}{store:12}", self.point, self.fault.name())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Reckoned { fired, reckoning, balances, complete, recovered } = self else {
            return f.write_str("FAILED: panicked, see above");
        };
        let Reckoning { lost, doubled, misjudged } = *reckoning;
        let fired = if *fired { "yes" } else { "no" };
        write!(f, "{fired:>5} {lost:>6} {doubled:>8} {:>11.1} s", recovered.as_secs_f64())?;
        for (wrong, what) in [
            (!balances, "does not balance"),
            (!complete, "the channel lacks messages"),
            (misjudged > 0, "sound orders are dead letters"),
            (!self.is_sound(), "FAILED"),
        ] {
            if wrong {
                write!(f, "  {what}")?;
            }
        }
        Ok(())
    }
}

impl Row {
    /// Holds the service at the point under load, breaks what the fault says, lets it go on, mends it, and reckons.
    pub(super) async fn walk(self, database: &Database, postgres: Option<&postgres::Server>) -> Verdict {
        let mut broker =
            StanServer::builder().file_store().start().await.expect("nats-streaming-server is installed");
        let folder = tempfile::tempdir().unwrap();
        let mut service = service(database, &broker);
        let mut expected = expected(SEED);
        if self.point == "during_rebuild" {
            service.restart().await;
            service.ok(&publish(SEED + 1).each_ref().map(String::as_str));
            expected.add(self::expected(SEED + 1));
            all_acked(&broker).await;
            service.kill();
        }
        let strikes_the_database = matches!(self.fault, Fault::DatabaseGone | Fault::DatabasePaused);
        if strikes_the_database {
            expected.add(self::expected(SEED + 2));
        }
        let published = expected.sound.len() + expected.broken.len();

        self.arm(&mut service, Some(&folder));
        service.restart().await;
        let load = publish(SEED);
        let load = load.iter().map(String::as_str).chain(["--rate", RATE]).collect::<Vec<_>>();
        let mut publisher = service.spawn("publish", &load);
        if self.point == "during_shutdown" {
            eventually("the load has begun", || async { broker.last_sequence("orders").await > 50 }).await;
            service.ask_to_stop();
        }
        let reached = folder.path().join("reached");
        eventually("the point is reached", || async { reached.exists() }).await;

        let point = Point {
            reached,
            go: folder.path().join("go"),
            holds_write_lock: self.point == "before_settle_commit",
        };
        let struck = self.fault.strike(&mut service, &mut broker, database, postgres, &point).await;
        let fired = struck.at_the_point;
        if strikes_the_database {
            // The load may have ended before the fault got its turn, and who has nothing to write notices nothing.
            service.ok(&publish(SEED + 2).each_ref().map(String::as_str));
        }
        if self.fault != Fault::Killed {
            noticed(&mut service).await;
        }
        let mended = Instant::now();
        self.fault.mend(struck, &mut service, &mut broker, postgres).await;
        self.arm(&mut service, None);
        if self.point == "during_shutdown" && self.fault != Fault::Killed {
            ended(&mut service).await;
        }
        if service.has_ended() {
            service.restart().await;
        }
        service.until_status("/healthz", 200).await;
        all_acked(&broker).await;
        let recovered = mended.elapsed();

        let status = publisher.wait(Duration::from_secs(90)).await;
        all_acked(&broker).await;
        service.until_settled().await;
        let stored = stored(&broker).await;
        // A publisher that lost its broker knows of some messages that they are stored; of the others only the channel does.
        let complete = match self.fault {
            Fault::BrokerGone => stored.len() >= published - COUNT + acked(&publisher.output()),
            _ => status.success() && stored.len() == published,
        };
        expected.keep(&stored);
        Verdict::Reckoned {
            fired,
            reckoning: Reckoning::of(&expected, &service, database).await,
            balances: service.run(&["audit"]).status.success()
                && database.number("SELECT count(*) FROM inbox").await == 0,
            complete,
            recovered,
        }
    }

    /// Makes the next start of the service hold at the point, or not.
    fn arm(self, service: &mut Orderbox, folder: Option<&tempfile::TempDir>) {
        let folder = folder.map(|folder| folder.path().display().to_string());
        for (name, value) in [
            ("ORDERBOX_FAIL_POINT", self.point.to_owned()),
            ("ORDERBOX_FAIL_POINT_AT", self.at.to_string()),
            ("ORDERBOX_FAIL_POINT_FOLDER", folder.clone().unwrap_or_default()),
        ] {
            service.set(name, folder.as_ref().map(|_| value.as_str()));
        }
    }
}

fn service(database: &Database, broker: &StanServer) -> Orderbox {
    let (url, stan) = (database.url(), broker.url());
    let mut service = Orderbox::prepare(&[
        ("DATABASE_URL", url.as_str()),
        ("STAN_URL", stan.as_str()),
        ("STORE_TIMEOUT", "2s"),
        ("STAN_ACK_WAIT", "3s"),
        ("SHUTDOWN_TIMEOUT", "8s"),
        ("SAMPLE_ORDER", "false"),
    ]);
    // A write beyond the limit is to fail and not to end the process.
    service.serve_through(&["env", "--ignore-signal=XFSZ"]);
    service
}

/// Waits until the service says what is broken, or has ended.
async fn noticed(service: &mut Orderbox) {
    let end = Instant::now() + LIMIT;
    while !service.has_ended() && service.try_get("/healthz").await.is_none_or(|answer| answer.status != 503)
    {
        assert!(Instant::now() < end, "the service did not notice:\n{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn ended(service: &mut Orderbox) {
    let end = Instant::now() + LIMIT;
    while !service.has_ended() {
        assert!(Instant::now() < end, "the service did not end:\n{}", service.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn all_acked(broker: &StanServer) {
    eventually("every message is acked", || async { broker.backlog("orders").await == 0 }).await;
}

/// How many messages `orderbox publish` says that it has published; one that never reached the broker says nothing of it.
fn acked(report: &str) -> usize {
    let Some((_, after)) = report.split_once("published ") else { return 0 };
    after.split_once(' ').expect("a number of messages").0.replace(',', "").parse().expect("a number")
}

/// Every message of the channel.
async fn stored(broker: &StanServer) -> Vec<Bytes> {
    let options = Options::new([broker.url()], StanServer::CLUSTER, "reckoning").unwrap();
    let connection = Connection::connect(&options).await.unwrap();
    let everything = SubscribeOptions { max_in_flight: 100_000, ..SubscribeOptions::new("orders") };
    let mut subscription = connection.subscribe(&everything).await.unwrap();
    let last = broker.last_sequence("orders").await;
    let mut payloads = Vec::new();
    while (payloads.len() as u64) < last {
        payloads.push(subscription.next().await.expect("the server is there").data);
    }
    payloads
}

fn expected(seed: u64) -> Expected {
    let options = sample::Options { items: Some(1), oversized: true, ..sample::Options::default() };
    Expected::of(seed, COUNT, BROKEN, options)
}

fn publish(seed: u64) -> [String; 9] {
    let [count, broken, seed] = [COUNT.to_string(), BROKEN.to_string(), seed.to_string()];
    ["publish", "--count", &count, "--broken", &broken, "--items", "1", "--seed", &seed].map(str::to_owned)
}
