//! One order from memory against nginx with the same bytes in a file and against a bare axum handler; many orders against
//! one; and what the metrics cost a read. All servers run all the time, on core 0, and are loaded in turn.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{
    Result, fill,
    nginx::{self, Nginx},
    rows::{
        Key, Rows,
        Target::{AtLeast, AtMost, None},
        Unit::{Micros, Millis, PerSecond},
    },
    service,
    settings::{Settings, in_turn},
    support::{database::Database, free_port, orderbox::Orderbox, process::Process, stan_server::eventually},
    wrk::{Figures, Loaded, SERVER_CORE},
};

/// The sample order, which an empty store starts with.
const SAMPLE: &str = "b563feb7b2b84b6test";

#[derive(Debug, Clone, Copy)]
enum Side {
    Orderbox,
    Nginx,
    NginxAsInstalled,
    Axum,
    AxumWithoutMetrics,
    OneUid,
    ManyUids,
}

#[derive(Debug)]
struct Keys {
    rate: Key,
    p99: Key,
    cpu: Key,
    cpu_over_nginx: Key,
    over_installed: Key,
    over_axum: Key,
    uids: Key,
    metrics: Key,
}

pub(crate) async fn measure(settings: &Settings, rows: &mut Rows) -> Result {
    let keys = Keys {
        rate: rows.ratio("reads/rate", PerSecond, "nginx", AtLeast(1.8)),
        p99: rows.ratio("reads/p99", Millis, "nginx", AtMost(1.0)),
        cpu: rows.figure("reads/cpu", Micros, AtMost(7.5)),
        cpu_over_nginx: rows.ratio("reads/cpu-nginx", Micros, "nginx", None),
        over_installed: rows.ratio("reads/installed", PerSecond, "nginx as installed", None),
        over_axum: rows.ratio("reads/axum", PerSecond, "bare axum", None),
        uids: rows.ratio("reads/uids", PerSecond, "one uid", AtLeast(0.75)),
        metrics: rows.ratio("reads/metrics", Micros, "without", AtMost(1.03)),
    };
    let servers = Servers::start(settings).await?;
    for round in settings.rounds() {
        servers.round(round, settings, rows, &keys).await?;
    }
    Ok(())
}

struct Servers {
    orderbox: Orderbox,
    nginx: Nginx,
    nginx_as_installed: Nginx,
    axum: Axum,
    axum_without_metrics: Axum,
    one: PathBuf,
    many: PathBuf,
    // Last, so that the processes that use them end before.
    _database: Database,
    _folder: TempDir,
}

impl Servers {
    async fn start(settings: &Settings) -> Result<Self> {
        let database = Database::sqlite().expect("SQLite is built in");
        database.store().await;
        fill::fill(&database, settings.uids).await?;
        let uids = database.rows("SELECT order_uid FROM orders").await;
        let uids: Vec<String> = uids.into_iter().flatten().flatten().collect();
        let folder = tempfile::tempdir()?;
        let (one, many) = (folder.path().join("one"), folder.path().join("many"));
        fs::write(&one, &uids[0])?;
        fs::write(&many, uids.join("\n"))?;

        let mut orderbox = service::prepare(&[
            ("DATABASE_URL", database.url()),
            // As many as tokio makes by itself when it is started on one core.
            ("TOKIO_WORKER_THREADS", "1".to_owned()),
        ]);
        orderbox.restart().await;
        pin(orderbox.pid())?;
        service::rebuilt(&orderbox).await?;
        eventually("the sample order can be read", async || orderbox.order(SAMPLE).await.is_ok()).await;
        let document = orderbox.order(SAMPLE).await.map_err(|status| format!("{SAMPLE}: {status}"))?;
        Ok(Self {
            orderbox,
            nginx: Nginx::start(nginx::TUNED, &document).await?,
            nginx_as_installed: Nginx::start(nginx::AS_INSTALLED, &document).await?,
            axum: Axum::start("with", folder.path()).await?,
            axum_without_metrics: Axum::start("without", folder.path()).await?,
            one,
            many,
            _database: database,
            _folder: folder,
        })
    }

