//! The tables as the contract has them, in the plainest words: one message at a time, nothing shared with the real stores.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use orderbox::store::{Decision, InboxRow, Message, Outcome, Recorded, Settlement};
use tokio::time::Instant;

/// What decides which of two messages is newer.
pub(crate) type Place = (i64, i64, Arc<str>);

pub(crate) fn place(message: &Message) -> Place {
    (message.published_at_ns, message.sequence, Arc::clone(&message.message_id))
}

/// A settlement that outlives the call, as a statement does that the server has already got.
#[derive(Debug, Clone)]
pub(crate) struct Verdict {
    pub(crate) row: InboxRow,
    /// The uid of an order, or the reason of a dead letter.
    pub(crate) decision: Result<String, String>,
}

impl Verdict {
    pub(crate) fn of(settlement: &Settlement<'_>) -> Self {
        let decision = match settlement.decision {
            Decision::Accept(order) => Ok(order.order_uid.to_string()),
            Decision::Reject(refusal) => Err(refusal.reason.to_owned()),
        };
        Self { row: settlement.row.clone(), decision }
    }
}

#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) message: Message,
    pub(crate) since: Instant,
    pub(crate) attempts: i32,
}

#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) id: i64,
    pub(crate) message: Message,
    pub(crate) changed: Instant,
}

/// A channel's line of the ledger.
#[derive(Debug, Default)]
struct Line {
    received: i64,
    settled: i64,
}

#[derive(Debug, Default)]
pub(crate) struct Tables {
    last_id: i64,
    pub(crate) inbox: BTreeMap<i64, Pending>,
    pub(crate) orders: BTreeMap<String, Head>,
    /// uid and document by message id.
    pub(crate) history: BTreeMap<Arc<str>, (String, Bytes)>,
    /// What other instances hear of: when the transaction began, the uid, and the document that went to the history; `None`
    /// for an order that was deleted. The id of a change is its place here.
    pub(crate) changes: Vec<(Instant, String, Option<Bytes>)>,
    expired: i64,
    /// Reason by message id.
    pub(crate) letters: BTreeMap<Arc<str>, String>,
    ledger: BTreeMap<Arc<str>, Line>,
    pub(crate) outcomes: BTreeMap<&'static str, i64>,
    /// Beyond the contract, for the checks: every message that a commit has settled, and every order with its place.
    pub(crate) settled: BTreeSet<Arc<str>>,
    accepted: BTreeMap<String, Vec<(Place, Bytes)>>,
    /// How many of those were deleted with their order, by uid.
    deleted: BTreeMap<String, usize>,
}

impl Tables {
    pub(crate) fn record(&mut self, messages: &[Message]) -> Vec<Recorded> {
        messages.iter().map(|message| self.record_one(message)).collect()
    }

    /// Whether this message has become an order, a document of the history, or a dead letter.
    pub(crate) fn has_settled(&self, message: &Message) -> bool {
        let place = place(message);
        self.letters.contains_key(&message.message_id)
            || self.accepted.values().flatten().any(|(heard, _)| *heard == place)
    }

    fn record_one(&mut self, message: &Message) -> Recorded {
        let there = self.inbox.iter().find(|(_, row)| row.message.message_id == message.message_id);
        if let Some((&id, _)) = there {
            return Recorded { id, new: false };
        }
        self.last_id += 1;
        self.inbox
            .insert(self.last_id, Pending { message: message.clone(), since: Instant::now(), attempts: 0 });
        self.ledger.entry(Arc::clone(&message.channel)).or_default().received += 1;
        Recorded { id: self.last_id, new: true }
    }

    /// In a transaction that began then.
    pub(crate) fn settle(&mut self, began: Instant, batch: &[Verdict]) -> Vec<Option<Outcome>> {
        let mut order: Vec<usize> = (0..batch.len()).collect();
        order.sort_by_key(|&index| place(&batch[index].row.message));
        let mut outcomes = vec![None; batch.len()];
        for index in order {
            outcomes[index] = self.settle_one(began, &batch[index]);
        }
        outcomes
    }

    fn settle_one(&mut self, began: Instant, verdict: &Verdict) -> Option<Outcome> {
        let message = self.inbox.remove(&verdict.row.id)?.message;
        let outcome = match &verdict.decision {
            Ok(uid) => self.accept(began, uid, &message),
            Err(reason) => self.reject(reason, &message),
        };
        self.ledger.entry(Arc::clone(&message.channel)).or_default().settled += 1;
        *self.outcomes.entry(outcome.as_str()).or_default() += 1;
        self.settled.insert(message.message_id);
        Some(outcome)
    }

