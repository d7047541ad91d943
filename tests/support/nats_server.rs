//! A real nats-server with JetStream for one test, or a cluster of them.
//!
//! ```ignore
//! let Some(mut server) = NatsServer::start().await else { return };
//! server.make_stream().await;
//! server.kill(0);            // kill -9
//! server.restart(0).await;   // the same ports, the same folder
//! eventually("every message is acked", || async { server.backlog().await == Some(0) }).await;
//! ```
//! Everything listens on 127.0.0.1 only, writes to a temporary folder, and ends with the value.

use std::{cell::Cell, path::PathBuf, process::Command, time::Duration};

use async_nats::{
    ConnectOptions, Subscriber,
    jetstream::{
        self, Context,
        consumer::{self, PullConsumer, pull},
        stream::{Config, DiscardPolicy, StorageType},
    },
};
use tempfile::TempDir;

use super::{PYTHON_TOOLS, free_port, process::Process, program, stan_server::eventually};

/// The names that the service has by default.
pub(crate) const STREAM: &str = "ORDERS";
pub(crate) const SUBJECT: &str = "orders";
pub(crate) const CONSUMER: &str = "orderbox";

/// One process.
#[derive(Debug)]
struct Node {
    port: u16,
    route: u16,
    process: Option<Process>,
}

/// Running servers; see the top of this file.
#[derive(Debug)]
pub(crate) struct NatsServer {
    binary: PathBuf,
    nodes: Vec<Node>,
    // Last, so that a failing test can still print the logs in it.
    folder: TempDir,
}

impl NatsServer {
    /// One server; `None` when it is not installed (see [`program`]).
    pub(crate) async fn start() -> Option<Self> {
        Self::start_nodes(1).await
    }

    /// Three servers that are one cluster.
    pub(crate) async fn cluster() -> Option<Self> {
        Self::start_nodes(3).await
    }

    async fn start_nodes(count: usize) -> Option<Self> {
        let binary = program("nats-server", &[PYTHON_TOOLS])?;
        let nodes =
            (0..count).map(|_| Node { port: free_port(), route: free_port(), process: None }).collect();
        let mut server = Self { binary, nodes, folder: TempDir::new().expect("create a temporary folder") };
        for node in 0..count {
            server.launch(node);
        }
        server.is_ready().await;
        Some(server)
    }

    /// The port that the first node listens on.
    pub(crate) fn port(&self) -> u16 {
        self.nodes[0].port
    }

    /// What to set JETSTREAM_URL to: all nodes.
    pub(crate) fn url(&self) -> String {
        let urls: Vec<_> = self.nodes.iter().map(|node| format!("nats://127.0.0.1:{}", node.port)).collect();
        urls.join(",")
    }