    async fn round(&self, round: usize, settings: &Settings, rows: &mut Rows, keys: &Keys) -> Result {
        let sides = [Side::Orderbox, Side::Nginx, Side::NginxAsInstalled, Side::Axum];
        let [orderbox, nginx, installed, axum] = self.load(round, sides, settings).await?;
        rows.compared(keys.rate, orderbox.per_second, nginx.per_second);
        rows.compared(keys.p99, orderbox.p99_millis, nginx.p99_millis);
        rows.measured(keys.cpu, orderbox.cpu_micros_a_request);
        rows.compared(keys.cpu_over_nginx, orderbox.cpu_micros_a_request, nginx.cpu_micros_a_request);
        rows.compared(keys.over_installed, orderbox.per_second, installed.per_second);
        rows.compared(keys.over_axum, orderbox.per_second, axum.per_second);
        let [many, one] = self.load(round, [Side::ManyUids, Side::OneUid], settings).await?;
        rows.compared(keys.uids, many.per_second, one.per_second);
        let [with, without] = self.load(round, [Side::Axum, Side::AxumWithoutMetrics], settings).await?;
        rows.compared(keys.metrics, with.cpu_micros_a_request, without.cpu_micros_a_request);
        Ok(())
    }

    /// Loads each side; the figures are in the order given.
    async fn load<const N: usize>(
        &self,
        round: usize,
        sides: [Side; N],
        settings: &Settings,
    ) -> Result<[Figures; N]> {
        let mut figures = [Figures::default(); N];
        for place in in_turn(round, std::array::from_fn::<usize, N, _>(|place| place)) {
            figures[place] = self.loaded(sides[place]).load(settings.reading()).await?;
        }
        Ok(figures)
    }

    fn loaded(&self, side: Side) -> Loaded<'_> {
        let (port, pid, uids) = match side {
            Side::Orderbox => (self.orderbox.address().1, self.orderbox.pid(), Option::None),
            Side::OneUid => (self.orderbox.address().1, self.orderbox.pid(), Some(self.one.as_path())),
            Side::ManyUids => (self.orderbox.address().1, self.orderbox.pid(), Some(self.many.as_path())),
            Side::Nginx => (self.nginx.port(), self.nginx.pid(), Option::None),
            Side::NginxAsInstalled => {
                (self.nginx_as_installed.port(), self.nginx_as_installed.pid(), Option::None)
            }
            Side::Axum => (self.axum.port, self.axum.process.pid(), Option::None),
            Side::AxumWithoutMetrics => {
                (self.axum_without_metrics.port, self.axum_without_metrics.process.pid(), Option::None)
            }
        };
        Loaded { port, pid, uids, uid: SAMPLE }
    }
}

/// Puts a process that runs already on the servers' core, with all its threads.
fn pin(pid: u32) -> Result {
    let mut command = Command::new("taskset");
    command.args(["--all-tasks", "--cpu-list", "--pid", SERVER_CORE[2], &pid.to_string()]);
    let output = command.output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("taskset: {told}").into()) }
}

/// benches/bare_axum.rs, built beside this program.
struct Axum {
    process: Process,
    port: u16,
}

impl Axum {
    async fn start(metrics: &str, folder: &Path) -> Result<Self> {
        let this = std::env::current_exe()?;
        let profile = this.ancestors().nth(2).ok_or("this program lies in no folder of cargo's")?;
        let binary = profile.join("examples/bare_axum");
        if !binary.is_file() {
            return Err(format!("{} is not built: run `make bench`", binary.display()).into());
        }
        let port = free_port();
        let mut command = Command::new(SERVER_CORE[0]);
        command.args(&SERVER_CORE[1..]).arg(binary).args([&format!("127.0.0.1:{port}"), metrics]);
        let process = Process::start("bare_axum", command, folder.join(format!("axum-{metrics}.log")));
        eventually("bare_axum listens", async || {
            tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
        })
        .await;
        Ok(Self { process, port })
    }
}