    fn accept(&mut self, began: Instant, uid: &str, message: &Message) -> Outcome {
        let heard = (place(message), message.payload.clone());
        self.accepted.entry(uid.to_owned()).or_default().push(heard);
        let Some(head) = self.orders.get_mut(uid) else {
            self.last_id += 1;
            let head = Head { id: self.last_id, message: message.clone(), changed: began };
            self.orders.insert(uid.to_owned(), head);
            return Outcome::Applied;
        };
        let newer = place(message) > place(&head.message);
        let same = message.payload == head.message.payload;
        let former =
            if newer { std::mem::replace(&mut head.message, message.clone()) } else { message.clone() };
        if newer {
            head.changed = began;
        }
        if same {
            return Outcome::Unchanged;
        }
        self.changes.push((began, uid.to_owned(), Some(former.payload.clone())));
        self.history.entry(former.message_id).or_insert((uid.to_owned(), former.payload));
        if newer { Outcome::Replaced } else { Outcome::Outdated }
    }

    fn reject(&mut self, reason: &str, message: &Message) -> Outcome {
        if self.letters.contains_key(&message.message_id) {
            return Outcome::Unchanged;
        }
        self.letters.insert(Arc::clone(&message.message_id), reason.to_owned());
        Outcome::Rejected
    }

    /// The ids of orders that were last changed so long ago, with their uids.
    pub(crate) fn aged(&self, age: Duration) -> Vec<(i64, String)> {
        let old = self.orders.iter().filter(|(_, head)| head.changed.elapsed() >= age);
        old.map(|(uid, head)| (head.id, uid.clone())).collect()
    }

    /// Deletes those of these orders that still are so old, in a transaction that began then; answers their uids.
    pub(crate) fn expire(&mut self, began: Instant, age: Duration, ids: &[i64]) -> Vec<String> {
        let mut gone = self.aged(age);
        gone.retain(|(id, _)| ids.contains(id));
        for (_, uid) in &gone {
            self.orders.remove(uid);
            self.expired += 1;
            self.changes.push((began, uid.clone(), None));
            self.deleted.insert(uid.clone(), self.accepted[uid].len());
        }
        gone.into_iter().map(|(_, uid)| uid).collect()
    }

    /// How much of a uid was deleted: what was promised before then no longer binds.
    pub(crate) fn deleted(&self, uid: &str) -> usize {
        self.deleted.get(uid).copied().unwrap_or(0)
    }

    /// What was accepted and not deleted since, by uid.
    pub(crate) fn kept(&self) -> impl Iterator<Item = (&String, &[(Place, Bytes)])> {
        self.accepted.iter().map(|(uid, heard)| (uid, &heard[self.deleted(uid)..]))
    }

    /// Whether a message became an order that was deleted.
    pub(crate) fn has_deleted(&self, uid: &str, document: &Bytes) -> bool {
        let heard = self.accepted.get(uid).map_or(&[][..], |heard| &heard[..self.deleted(uid)]);
        heard.iter().any(|(_, bytes)| bytes == document)
    }

    /// Whether a document is what an order says, or said once.
    pub(crate) fn keeps(&self, uid: &str, document: &Bytes) -> bool {
        self.orders.get(uid).is_some_and(|head| head.message.payload == document)
            || self.history.values().any(|(of, kept)| of == uid && kept == document)
    }

    /// The latest place in which this document stood for the uid.
    pub(crate) fn place_of(&self, uid: &str, document: &[u8]) -> Option<Place> {
        let heard = self.accepted.get(uid)?;
        heard.iter().filter(|(_, bytes)| bytes == document).map(|(place, _)| place.clone()).max()
    }

    /// Whether what stood in this place for the uid was not deleted.
    pub(crate) fn keeps_place(&self, uid: &str, place: &Place) -> bool {
        self.accepted[uid][self.deleted(uid)..].iter().any(|(of, _)| of == place)
    }

    /// What the ledger does not account for.
    pub(crate) fn imbalance(&self) -> Option<String> {
        for (channel, line) in &self.ledger {
            let pending = self.inbox.values().filter(|row| row.message.channel == *channel).count() as i64;
            if line.received != line.settled + pending {
                return Some(format!(
                    "{channel}: received {} = settled {} + pending {pending}",
                    line.received, line.settled
                ));
            }
        }
        let count = |outcome: Outcome| self.outcomes.get(outcome.as_str()).copied().unwrap_or(0);
        let (applied, rejected) = (count(Outcome::Applied), count(Outcome::Rejected));
        let (orders, letters) = (self.orders.len() as i64, self.letters.len() as i64);
        let expired = self.expired;
        (applied != orders + expired || rejected != letters).then(|| {
            format!("applied {applied} = orders {orders} + expired {expired}, rejected {rejected} = dead letters {letters}")
        })
    }
}
