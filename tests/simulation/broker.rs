//! A broker with one durable channel: ack wait, redelivery, loss, link cuts, and a memory store that a restart empties.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use fastrand::Rng;
use orderbox::store::{Message, SourceKind};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, timeout_at},
};

use super::journal::Journal;

/// Where a delivery came from: what its ack must say.
#[derive(Debug, Clone)]
pub(crate) struct Receipt {
    subscription: u64,
    life: u64,
    index: usize,
    /// Counts deliveries: a later copy has a greater number.
    pub(crate) copy: u64,
    pub(crate) message: Message,
}

#[derive(Debug)]
struct Outstanding {
    due: Instant,
    times: u32,
}

#[derive(Debug)]
struct State {
    rng: Rng,
    life: u64,
    last_ns: i64,
    log: Vec<(Message, bool)>,
    next: usize,
    outstanding: BTreeMap<usize, Outstanding>,
    subscriptions: BTreeMap<u64, mpsc::Sender<Receipt>>,
    last_subscription: u64,
    copies: u64,
    /// Acks on their way, with their arrival.
    acks: Vec<(Instant, Receipt)>,
    faulty: bool,
}

#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) ack_wait: Duration,
    max_in_flight: usize,
    journal: Arc<Journal>,
    state: Mutex<State>,
    /// Something came that the broker does not wait for by the clock.
    changed: Notify,
}

