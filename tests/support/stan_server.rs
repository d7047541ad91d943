//! A real nats-streaming-server for one test.
//!
//! ```ignore
//! let Some(mut server) = StanServer::builder().file_store().start().await else { return };
//! server.kill();             // kill -9 of the streaming server
//! server.restart().await;    // the same ports, the same folder
//! eventually("every message is acked", || async { server.backlog("orders").await == 0 }).await;
//! ```
//! Everything listens on 127.0.0.1 only, writes to a temporary folder, and ends with the value.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{free_port, process::Process, program};

/// Starting may wait for a machine that is busy with other tests.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How the server is started; the default is a memory store that brings its own NATS.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    file_store: bool,
    external_nats: bool,
    login: Option<(String, String)>,
    tls: bool,
    args: Vec<String>,
}

impl Builder {
    /// Messages, durables and client ids outlive `kill` and `restart`.
    pub(crate) fn file_store(mut self) -> Self {
        self.file_store = true;
        self
    }

    /// NATS runs in a process of its own, so that `kill` ends the streaming server alone.
    pub(crate) fn external_nats(mut self) -> Self {
        self.external_nats = true;
        self
    }

    /// A dead client is noticed after 3.0 s, a hung one after 4.5 s, instead of minutes.
    pub(crate) fn fast_heartbeats(self) -> Self {
        self.args(["-hbi", "1s", "-hbt", "500ms", "-hbf", "2"])
    }

    /// NATS asks for this user and password.
    pub(crate) fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// NATS insists on TLS with a certificate from [`StanServer::certificate_authority`].
    /// Needs `openssl`.
    pub(crate) fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Further flags of the streaming server, such as `["-mc", "1"]`.
    pub(crate) fn args<const N: usize>(mut self, args: [&str; N]) -> Self {
        self.args.extend(args.map(str::to_owned));
        self
    }

    /// Starts it and waits until it answers; `None` when it is not installed (see [`program`]).
    pub(crate) async fn start(self) -> Option<StanServer> {
        let home = std::env::var("HOME").unwrap_or_default();
        let binary = program("nats-streaming-server", &[&format!("{home}/go/bin")])?;
        let folder = TempDir::new().expect("create a temporary folder");
        if self.tls {
            make_certificates(folder.path());
        }
        let mut server = StanServer {
            binary,
            folder,
            port: free_port(),
            monitor_port: free_port(),
            options: self,
            nats: None,
            stan: None,
        };
        if server.options.external_nats {
            server.start_nats().await;
        }
        server.restart().await;
        Some(server)
    }
}

/// A running server; see the top of this file.
#[derive(Debug)]
pub(crate) struct StanServer {
    binary: PathBuf,
    port: u16,
    monitor_port: u16,
    options: Builder,
    nats: Option<Process>,
    stan: Option<Process>,
    // Last, so that a failing test can still print the logs in it.
    folder: TempDir,
}

impl StanServer {
    /// The cluster id of every server started here.
    pub(crate) const CLUSTER: &'static str = "test-cluster";

    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    /// The port NATS listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// `nats://127.0.0.1:PORT`, or `tls://localhost:PORT` with TLS; with the login when there is one.
    pub(crate) fn url(&self) -> String {
        let login = match &self.options.login {
            Some((user, password)) => format!("{user}:{password}@"),
            None => String::new(),
        };
        match self.options.tls {
            true => format!("tls://{login}localhost:{}", self.port),
            false => format!("nats://{login}127.0.0.1:{}", self.port),
        }
    }

    /// The file with the root certificate that signed the server's.
    pub(crate) fn certificate_authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Ends the streaming server as a power cut would (and NATS with it, unless that is external).
    pub(crate) fn kill(&mut self) {
        self.stan = None;
    }

    /// Starts the streaming server again on the same ports and folder, and waits until it answers.
    pub(crate) async fn restart(&mut self) {
        self.stan = None;
        let mut command = Command::new(&self.binary);
        command.args(["-cid", Self::CLUSTER, "-m", &self.monitor_port.to_string(), "-SD"]);
        command.args(&self.options.args);
        if self.options.file_store {
            command.args(["-st", "FILE", "--dir"]).arg(self.folder.path().join("store"));
        }
        if self.options.external_nats {
            command.args(["-a", "127.0.0.1", "-ns", &self.url()]);
        } else {
            command.args(self.nats_args());
        }
        self.stan =
            Some(Process::start("nats-streaming-server", command, self.folder.path().join("stan.log")));
        self.ready().await;
    }

    /// Stops the streaming server without closing anything (SIGSTOP).
    pub(crate) fn pause(&self) {
        self.stan().pause();
    }

    /// Lets a paused server go on.
    pub(crate) fn resume(&self) {
        self.stan().signal("CONT");
    }

    /// Ends the external NATS as a power cut would.
    pub(crate) fn kill_nats(&mut self) {
        assert!(self.options.external_nats, "NATS is part of the streaming server here");
        self.nats = None;
    }

    /// Starts the external NATS again on its old port. The streaming server finds it by itself.
    pub(crate) async fn start_nats(&mut self) {
        let mut command = Command::new(&self.binary);
        command.args(["-cid", "nats-only"]).args(self.nats_args());
        self.nats = Some(Process::start("nats", command, self.folder.path().join("nats.log")));
        eventually("NATS listens", || async { TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() })
            .await;
    }

    /// Everything the streaming server has logged.
    pub(crate) fn output(&self) -> String {
        self.stan().output()
    }

