//! Wires the stages together, and in `stop` takes them apart again. Only this module sees every stage.

mod sources;
mod stop;

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use thiserror::Error;
use tokio::{net::TcpListener, sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    cache::Cache,
    config::{RetentionSettings, Settings},
    http,
    inbox::{Budget, InFlight, Inbox, Writer},
    link, nats, open_files,
    signals::Signals,
    source::{self, HttpSource, Source},
    store::{self, Aging, Pauses, Store},
    telemetry::{Board, Metrics, Part, Upstream, watch_store},
    worker::{Recovery, Worker},
};

use sources::Sources;

/// The store counts as down when it was silent for STORE_TIMEOUT, within which each call ends, and this much more.
const GRACE: Duration = Duration::from_secs(5);

/// Sessions of the store for reads that are not look-ups, which therefore never wait behind those.
const OTHER_READERS: usize = 4;

/// Why the service did not start. No retry would heal any of these.
#[derive(Debug, Error)]
enum StartError {
    /// The store's settings.
    #[error(transparent)]
    Store(#[from] store::ConnectError),
    /// The settings of NATS Streaming.
    #[error(transparent)]
    Stan(#[from] source::StanSettingsError),
    /// The settings of JetStream.
    #[error(transparent)]
    JetStream(#[from] nats::OptionsError),
    /// The address to listen on.
    #[error("HTTP_ADDR {addr}: {cause}; stop what listens there or choose another address")]
    Listen {
        /// As it was set.
        addr: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// Signals can't be caught.
    #[error("signals can't be caught: {0}")]
    Signals(io::Error),
}

/// Runs the service until a signal asks it to stop, and tells the process's exit code: 1 when something was left for the next
/// start, 2 when it can't start. A store or a broker that can't be reached is no such reason: the service says so on /healthz and
/// tries until it can.
///
/// Boxed, so that all of it is compiled in the library: whoever holds the future itself compiles it once more.
#[must_use]
pub fn run(settings: Settings) -> BoxFuture<'static, ExitCode> {
    async move {
        serve(&settings).await.unwrap_or_else(|error| {
            tracing::error!("{error}");
            ExitCode::from(2)
        })
    }
    .boxed()
}

async fn serve(settings: &Settings) -> Result<ExitCode, StartError> {
    let mut signals = Signals::new().map_err(StartError::Signals)?;
    let database = settings.store.url.expose();
    let _lock = store::lock_for_serve(database)?;
    let options = store::Options {
        timeout: settings.store.timeout,
        max_connections: settings.http_limits.max_lookups + OTHER_READERS,
        create: true,
    };
    open_files::make_room_for(settings.http_limits.connections());
    let store = store::connect(database, &options)?;
    let board = Board::default();
    let metrics = Metrics::install();
    let Sources { sources, upstreams } = Sources::of(settings, &board, &metrics)?;
    let addr = settings.http.addr;
    let listener = TcpListener::bind(addr).await.map_err(|cause| StartError::Listen { addr, cause })?;
    let addr = listener.local_addr().unwrap_or(addr);
    tracing::info!(store = store.kind(), "listening on http://{addr}/");
    let tokens = link::tokens(&settings.http, addr);
    let (mut service, recovery) =
        Service::start(settings, store, board, metrics, upstreams, listener, tokens);
    let failed = tokio::select! {
        biased;
        () = signals.next() => false,
        () = service.run(recovery, sources, settings.sample_order) => true,
    };
    let stopped = tokio::select! {
        biased;
        () = signals.again() => {
            tracing::warn!("a second signal: ending at once, nothing is lost");
            return Ok(ExitCode::FAILURE);
        }
        stopped = timeout(settings.limits.shutdown_timeout, service.stop()) => stopped,
    };
    match stopped {
        Ok(true) if !failed => {
            tracing::info!("stopped: everything received is settled and acked");
            return Ok(ExitCode::SUCCESS);
        }
        Ok(_) => tracing::error!(
            messages = service.in_flight.len(),
            "stopped, but not everything is known to be settled and acked: the rest is in the inbox or comes again, nothing is lost"
        ),
        Err(_) => tracing::error!(
            messages = service.in_flight.len(),
            step = service.step,
            "SHUTDOWN_TIMEOUT has passed: the rest is in the inbox or comes again, nothing is lost"
        ),
    }
    Ok(ExitCode::FAILURE)
}

/// The running stages and what stops each.
struct Service {
    store: Arc<dyn Store>,
    cache: Arc<Cache>,
    in_flight: Arc<InFlight>,
    inbox: Inbox,
    board: Board,
    store_health: Part,
    /// Parts that work as soon as the store does, and say nothing before there is work.
    idle_health: [Part; 3],
    stopping: CancellationToken,
    /// The step of the shutdown that is under way.
    step: &'static str,
    tasks: TaskTracker,
    /// How long what is not kept for ever is kept.
    ages: Vec<(Aging, Duration)>,
    /// Cancelled when a stage ends, which none may do before it is stopped.
    ended: CancellationToken,
    writer: Option<JoinHandle<()>>,
    worker: Option<JoinHandle<()>>,
    server: Option<JoinHandle<()>>,
    sources: Vec<JoinHandle<Box<dyn Source>>>,
    stop_background: CancellationToken,
    stop_sources: CancellationToken,
    stop_writer: CancellationToken,
    stop_server: CancellationToken,
}

impl Service {
    /// Starts everything that works without the store: reads are answered, or refused with the reason, from the first moment.
    fn start(
        settings: &Settings,
        store: Arc<dyn Store>,
        board: Board,
        metrics: Metrics,
        upstreams: Vec<Upstream>,
        listener: TcpListener,
        tokens: http::Tokens,
    ) -> (Self, Recovery) {
        let limits = &settings.limits;
        let cache = Arc::new(Cache::new(limits.cache_bytes.bytes()));
        let in_flight = Arc::new(InFlight::default());
        let budget = Budget::new(limits.pipeline_bytes.as_usize());
        let store_health = board.register("store", Some(settings.store.timeout + GRACE));
        let [inbox_health, worker_health, recovery_health] =
            ["inbox", "worker", "recovery"].map(|name| board.register(name, None));
        let (held, settling) = mpsc::channel(budget.messages());
        let (writer, inbox) = Writer::new(
            Arc::clone(&store),
            &budget,
            Arc::clone(&in_flight),
            limits.batch_size,
            held.clone(),
            inbox_health.clone(),
        );
        let worker = Worker::new(
            Arc::clone(&store),
            Arc::clone(&cache),
            Arc::clone(&in_flight),
            settling,
            limits.batch_size,
            limits.max_message_bytes.as_usize(),
            worker_health.clone(),
        );
        let recovery =
            Recovery::new(Arc::clone(&store), budget, Arc::clone(&in_flight), held, recovery_health.clone());
        let idle_health = [inbox_health, worker_health, recovery_health];
        let stopping = CancellationToken::new();
        let api = http::Api {
            cache: Arc::clone(&cache),
            store: Arc::clone(&store),
            intake: Arc::new(HttpSource::new(inbox.clone())),
            board: board.clone(),
            store_health: store_health.clone(),
            metrics: metrics.clone(),
            upstreams,
            tokens,
            max_message_bytes: limits.max_message_bytes.as_usize(),
            limits: http_limits(settings),
            stopping: stopping.clone(),
        };
        let mut service = Self {
            store,
            cache,
            in_flight,
            inbox,
            board,
            store_health,
            idle_health,
            stopping,
            step: "1",
            ages: ages(&settings.retention),
            tasks: TaskTracker::new(),
            ended: CancellationToken::new(),
            writer: None,
            worker: None,
            server: None,
            sources: Vec::new(),
            stop_background: CancellationToken::new(),
            stop_sources: CancellationToken::new(),
            stop_writer: CancellationToken::new(),
            stop_server: CancellationToken::new(),
        };
        let (stop_writer, stop_server) = (service.stop_writer.clone(), service.stop_server.clone());
        service.writer = Some(service.stage(writer.run(stop_writer)));
        service.worker = Some(service.stage(worker.run()));
        service.server = Some(service.stage(http::run(listener, api, stop_server)));
        let (stop, board) = (service.stop_background.clone(), service.board.clone());
        service.tasks.spawn(async move { metrics.keep_up(&stop).await });
        let stop = service.stop_background.clone();
        service.tasks.spawn(async move { board.watch(&stop).await });
        // From the first read on, and to the last.
        let (cache, store, stop) =
            (Arc::clone(&service.cache), Arc::clone(&service.store), service.stop_server.clone());
        service.tasks.spawn(async move { cache.follow(store.as_ref(), &stop).await });
        (service, recovery)
    }

    /// Brings up what needs the store, then the sources. Returns only when a stage has ended by itself.
    async fn run(&mut self, mut recovery: Recovery, mut sources: Vec<Box<dyn Source>>, sample_order: bool) {
        let stopped_early = self.ended.clone();
        tokio::select! {
            () = self.boot(&mut recovery, &mut sources, sample_order) => {}
            () = stopped_early.cancelled() => return,
        }
        let stop = self.stop_background.clone();
        // A stage: without it what a lost answer left in the inbox would wait for the next start.
        drop(self.stage(recovery.run(stop)));
        self.start_rebuild();
        for mut source in sources {
            let (inbox, stop) = (self.inbox.clone(), self.stop_sources.clone());
            let guard = self.ended.clone().drop_guard();
            self.sources.push(self.tasks.spawn(async move {
                source.run(inbox, stop).await;
                drop(guard);
                source
            }));
        }
        self.ended.cancelled().await;
        tracing::error!("a stage of the service has ended by itself, which is a bug: stopping");
    }

    /// Tries until the store is ready and what it holds from before is under way, so that no source can deliver it again
    /// first.
    async fn boot(&mut self, recovery: &mut Recovery, sources: &mut [Box<dyn Source>], sample_order: bool) {
        let health = &self.store_health;
        let mut pauses = Pauses::default();
        while let Err(error) = self.prepare(recovery, sources, sample_order).await {
            health.down(error.to_string());
            pauses.wait().await;
        }
        health.up();
        self.idle_health.iter().for_each(Part::up);
        self.tasks.spawn(watch_store(Arc::clone(&self.store), health.clone(), self.stop_background.clone()));
        let (store, stop) = (Arc::clone(&self.store), self.stop_background.clone());
        self.tasks.spawn(async move { store::keep_tidy(store.as_ref(), &stop).await });
        let (store, stop) = (Arc::clone(&self.store), self.stop_background.clone());
        let (cache, ages) = (Arc::clone(&self.cache), std::mem::take(&mut self.ages));
        self.tasks.spawn(async move {
            store::keep_no_longer(store.as_ref(), &ages, |uid| cache.forget(uid), &stop).await;
        });
    }

    async fn prepare(
        &self,
        recovery: &mut Recovery,
        sources: &mut [Box<dyn Source>],
        sample_order: bool,
    ) -> store::Result<()> {
        for warning in self.store.prepare().await? {
            tracing::warn!("{warning}");
        }
        recovery.at_boot().await?;
        for source in sources {
            source.resume(self.store.as_ref()).await?;
        }
        if sample_order && self.store.ledger_is_empty().await? {
            self.inbox.receive(source::sample());
        }
        Ok(())
    }

    fn start_rebuild(&self) {
        let (cache, store, stop) =
            (Arc::clone(&self.cache), Arc::clone(&self.store), self.stop_background.clone());
        let health = self.board.register("cache", None);
        self.tasks.spawn(async move { cache.rebuild(store.as_ref(), &health, &stop).await });
    }

    fn stage(&self, stage: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        let guard = self.ended.clone().drop_guard();
        self.tasks.spawn(async move {
            let _guard = guard;
            stage.await;
        })
    }
}

fn http_limits(settings: &Settings) -> http::Limits {
    let limits = &settings.http_limits;
    http::Limits {
        max_connections: limits.connections(),
        header_timeout: limits.header_timeout,
        body_timeout: limits.body_timeout,
        idle_timeout: limits.idle_timeout,
        max_lookups: limits.max_lookups,
    }
}

fn ages(retention: &RetentionSettings) -> Vec<(Aging, Duration)> {
    let RetentionSettings { orders, dead_letters, history } = *retention;
    let ages = [(Aging::Orders, orders), (Aging::DeadLetters, dead_letters), (Aging::History, history)];
    ages.into_iter().filter_map(|(what, age)| Some((what, age?))).collect()
}
