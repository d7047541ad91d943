//! A real PostgreSQL server, and a database in it for each test.

use std::{
    path::Path,
    process::Command,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};

use super::{free_port, link::Link, process::Process, program};

const PLACES: [&str; 5] = [
    "/usr/lib/postgresql/18/bin",
    "/usr/lib/postgresql/17/bin",
    "/usr/lib/postgresql/16/bin",
    "/usr/lib/postgresql/15/bin",
    "/usr/lib/postgresql/14/bin",
];

/// How the names of data folders begin; the process id of the test follows.
const FOLDER: &str = "orderbox-postgres-";

/// A running server with a data folder of its own.
#[derive(Debug)]
pub(crate) struct Server {
    process: Mutex<Process>,
    port: u16,
    settings: Vec<String>,
    environment: Vec<String>,
    folder: TempDir,
}

/// One database of a server.
#[derive(Debug)]
pub(crate) struct Database {
    port: u16,
    name: String,
}

/// The server that all tests of this process share; it ends with the process, however that ends.
pub(crate) async fn shared() -> Option<&'static Server> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    SERVER.get_or_init(start_shared).await.as_ref()
}

async fn start_shared() -> Option<Server> {
    remove_left_folders();
    // What a killed server loses is of no use to anyone here; the tests of durability start their own.
    Server::start(&["max_connections=400", "fsync=off", "full_page_writes=off"]).await
}