    /// Waits until the server answers. An empty connect request does no harm and is refused only by a server that is ready.
    pub(crate) async fn ready(&mut self) {
        let end = Instant::now() + START_LIMIT;
        while !self.answers().await {
            if let Some(status) = self.stan.as_mut().and_then(Process::exited) {
                panic!("nats-streaming-server ended with {status}:\n{}", self.output());
            }
            assert!(Instant::now() < end, "nats-streaming-server is not ready:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn answers(&self) -> bool {
        let mut options = async_nats::ConnectOptions::new().require_tls(self.options.tls);
        if self.options.tls {
            options = options.add_root_certificates(self.certificate_authority());
        }
        if let Some((user, password)) = &self.options.login {
            options = options.user_and_password(user.clone(), password.clone());
        }
        let host = if self.options.tls { "localhost" } else { "127.0.0.1" };
        let Ok(client) = options.connect(format!("{host}:{}", self.port)).await else { return false };
        match client.request(format!("_STAN.discover.{}", Self::CLUSTER), Bytes::new()).await {
            Ok(answer) => {
                String::from_utf8_lossy(&answer.payload).contains("stan: invalid connection request")
            }
            Err(_) => false,
        }
    }

    /// What the monitoring port answers: `serverz`, `clientsz?subs=1`, `channelsz?channel=x&subs=1`, …; null when it does not know.
    pub(crate) async fn monitor(&self, page: &str) -> Value {
        self.get(&format!("/streaming/{page}")).await
    }

    /// How many subscriptions each connection of this name has at NATS, which must not be external.
    pub(crate) async fn nats_subscriptions(&self, name: &str) -> Vec<u64> {
        let answer = self.get("/connz").await;
        let connections = answer["connections"].as_array().expect("NATS lists its connections");
        let named = connections.iter().filter(|connection| connection["name"] == name);
        named.map(|connection| connection["subscriptions"].as_u64().expect("a count")).collect()
    }

    async fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.monitor_port))
            .await
            .expect("connect to the monitoring port");
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("send the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read the answer");
        let body = answer.split_once("\r\n\r\n").expect("an HTTP answer").1;
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// One channel with its subscriptions; null when it does not exist.
    pub(crate) async fn channel(&self, name: &str) -> Value {
        self.monitor(&format!("channelsz?channel={name}&subs=1")).await
    }

    /// The subscriptions of a channel, durables that are offline included.
    pub(crate) async fn subscriptions(&self, channel: &str) -> Vec<Value> {
        self.channel(channel).await["subscriptions"].as_array().cloned().unwrap_or_default()
    }

    /// How many messages of the channel were delivered and not acked: what a subscriber holds. 0 does not mean that all is
    /// done, for there may be more to deliver; [`StanServer::backlog`] tells that.
    pub(crate) async fn pending(&self, channel: &str) -> u64 {
        self.subscriptions(channel).await.iter().filter_map(|one| one["pending_count"].as_u64()).sum()
    }

    /// How many messages of the channel no subscriber has acked, delivered or not: 0 once all is done. That a subscriber leaves
    /// certain messages unacked is for [`StanServer::pending`].
    pub(crate) async fn backlog(&self, channel: &str) -> u64 {
        let state = self.channel(channel).await;
        let last = state["last_seq"].as_u64().unwrap_or(0);
        let sent = self.subscriptions(channel).await.iter().filter_map(|one| one["last_sent"].as_u64()).max();
        last.saturating_sub(sent.unwrap_or(0)) + self.pending(channel).await
    }

    /// The sequence of the last stored message of the channel; 0 when there is none.
    pub(crate) async fn last_sequence(&self, channel: &str) -> u64 {
        self.channel(channel).await["last_seq"].as_u64().unwrap_or(0)
    }

    /// The ids of the clients the server knows.
    pub(crate) async fn clients(&self) -> Vec<String> {
        let answer = self.monitor("clientsz").await;
        let clients = answer["clients"].as_array().cloned().unwrap_or_default();
        clients.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
    }

    fn stan(&self) -> &Process {
        self.stan.as_ref().expect("the streaming server was killed and not restarted")
    }

    fn nats_args(&self) -> Vec<String> {
        let mut args = vec!["-a".to_owned(), "127.0.0.1".to_owned(), "-p".to_owned(), self.port.to_string()];
        if let Some((user, password)) = &self.options.login {
            args.extend(["--user", user, "--pass", password].map(str::to_owned));
        }
        if self.options.tls {
            let file = |name: &str| self.folder.path().join(name).display().to_string();
            args.extend(["--tls".to_owned(), "--tlscert".to_owned(), file("server.pem")]);
            args.extend(["--tlskey".to_owned(), file("server.key")]);
            // The streaming server is itself a client of the NATS it brings.
            args.extend(["-tls_client_cacert".to_owned(), file("ca.pem"), "-secure".to_owned()]);
        }
        args
    }
}

/// Waits until `condition` holds; panics with `what` after 30 s.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let end = Instant::now() + START_LIMIT;
    while !condition().await {
        assert!(Instant::now() < end, "{what}: not within {START_LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A certificate authority of its own (`ca.pem`) and a server certificate for localhost (`server.pem`, `server.key`).
fn make_certificates(folder: &Path) {
    std::fs::write(folder.join("names.ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        .expect("write the names");
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    let authority =
        ["req", "-x509", "-subj", "/CN=orderbox test authority", "-keyout", "ca.key", "-out", "ca.pem"];
    openssl(folder, &[&authority[..], &key[..]].concat());
    let request = ["req", "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"];
    openssl(folder, &[&request[..], &key[..5]].concat());
    let sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    openssl(folder, &[&sign[..], &["-days", "2", "-extfile", "names.ext", "-out", "server.pem"]].concat());
}

fn openssl(folder: &Path, args: &[&str]) {
    let output = Command::new("openssl").args(args).current_dir(folder).output().expect("run openssl");
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}