impl Broker {
    pub(crate) fn new(seed: u64, journal: Arc<Journal>) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0xb40c);
        let (ack_wait, max_in_flight) = (Duration::from_millis(rng.u64(300..20_000)), rng.usize(1..40));
        let state = State {
            rng,
            life: 0,
            last_ns: 1_700_000_000_000_000_000,
            log: Vec::new(),
            next: 0,
            outstanding: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            last_subscription: 0,
            copies: 0,
            acks: Vec::new(),
            faulty: true,
        };
        Self { ack_wait, max_in_flight, journal, state: Mutex::new(state), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The time of a publication: it never goes back, and may stand still.
    pub(crate) fn stamp(&self) -> i64 {
        let mut state = self.lock();
        state.last_ns += state.rng.i64(0..3);
        state.last_ns
    }

    pub(crate) fn publish(&self, payload: Bytes) -> Message {
        let published_at_ns = self.stamp();
        let mut state = self.lock();
        let sequence = i64::try_from(state.log.len() + 1).unwrap();
        let message = Message {
            message_id: format!("stan:sim/orders/{sequence}@{published_at_ns}").into(),
            source: SourceKind::Stan,
            channel: "orders".into(),
            sequence,
            published_at_ns,
            payload,
        };
        state.log.push((message.clone(), false));
        self.changed.notify_one();
        message
    }

    /// A new subscription of the durable; what is un-acked comes again when it is due.
    pub(crate) fn subscribe(&self) -> mpsc::Receiver<Receipt> {
        let (sender, receiver) = mpsc::channel(256);
        let mut state = self.lock();
        state.last_subscription += 1;
        let id = state.last_subscription;
        state.subscriptions.insert(id, sender);
        self.changed.notify_one();
        receiver
    }

    /// Every link breaks, and what is un-acked is due at once.
    pub(crate) fn cut(&self) {
        let mut state = self.lock();
        state.subscriptions.clear();
        state.outstanding.values_mut().for_each(|one| one.due = Instant::now());
        drop(state);
        self.journal.note("broker: link cut", format_args!(""));
    }

    /// A restart of a memory store: everything is gone, and sequences begin at 1 again, with later times. Returns what is
    /// lost upstream: nobody will deliver it again.
    pub(crate) fn reset(&self) -> Vec<Message> {
        self.cut();
        let mut state = self.lock();
        state.life += 1;
        state.last_ns += 1_000;
        (state.next, state.acks) = (0, Vec::new());
        state.outstanding.clear();
        let lost = std::mem::take(&mut state.log);
        drop(state);
        self.journal.note("broker: sequence reset", format_args!("{} messages forgotten", lost.len()));
        lost.into_iter().filter(|(_, acked)| !acked).map(|(message, _)| message).collect()
    }

    pub(crate) fn heal(&self) {
        self.lock().faulty = false;
    }

    pub(crate) fn unacked(&self) -> usize {
        self.lock().log.iter().filter(|(_, acked)| !acked).count()
    }

    /// An ack leaves the client.
    pub(crate) fn ack(&self, receipt: Receipt) {
        let mut state = self.lock();
        let fate = if state.faulty { state.rng.u8(0..12) } else { 11 };
        match fate {
            0 => {
                drop(state);
                self.journal.note("broker: ack lost", format_args!("{}", receipt.message.message_id));
            }
            1 => {
                let late = self.ack_wait + Duration::from_millis(state.rng.u64(0..2_000));
                state.acks.push((Instant::now() + late, receipt.clone()));
                drop(state);
                self.journal.note("broker: ack slow", format_args!("{}", receipt.message.message_id));
            }
            _ => {
                let way = Duration::from_millis(state.rng.u64(0..20));
                state.acks.push((Instant::now() + way, receipt));
            }
        }
        self.changed.notify_one();
    }

    /// Serves until it is dropped.
    pub(crate) async fn run(&self) {
        loop {
            match self.turn() {
                // What ends the wait makes no difference.
                Some(next) => drop(timeout_at(next, self.changed.notified()).await),
                None => self.changed.notified().await,
            }
        }
    }

    /// Does what is due, and says when something is again.
    fn turn(&self) -> Option<Instant> {
        let mut state = self.lock();
        let now = Instant::now();
        state.subscriptions.retain(|_, sender| !sender.is_closed());
        let arrived: Vec<_> = state.acks.extract_if(.., |(due, _)| *due <= now).collect();
        for (_, receipt) in arrived {
            // An ack goes to the subscription that delivered: another life, or a link that is gone, has no ear for it.
            let heard = receipt.life == state.life && state.subscriptions.contains_key(&receipt.subscription);
            if heard {
                state.outstanding.remove(&receipt.index);
                state.log[receipt.index].1 = true;
            }
            let name = if heard { "acked" } else { "broker: ack of a dead subscription" };
            self.journal.note(name, format_args!("{}", receipt.message.message_id));
        }
        let ack = state.acks.iter().map(|(due, _)| *due).min();
        if state.subscriptions.is_empty() {
            return ack;
        }
        let mut due: Vec<usize> =
            state.outstanding.iter().filter(|(_, one)| one.due <= now).map(|(&index, _)| index).collect();
        if state.faulty && due.len() > 1 && state.rng.bool() {
            state.rng.shuffle(&mut due);
            self.journal.note("broker: redelivered out of order", format_args!("{}", due.len()));
        }
        while state.next < state.log.len() && state.outstanding.len() + due.len() < self.max_in_flight {
            let next = state.next;
            state.outstanding.insert(next, Outstanding { due: now, times: 0 });
            due.push(next);
            state.next += 1;
        }
        for index in due {
            self.deliver(&mut state, index, now);
        }
        ack.into_iter().chain(state.outstanding.values().map(|one| one.due)).min()
    }

    fn deliver(&self, state: &mut State, index: usize, now: Instant) {
        let ids: Vec<u64> = state.subscriptions.keys().copied().collect();
        let subscription = ids[state.rng.usize(..ids.len())];
        let message = state.log[index].0.clone();
        state.copies += 1;
        let receipt =
            Receipt { subscription, life: state.life, index, copy: state.copies, message: message.clone() };
        let lost = state.faulty && state.rng.u8(0..16) == 0;
        let unflagged = state.rng.bool();
        let one = state.outstanding.get_mut(&index).expect("what is delivered is outstanding");
        (one.due, one.times) = (now + self.ack_wait, one.times + 1);
        let name = match one.times {
            1 => "delivered",
            _ if unflagged => "redelivered, not flagged",
            _ => "redelivered, flagged",
        };
        self.journal.note(name, format_args!("{} to {subscription}", message.message_id));
        // A queue that is full loses it too; it is due again after the ack wait.
        if lost || state.subscriptions[&subscription].try_send(receipt).is_err() {
            self.journal.note("broker: delivery lost", format_args!("{}", message.message_id));
        }
    }
}
