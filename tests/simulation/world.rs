//! One seed: what happens when, and the end.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use orderbox::{
    inbox::{Delivery, Inbox},
    store::{Message, SourceKind},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Breakage,
    broker::Broker,
    invariants,
    journal::{Counts, Journal},
    mail::{Mail, Published},
    process::{Limits, Process},
    reader::Floors,
    source::Desk,
    store::{Ill, SimStore},
    weather::Weather,
};

/// By then everything is drained; rows that fail alone pause for a minute at most, and where one message fills the pipeline each
/// of 40 waits for a redelivery, 20 s later at most.
const DRAINED: Duration = Duration::from_secs(1200);

/// How long it takes at most until an instance has heard what another has replaced: a look that began while the store was slow,
/// and one more.
const HEARD: Duration = Duration::from_secs(15);

/// How long it takes until an instance forgets again what it may have deleted.
const FORGOTTEN_AGAIN: Duration = Duration::from_secs(75);

/// What a run has left.
pub(crate) struct Run {
    pub(crate) hash: u64,
    pub(crate) counts: Counts,
    pub(crate) violation: Option<String>,
    pub(crate) lines: Vec<String>,
}

/// Runs a seed on a clock that goes forward when nothing else does.
pub(crate) fn run(seed: u64, breakage: Option<Breakage>, keep: bool) -> Run {
    // backon draws its jitter from the thread's generator.
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let mut world = World::new(seed, breakage, keep);
        world.live().await;
        world.end().await;
        let journal = &world.journal;
        let mut counts = journal.counts();
        if world.floors.len() > 1 {
            counts.insert("two instances", 1);
        }
        let evictions = world.processes.iter().map(|process| process.cache.evictions()).sum();
        counts.insert("cache: evictions", evictions);
        Run { hash: journal.hash(), counts, violation: journal.violation(), lines: journal.lines() }
    })
}

struct World {
    rng: Rng,
    journal: Arc<Journal>,
    store: Arc<SimStore>,
    broker: Arc<Broker>,
    mail: Mail,
    limits: Limits,
    breakage: Option<Breakage>,
    /// Whether nobody but the one process settles: no second instance, and no settle that outlived its process.
    alone: bool,
    floors: Vec<Arc<Floors>>,
    processes: Vec<Process>,
    published: Published,
    promised: Arc<Mutex<Published>>,
    /// The broker, and those who post.
    others: JoinSet<()>,
    /// The way in that posts take: that of the process which runs now.
    way_in: Arc<Mutex<(Inbox, CancellationToken)>>,
    posted: u64,
}

impl World {
    fn new(seed: u64, breakage: Option<Breakage>, keep: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let journal = Arc::new(Journal::new(keep));
        let broker = Arc::new(Broker::new(seed, Arc::clone(&journal)));
        let (mail, limits) = (Mail::new(seed), Limits::draw(&mut rng));
        let instances = if rng.u8(0..4) == 0 { 2 } else { 1 };
        let store = Arc::new(SimStore::new(seed, Arc::clone(&journal), breakage, instances > 1));
        let floors: Vec<Arc<Floors>> = (0..instances).map(|_| Arc::default()).collect();
        let start = |rng: &mut Rng, floors: &Arc<Floors>| {
            let (broker, store, journal) = (Arc::clone(&broker), Arc::clone(&store), Arc::clone(&journal));
            let desk = Desk::new(broker, store, journal, Arc::clone(floors), breakage);
            Process::start(desk, limits, &mail.uids(), instances == 1, rng)
        };
        let processes: Vec<Process> = floors.iter().map(|floors| start(&mut rng, floors)).collect();
        let way_in = Arc::new(Mutex::new((processes[0].inbox.clone(), processes[0].gone.clone())));
        let mut others = JoinSet::new();
        let serving = Arc::clone(&broker);
        others.spawn(async move { serving.run().await });
        Self {
            rng,
            journal,
            store,
            broker,
            mail,
            limits,
            breakage,
            alone: instances == 1,
            floors,
            processes,
            published: Published::new(),
            promised: Arc::default(),
            others,
            way_in,
            posted: 0,
        }
    }

    /// The part with faults.
    async fn live(&mut self) {
        for _ in 0..self.rng.u32(8..30) {
            if !self.journal.is_sound() {
                return;
            }
            let longest = if self.rng.u8(0..4) == 0 { 15_000 } else { 800 };
            sleep(Duration::from_millis(self.rng.u64(0..longest))).await;
            self.processes.iter_mut().for_each(Process::check);
            match self.rng.u8(0..20) {
                0..6 => self.burst(),
                6..8 => self.post(),
                8..15 => {
                    let weather = Weather::ALL[self.rng.usize(..Weather::ALL.len())];
                    self.journal.note("weather", format_args!("{weather:?}"));
                    self.store.set_weather(weather);
                }
                15 => self.broker.cut(),
                16 => self.reset(),
                17..19 => self.restart(true).await,
                _ => self.restart(false).await,
            }
        }
    }