    /// Ends a node as a power cut would.
    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].process = None;
    }

    /// Stops a node without closing anything (SIGSTOP), until [`NatsServer::resume`].
    pub(crate) fn pause(&self, node: usize) {
        self.nodes[node].process.as_ref().expect("the node runs").pause();
    }

    pub(crate) fn resume(&self, node: usize) {
        self.nodes[node].process.as_ref().expect("the node runs").signal("CONT");
    }

    /// Starts a node again on the same ports and folder, and waits until it answers.
    pub(crate) async fn restart(&mut self, node: usize) {
        self.launch(node);
        self.is_ready().await;
    }

    fn launch(&mut self, node: usize) {
        let (name, folder) = (format!("node{node}"), self.folder.path());
        let mut command = Command::new(&self.binary);
        command.args([
            "-a",
            "127.0.0.1",
            "-p",
            &self.nodes[node].port.to_string(),
            "-n",
            &name,
            "-js",
            "-sd",
        ]);
        command.arg(folder.join(&name));
        if self.nodes.len() > 1 {
            let route = |node: &Node| format!("nats://127.0.0.1:{}", node.route);
            let routes: Vec<_> = self.nodes.iter().map(route).collect();
            command.args(["--cluster_name", "test", "--cluster", &route(&self.nodes[node])]);
            command.args(["--routes", &routes.join(",")]);
        }
        let log = folder.join(format!("{name}.log"));
        self.nodes[node].process = Some(Process::start(&name, command, log));
    }

    /// Waits until JetStream answers; a cluster elects a leader first.
    async fn is_ready(&self) {
        eventually("JetStream answers", || async {
            let Some(context) = self.try_context().await else { return false };
            context.query_account().await.is_ok()
        })
        .await;
    }

    async fn try_context(&self) -> Option<Context> {
        let urls = self.nodes.iter().filter(|node| node.process.is_some());
        let urls: Vec<_> = urls.map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let options = ConnectOptions::new().connection_timeout(Duration::from_secs(5));
        Some(jetstream::new(options.connect(urls).await.ok()?))
    }

    /// A connection of the test's own.
    pub(crate) async fn context(&self) -> Context {
        self.try_context().await.expect("a node runs")
    }

    /// All that is said by way of the server from now on, its own answers too, in order.
    pub(crate) async fn traffic(&self) -> Subscriber {
        let context = self.context().await;
        let traffic = context.client().subscribe(">").await.expect("subscribe to everything");
        context.client().flush().await.expect("the server knows of it");
        traffic
    }

    /// A stream as the documentation wants it, on all nodes.
    pub(crate) fn stream(&self) -> Config {
        Config {
            name: STREAM.to_owned(),
            subjects: vec![SUBJECT.to_owned()],
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            num_replicas: self.nodes.len(),
            ..Config::default()
        }
    }

    pub(crate) async fn make_stream(&self) {
        self.make_stream_of(self.stream()).await;
    }

    /// A cluster may still be looking for nodes to place it on.
    pub(crate) async fn make_stream_of(&self, config: Config) {
        let context = self.context().await;
        eventually("the stream is made", || async { context.create_stream(config.clone()).await.is_ok() })
            .await;
    }

    /// How many messages the stream holds.
    pub(crate) async fn messages(&self) -> u64 {
        let stream = self.context().await.get_stream(STREAM).await.expect("the stream is there");
        stream.cached_info().state.messages
    }

    /// The consumer of the service; `None` while there is none, or nobody leads it.
    pub(crate) async fn consumer(&self) -> Option<consumer::Info> {
        let stream = self.try_context().await?.get_stream(STREAM).await.ok()?;
        stream.consumer_info(CONSUMER).await.ok()
    }

    /// Makes a consumer of that name beforehand.
    pub(crate) async fn make_consumer(&self, config: pull::Config) -> PullConsumer {
        let stream = self.context().await.get_stream(STREAM).await.expect("the stream is there");
        let config = pull::Config { durable_name: Some(CONSUMER.to_owned()), ..config };
        stream.create_consumer(config).await.expect("the server makes the consumer")
    }

    /// How many messages are not acked, delivered or not: 0 once all is done.
    pub(crate) async fn backlog(&self) -> Option<u64> {
        let consumer = self.consumer().await?;
        Some(consumer.num_pending + consumer.num_ack_pending as u64)
    }

    /// Waits until the service asks for nothing: nobody waits, as between any two requests, and goes on not to while as much stays
    /// unacked, which only a service does that is full.
    pub(crate) async fn until_nothing_is_asked_for(&self) {
        let last = Cell::new((0, 0));
        eventually("it asks for no more", || async {
            let Some(consumer) = self.consumer().await else { return false };
            let pending = if consumer.num_waiting == 0 { consumer.num_ack_pending } else { 0 };
            let (before, looks) = last.get();
            last.set((pending, if pending == before { looks + 1 } else { 1 }));
            pending > 0 && last.get().1 >= 10
        })
        .await;
    }

    /// The node that leads the consumer, once one does.
    pub(crate) async fn leader(&self) -> usize {
        let leader = async || {
            let leader = self.consumer().await?.cluster?.leader?;
            leader.strip_prefix("node")?.parse().ok()
        };
        let found = Cell::new(None);
        eventually("the consumer has a leader", || async {
            found.set(leader().await);
            found.get().is_some()
        })
        .await;
        found.get().expect("it was waited for")
    }
}

/// Waits until every message of the stream is acked.
pub(crate) async fn until_all_is_acked(server: &NatsServer) {
    eventually("every message is acked", || async { server.backlog().await == Some(0) }).await;
}