/// Nothing is dropped when a test process exits, so the folder of its shared server is left to the next one.
fn remove_left_folders() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(FOLDER)) else { continue };
        let lives = rest.split('-').next().is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !lives {
            // Another test process may be doing the same.
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

/// A program that comes with the server.
pub(crate) fn tool(name: &str) -> Option<std::path::PathBuf> {
    program(name, &PLACES)
}

impl Server {
    /// Starts a server for one test, which may stop, kill or pause it. `None` when PostgreSQL is not installed.
    pub(crate) async fn start(settings: &[&str]) -> Option<Self> {
        Self::start_with(settings, Vec::new(), None).await
    }

    /// Starts one that keeps its write-ahead log on another disk.
    pub(crate) async fn start_with_log_on(disk: &Path, settings: &[&str]) -> Option<Self> {
        Self::start_with(settings, Vec::new(), Some(disk)).await
    }

    /// Starts one with further variables, each as `NAME=value`.
    pub(crate) async fn start_in(environment: Vec<String>) -> Option<Self> {
        Self::start_with(&[], environment, None).await
    }

    async fn start_with(settings: &[&str], environment: Vec<String>, log_on: Option<&Path>) -> Option<Self> {
        let initdb = program("initdb", &PLACES)?;
        let folder =
            tempfile::Builder::new().prefix(&format!("{FOLDER}{}-", std::process::id())).tempdir().unwrap();
        give_to_postgres(folder.path());
        let mut make = as_postgres(&initdb);
        make.args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C.UTF-8", "--pgdata"])
            .arg(folder.path().join("data"));
        if let Some(disk) = log_on {
            give_to_postgres(disk);
            make.arg("--wal-segsize=1").arg("--waldir").arg(disk.join("wal"));
        }
        run(&mut make);
        let port = free_port();
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let process = Mutex::new(spawn(folder.path(), port, &settings, &environment));
        let server = Self { process, port, settings, environment, folder };
        server.wait_until_ready().await;
        Some(server)
    }

    /// A new, empty database.
    pub(crate) async fn database(&self) -> Database {
        self.database_with("").await
    }

    /// A new database with options of `CREATE DATABASE`.
    pub(crate) async fn database_with(&self, options: &str) -> Database {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.execute(&format!("CREATE DATABASE {name} {options}")).await;
        Database { port: self.port, name }
    }

    /// The URL of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Sends a signal to every process of the server: a pause must stop them all.
    pub(crate) async fn signal_all(&self, signal: &str) {
        let postmaster = self.process.lock().await.pid();
        let children =
            std::fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        for pid in children.split_whitespace().map(str::to_owned).chain([postmaster.to_string()]) {
            // A process may have ended by itself meanwhile.
            drop(Command::new("kill").arg(format!("-{signal}")).arg(pid).output());
        }
    }

    /// Stops the server at once; sessions are cut off.
    pub(crate) async fn stop(&self) {
        let mut process = self.process.lock().await;
        process.signal("QUIT");
        process.wait(Duration::from_secs(30)).await;
    }

    /// Starts it again after [`Server::stop`].
    pub(crate) async fn start_again(&self) {
        *self.process.lock().await = spawn(self.folder.path(), self.port, &self.settings, &self.environment);
        self.wait_until_ready().await;
    }

    /// Starts it again if it has ended by itself.
    pub(crate) async fn recover(&self) {
        while !self.is_ready() {
            let ended = self.process.lock().await.exited().is_some();
            if ended {
                self.start_again().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Everything the server has logged.
    pub(crate) async fn output(&self) -> String {
        self.process.lock().await.output()
    }

    /// Runs SQL that is about the server as a whole.
    pub(crate) async fn execute(&self, sql: &str) {
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }

    /// A new, empty database whose tables lie on another disk.
    pub(crate) async fn database_on(&self, disk: &Path) -> Database {
        let folder = disk.join("tables");
        std::fs::create_dir(&folder).unwrap();
        give_to_postgres(&folder);
        self.execute(&format!("CREATE TABLESPACE other LOCATION '{}'", folder.display())).await;
        self.database_with("TABLESPACE other").await
    }

    fn is_ready(&self) -> bool {
        let mut command = Command::new(program("pg_isready", &PLACES).expect("it comes with initdb"));
        command.args(["--quiet", "--host=127.0.0.1"]).arg(format!("--port={}", self.port));
        command.status().unwrap().success()
    }

    async fn wait_until_ready(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while !self.is_ready() {
            let mut process = self.process.lock().await;
            assert!(process.exited().is_none() && Instant::now() < end, "PostgreSQL:\n{}", process.output());
            drop(process);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Database {
    pub(crate) fn url(&self) -> String {
        url(self.port, &self.name)
    }

    /// The way to it over a link to its server.
    pub(crate) fn url_through(&self, link: &Link) -> String {
        url(link.port(), &self.name)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) async fn connection(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap()
    }
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

fn spawn(folder: &Path, port: u16, settings: &[String], environment: &[String]) -> Process {
    let postgres = program("postgres", &PLACES).expect("it comes with initdb");
    // The kernel ends the server when the thread that started it ends, so start it from one that lives as long as the
    // process does: the server survives no test run, even one that is killed.
    let mut command = as_postgres(Path::new("env"));
    command
        .args(environment)
        .arg(postgres)
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-h", "127.0.0.1", "-p"])
        .arg(port.to_string());
    command.arg("-k").arg(folder);
    for setting in settings {
        command.args(["-c", setting]);
    }
    let log = folder.join("postgres.log");
    on_a_lasting_thread(move || Process::start("postgres", command, log))
}

/// `program` as the user postgres when we are root (a server refuses root), ended by the kernel with its parent.
fn as_postgres(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if am_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT"]).arg(program);
    command
}

/// Lets the server, which does not run as root, write to a folder.
fn give_to_postgres(folder: &Path) {
    if am_root() {
        run(Command::new("chown").arg("postgres").arg(folder));
    }
}

fn am_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `work` on a thread that lasts as long as the process.
fn on_a_lasting_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    type Job = Box<dyn FnOnce() + Send>;
    static THREAD: OnceLock<std::sync::mpsc::SyncSender<Job>> = OnceLock::new();
    let thread = THREAD.get_or_init(|| {
        let (jobs, queue) = std::sync::mpsc::sync_channel::<Job>(0);
        std::thread::spawn(move || queue.into_iter().for_each(|job| job()));
        jobs
    });
    let (done, result) = std::sync::mpsc::sync_channel(1);
    thread
        .send(Box::new(move || {
            // The receiver waits below.
            drop(done.send(work()));
        }))
        .expect("the thread lasts as long as the process");
    result.recv().expect("the work did not panic")
}