    fn burst(&mut self) {
        let messages = self.rng.usize(1..16);
        self.journal.note("burst", format_args!("{messages}"));
        for _ in 0..messages {
            let (payload, expected) = self.mail.next();
            let message = self.broker.publish(payload.clone());
            self.fall_ill(&message.message_id);
            self.published.insert(Arc::clone(&message.message_id), (payload.clone(), expected.clone()));
            self.promised.lock().unwrap().insert(message.message_id, (payload, expected));
        }
    }

    fn fall_ill(&mut self, message_id: &Arc<str>) {
        let (name, ill) = match self.rng.u8(0..40) {
            0 => ("row: can't be stored", Ill::Data),
            1 => ("row: refused for now", Ill::Refused),
            2 => ("row: silences the store", Ill::Silencing),
            _ => return,
        };
        self.journal.note(name, format_args!("{message_id}"));
        self.store.make_ill(message_id, ill);
    }

    /// Someone posts a message until it is taken.
    fn post(&mut self) {
        let (payload, expected) = self.mail.next();
        self.posted += 1;
        let message_id: Arc<str> = format!("http:{:032x}", self.posted).into();
        self.published.insert(Arc::clone(&message_id), (payload.clone(), expected.clone()));
        let (way_in, broker, store) =
            (Arc::clone(&self.way_in), Arc::clone(&self.broker), Arc::clone(&self.store));
        let (journal, promised) = (Arc::clone(&self.journal), Arc::clone(&self.promised));
        self.others.spawn(async move {
            loop {
                let (inbox, gone) = way_in.lock().unwrap().clone();
                let message = Message {
                    message_id: Arc::clone(&message_id),
                    source: SourceKind::Http,
                    channel: "http".into(),
                    sequence: 0,
                    published_at_ns: broker.stamp(),
                    payload: payload.clone(),
                };
                match gone.run_until_cancelled(inbox.submit(Delivery { message, acker: None })).await {
                    Some(Ok(())) => break,
                    None => journal.note("post: connection lost", format_args!("{message_id}")),
                    Some(Err(error)) => journal.note("post: refused", format_args!("{message_id}: {error}")),
                }
                sleep(Duration::from_secs(1)).await;
            }
            journal.note("post: taken", format_args!("{message_id}"));
            let tables = store.tables();
            if !tables.settled.contains(&message_id)
                && !tables.inbox.values().any(|row| row.message.message_id == message_id)
            {
                journal.violated(format!("{message_id} is answered with 202 and not recorded"));
            }
            drop(tables);
            promised.lock().unwrap().insert(message_id, (payload, expected));
        });
    }

    fn reset(&mut self) {
        let lost = self.broker.reset();
        let mut promised = self.promised.lock().unwrap();
        for message in lost {
            promised.remove(&message.message_id);
        }
    }

    async fn restart(&mut self, crash: bool) {
        let place = self.rng.usize(..self.processes.len());
        let process = self.processes.remove(place);
        if crash {
            process.crash().await
        } else {
            process.stop().await
        }
        if self.alone && self.store.is_settling() {
            self.journal.note("process: outlived by its settle", format_args!(""));
            self.alone = false;
        }
        let desk = Desk::new(
            Arc::clone(&self.broker),
            Arc::clone(&self.store),
            Arc::clone(&self.journal),
            Arc::clone(&self.floors[place]),
            self.breakage,
        );
        let process = Process::start(desk, self.limits, &self.mail.uids(), self.alone, &mut self.rng);
        self.processes.insert(place, process);
        let first = &self.processes[0];
        *self.way_in.lock().unwrap() = (first.inbox.clone(), first.gone.clone());
    }

    /// Faults end, everything drains, and the promises are checked.
    async fn end(&mut self) {
        self.journal.note("faults end", format_args!(""));
        self.store.heal();
        self.broker.heal();
        let began = Instant::now();
        while self.journal.is_sound() && !self.is_drained() {
            if began.elapsed() > DRAINED {
                let in_flight: Vec<usize> = self.processes.iter().map(|one| one.in_flight.len()).collect();
                let room: Vec<bool> = self.processes.iter().map(Process::has_room).collect();
                self.journal.violated(format!(
                    "not drained: {} un-acked, {} in the inbox, in flight {in_flight:?}, all room free {room:?}, \
                     {} posts wait",
                    self.broker.unacked(),
                    self.store.tables().inbox.len(),
                    self.others.len() - 1,
                ));
            }
            sleep(Duration::from_millis(500)).await;
            self.processes.iter_mut().for_each(Process::check);
            while self.others.try_join_next().is_some() {}
        }
        // By then each instance has heard of what the others have replaced and deleted.
        self.store.stop_the_ages();
        sleep(if self.store.is_unsure() { FORGOTTEN_AGAIN } else { HEARD }).await;
        if self.journal.is_sound() {
            let promised = self.promised.lock().unwrap().clone();
            invariants::check(
                &self.journal,
                &self.store,
                &self.processes,
                &self.published,
                &promised,
                self.alone || self.processes.len() > 1,
            );
        }
    }

    fn is_drained(&self) -> bool {
        self.broker.unacked() == 0
            && self.store.tables().inbox.is_empty()
            && self.processes.iter().all(|process| process.in_flight.is_empty() && process.has_room())
            && !self.store.is_busy()
            && self.others.len() == 1
    }
}
