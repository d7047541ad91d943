//! The service itself, as a process of its own: the binary that users run.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, ExitStatus, Output},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tempfile::TempDir;

use super::{
    client::{Answer, Client},
    database::Database,
    process::Process,
    stan_server::eventually,
};

/// How long a start, a stop or a recovery may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// What is started; `make attack` and `make bench` name the release binary.
pub(crate) fn binary() -> OsString {
    std::env::var_os("ORDERBOX_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_orderbox").into())
}

/// A running service with its settings, in a temporary folder.
#[derive(Debug)]
pub(crate) struct Orderbox {
    settings: Vec<(String, String)>,
    /// A program with its arguments that becomes the service, as `env` does; none when empty.
    through: Vec<String>,
    process: Option<Process>,
    /// Where it listens since its first start: the system chose the port, and later starts ask for the same one.
    place: Option<(u16, Client)>,
    // Last, so that a failing test can still print the log in it.
    folder: TempDir,
}

impl Orderbox {
    /// Starts the service with these settings and waits until it is ready. Without a DATABASE_URL it runs on SQLite.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let mut service = Self::prepare(settings);
        service.restart().await;
        service
    }

    /// Starts the service on this database, with further settings, and waits until it is ready.
    pub(crate) async fn on(database: &Database, settings: &[(&str, &str)]) -> Self {
        let url = database.url();
        Self::start(&[&[("DATABASE_URL", url.as_str())], settings].concat()).await
    }

    /// A service that is not started yet.
    pub(crate) fn prepare(settings: &[(&str, &str)]) -> Self {
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let folder = TempDir::new().expect("create a temporary folder");
        Self { settings, through: Vec::new(), process: None, place: None, folder }
    }

    /// Starts the service by a program that becomes it.
    pub(crate) fn serve_through(&mut self, program: &[&str]) {
        self.through = program.iter().map(|&part| part.to_owned()).collect();
    }

    /// Starts the process and waits until it listens, which it does whether its servers are there or not.
    pub(crate) async fn launch(&mut self) {
        let command = self.serve_command();
        let before = self.log().len();
        self.process = Some(Process::start("orderbox", command, self.folder.path().join("orderbox.log")));
        let port = self.until("it listens", async |service| port_in(service.log().get(before..)?)).await;
        if self.place.as_ref().is_none_or(|(known, _)| *known != port) {
            self.place = Some((port, Client::of(port)));
        }
    }

    /// Starts the process (again) and waits until it can be read from.
    pub(crate) async fn restart(&mut self) {
        self.process = None;
        self.launch().await;
        self.until_status("/readyz", 200).await;
    }

    /// Waits until a route answers with this status; panics at once when the process has ended.
    pub(crate) async fn until_status(&mut self, path: &str, status: u16) {
        self.until(&format!("{path} answers {status}"), async |service| {
            let answer = service.try_get(path).await?;
            (answer.status == status).then_some(())
        })
        .await;
    }

    /// Waits until `look` finds something; panics with the log when the process ends before, or it takes too long.
    async fn until<T>(&mut self, what: &str, look: impl AsyncFn(&Self) -> Option<T>) -> T {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(found) = look(self).await {
                return found;
            }
            if let Some(status) = self.process.as_mut().expect("the service runs").exited() {
                panic!("{what}: orderbox ended with {status}:\n{}", self.log());
            }
            assert!(Instant::now() < end, "{what}: not within {LIMIT:?}:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends the process as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Stops the process without closing anything, until [`Orderbox::resume`].
    pub(crate) fn pause(&self) {
        self.process.as_ref().expect("the service runs").pause();
    }

    pub(crate) fn resume(&self) {
        self.process.as_ref().expect("the service runs").signal("CONT");
    }

    /// Asks the process to stop and waits for it.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the service runs");
        process.signal("TERM");
        process.wait(LIMIT).await
    }

    /// Asks twice in a row, as `timeout` does, and waits for it.
    pub(crate) async fn terminate_twice(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("the service runs");
        process.signal("TERM");
        eventually("the first signal was heard", || async { process.output().contains("stopping") }).await;
        process.signal("TERM");
        process.wait(LIMIT).await
    }

    /// Changes the settings of the next start.
    pub(crate) fn set(&mut self, name: &str, value: Option<&str>) {
        self.settings.retain(|(known, _)| known != name);
        self.settings.extend(value.map(|value| (name.to_owned(), value.to_owned())));
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("orderbox.log")).unwrap_or_default()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.place.as_ref().expect("the service was started").0)
    }

    pub(crate) fn client(&self) -> &Client {
        &self.place.as_ref().expect("the service was started").1
    }

    pub(crate) async fn try_get(&self, path: &str) -> Option<Answer> {
        self.client().try_send(axum::http::Method::GET, path, Bytes::new()).await
    }

    /// The document of an order, or the status that was answered instead.
    pub(crate) async fn order(&self, uid: &str) -> Result<Bytes, u16> {
        let answer = self.client().get(&order_path(uid)).await;
        if answer.status == 200 { Ok(answer.body) } else { Err(answer.status.as_u16()) }
    }

    /// Runs another command with the same settings in the same folder.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("run orderbox")
    }

    /// Runs another command and returns what it printed; panics unless it succeeds.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "orderbox {args:?}: {}\n{text}", output.status);
        text
    }

    /// Starts another command with the same settings in the same folder.
    pub(crate) fn spawn(&self, name: &str, args: &[&str]) -> Process {
        Process::start(name, self.command(args), self.folder.path().join(format!("{name}.log")))
    }

    /// Waits until nothing received is left to settle, and everything settled can be read.
    pub(crate) async fn until_settled(&self) {
        eventually("everything received is settled", || async {
            self.metric("orderbox_inbox_in_flight").await == Some(0.0)
        })
        .await;
    }

    /// A value of /metrics by its name and labels.
    pub(crate) async fn metric(&self, name: &str) -> Option<f64> {
        let text = self.try_get("/metrics").await?.text();
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit(' ').next()?.parse().ok()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("the service runs").pid()
    }

    /// The memory that the process holds.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the service runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
    }

    fn serve_command(&self) -> Command {
        let [program, args @ ..] = &self.through[..] else { return self.command(&["serve"]) };
        let mut command = self.in_place(Command::new(program));
        command.args(args).args([binary(), "serve".into()]);
        command
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.in_place(Command::new(binary()));
        command.args(args);
        command
    }

    /// The command with the settings, in the folder.
    fn in_place(&self, mut command: Command) -> Command {
        command.current_dir(self.folder.path()).env_clear();
        // A port that a test chose beforehand could be taken by another until it is bound; port 0 cannot.
        let port = self.place.as_ref().map_or(0, |(port, _)| *port);
        command.env("HTTP_ADDR", format!("127.0.0.1:{port}")).env("NO_COLOR", "1");
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }
}

#[cfg(feature = "fail-points")]
impl Orderbox {
    /// Asks the process to stop, and does not wait for it.
    pub(crate) fn ask_to_stop(&self) {
        self.process.as_ref().expect("the service runs").signal("TERM");
    }

    /// Whether the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(|process| process.exited().is_some())
    }
}

/// The port that the service says it listens on.
fn port_in(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("listening on http://127.0.0.1:")?;
    rest.split_once('/')?.0.parse().ok()
}

/// The route of an order: uids may hold any character but control characters.
pub(crate) fn order_path(uid: &str) -> String {
    let escaped: String = uid.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/order?order_uid={escaped}")
}

/// Makes a test of each function on each store; the function gets an empty database. What stands before a name, such as
/// `#[ignore = "long: …"]`, stands before both tests.
macro_rules! on_each_store {
    ($($(#[$attribute:meta])* $test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                $(#[$attribute])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let Some(database) = crate::support::database::Database::sqlite() else { return };
                    super::$test(database).await;
                }
            )+
        }

        mod on_postgresql {
            $(
                $(#[$attribute])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let Some(database) = crate::support::database::Database::postgres().await else { return };
                    super::$test(database).await;
                }
            )+
        }
    };
}
pub(crate) use on_each_store;
