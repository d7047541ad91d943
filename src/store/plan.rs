//! What settling a batch does to the orders, worked out in memory: the same for every store.

use std::collections::HashMap;

use super::{
    Message, Outcome,
    version::{Current, Version},
};
use crate::order::Order;

/// An accepted message of the batch, with its order in the form that the store wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Accepted<'a, O = &'a Order<'a>> {
    /// Its place in the batch.
    pub(super) index: usize,
    pub(super) message: &'a Message,
    pub(super) order_uid: &'a str,
    pub(super) order: O,
}

/// The changes that a batch makes. Every list is sorted by uid, as long as nothing is added to it.
#[derive(Debug)]
pub(super) struct Plan<'a, O = &'a Order<'a>> {
    /// What became of each accepted message, by its place in the batch.
    pub(super) outcomes: Vec<(usize, Outcome)>,
    /// Orders with a new uid.
    pub(super) inserts: Vec<Accepted<'a, O>>,
    /// Rows whose document changes.
    pub(super) replacements: Vec<(i64, Accepted<'a, O>)>,
    /// Rows whose document stays and came again with a newer message.
    pub(super) forwards: Vec<(i64, Version<'a>)>,
    /// Documents that are no longer, or never were, what the order is; in the order in which they were superseded. To be
    /// kept before the rows are overwritten.
    pub(super) history: Vec<Version<'a>>,
}

/// Settles messages one by one, oldest first, on top of the rows that are there; `current` holds those of all their uids.
pub(super) fn plan<'a, O: Copy>(mut accepted: Vec<Accepted<'a, O>>, current: &'a [Current]) -> Plan<'a, O> {
    accepted.sort_by_cached_key(|accepted| {
        let version = Version::of(accepted);
        (version.order_uid, version.place())
    });
    let current: HashMap<&str, &Current> = current.iter().map(|row| (row.order_uid.as_str(), row)).collect();
    let mut plan = Plan::default();
    for of_one_uid in accepted.chunk_by(|a, b| a.order_uid == b.order_uid) {
        let stored = current.get(of_one_uid[0].order_uid).copied();
        plan.settle_uid(of_one_uid, stored);
    }
    plan
}

impl<O> Default for Plan<'_, O> {
    fn default() -> Self {
        Self {
            outcomes: Vec::new(),
            inserts: Vec::new(),
            replacements: Vec::new(),
            forwards: Vec::new(),
            history: Vec::new(),
        }
    }
}

impl<'a, O: Copy> Plan<'a, O> {
    /// Adds what is to be done to other uids.
    pub(super) fn extend(&mut self, other: Self) {
        let Self { outcomes, inserts, replacements, forwards, history } = other;
        self.outcomes.extend(outcomes);
        self.inserts.extend(inserts);
        self.replacements.extend(replacements);
        self.forwards.extend(forwards);
        self.history.extend(history);
    }

    fn settle_uid(&mut self, messages: &[Accepted<'a, O>], stored: Option<&'a Current>) {
        let mut head = stored.map(Version::stored);
        // The message that the head comes from, when it is one of the batch.
        let mut written = None;
        let mut replaced = false;
        for accepted in messages {
            let next = Version::of(accepted);
            let outcome = match head {
                None => Outcome::Applied,
                Some(head) if head.document.is(&accepted.message.payload) => Outcome::Unchanged,
                Some(head) if next.is_newer_than(&head) => {
                    self.history.push(head);
                    replaced = true;
                    Outcome::Replaced
                }
                Some(_) => {
                    self.history.push(next);
                    Outcome::Outdated
                }
            };
            self.outcomes.push((accepted.index, outcome));
            if head.is_none_or(|head| next.is_newer_than(&head)) {
                head = Some(next);
                written = Some(*accepted);
            }
        }
        match (stored, written) {
            (_, None) => {}
            (None, Some(accepted)) => self.inserts.push(accepted),
            (Some(row), Some(accepted)) if replaced => self.replacements.push((row.id, accepted)),
            (Some(row), Some(accepted)) => self.forwards.push((row.id, Version::of(&accepted))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::{
        order::{Delivery, Payment},
        store::{
            SourceKind,
            version::{Document, Fingerprint},
        },
    };

    /// Orders by uid, and the history, as (message_id, document).
    #[derive(Debug, Default, PartialEq)]
    struct Tables {
        orders: BTreeMap<String, Message>,
        history: BTreeMap<String, Vec<(String, Bytes)>>,
    }

    type Outcomes = BTreeMap<String, Outcome>;

    /// The rules of design and documentation, in the plainest words.
    fn settle_one(tables: &mut Tables, uid: &str, message: &Message) -> Outcome {
        let place =
            |message: &Message| (message.published_at_ns, message.sequence, message.message_id.to_string());
        let Some(head) = tables.orders.get_mut(uid) else {
            tables.orders.insert(uid.to_owned(), message.clone());
            return Outcome::Applied;
        };
        let newer = place(message) > place(head);
        let same = message.payload == head.payload;
        let superseded = if newer { std::mem::replace(head, message.clone()) } else { message.clone() };
        if same {
            return Outcome::Unchanged;
        }
        tables
            .history
            .entry(uid.to_owned())
            .or_default()
            .push((superseded.message_id.to_string(), superseded.payload));
        if newer { Outcome::Replaced } else { Outcome::Outdated }
    }

    fn settle_batch(tables: &mut Tables, batch: &[(String, Message)]) -> Outcomes {
        let current: Vec<Current> = tables
            .orders
            .iter()
            .zip(0..)
            .map(|((uid, head), id)| Current {
                id,
                order_uid: uid.clone(),
                message_id: head.message_id.to_string(),
                source: head.source.as_str().to_owned(),
                channel: head.channel.to_string(),
                sequence: head.sequence,
                published_at_ns: head.published_at_ns,
                document: Fingerprint::of(&head.payload),
            })
            .collect();
        let orders: Vec<Order<'_>> = batch.iter().map(|(uid, _)| order(uid)).collect();
        let accepted = (batch.iter().zip(&orders).enumerate())
            .map(|(index, ((_, message), order))| Accepted {
                index,
                message,
                order_uid: &order.order_uid,
                order,
            })
            .collect();
        let plan = plan(accepted, &current);
        for version in &plan.history {
            let document = match version.document {
                Document::Stored(..) => tables.orders[version.order_uid].payload.clone(),
                Document::Held(bytes) => Bytes::copy_from_slice(bytes),
            };
            let kept = tables.history.entry(version.order_uid.to_owned()).or_default();
            kept.push((version.message_id.to_owned(), document));
        }
        for accepted in plan.inserts.iter().chain(plan.replacements.iter().map(|(_, accepted)| accepted)) {
            tables.orders.insert(accepted.order.order_uid.to_string(), accepted.message.clone());
        }
        for (_, to) in &plan.forwards {
            let head = tables.orders.get_mut(to.order_uid).expect("it is there");
            assert!(to.document.is(&head.payload), "a forward changes no document");
            head.message_id = to.message_id.into();
            head.sequence = to.sequence;
            head.published_at_ns = to.published_at_ns;
        }
        plan.outcomes
            .iter()
            .map(|(index, outcome)| (batch[*index].1.message_id.to_string(), *outcome))
            .collect()
    }

    fn order(uid: &str) -> Order<'_> {
        Order {
            order_uid: uid.into(),
            track_number: "T".into(),
            entry: None,
            delivery: Delivery::default(),
            payment: Payment::default(),
            items: Vec::new(),
            locale: None,
            internal_signature: None,
            customer_id: None,
            delivery_service: None,
            shardkey: None,
            sm_id: None,
            date_created: None,
            oof_shard: None,
        }
    }

    /// Few uids, times, sequences and documents, so that every tie and every repetition comes up.
    fn messages() -> impl Strategy<Value = Vec<(String, Message)>> {
        vec((0..3_u8, 0..3_u8, 0..4_i64, 0..2_i64), 0..24).prop_map(|drawn| {
            let of = |(n, (uid, document, published_at_ns, sequence)): (usize, (u8, u8, i64, i64))| {
                let message = Message {
                    message_id: format!("stan:{:03}", (n * 37) % 101).into(),
                    source: SourceKind::Stan,
                    channel: "orders".into(),
                    sequence,
                    published_at_ns,
                    payload: Bytes::from(vec![document]),
                };
                (format!("uid-{uid}"), message)
            };
            drawn.into_iter().enumerate().map(of).collect()
        })
    }

    proptest! {
        #[test]
        fn a_batch_settles_as_if_its_messages_came_one_by_one(
            messages in messages(),
            size in 1..12_usize,
        ) {
            let mut batched = (Tables::default(), Outcomes::new());
            let mut single = (Tables::default(), Outcomes::new());
            for batch in messages.chunks(size) {
                batched.1.extend(settle_batch(&mut batched.0, batch));
                let mut sorted = batch.to_vec();
                sorted.sort_by_key(|(_, m)| (m.published_at_ns, m.sequence, m.message_id.to_string()));
                for (uid, message) in &sorted {
                    let outcome = settle_one(&mut single.0, uid, message);
                    single.1.insert(message.message_id.to_string(), outcome);
                }
            }
            prop_assert_eq!(batched, single);
        }

        #[test]
        fn the_newest_message_wins_and_no_document_is_lost_in_any_order_of_arrival(
            messages in messages(),
            size in 1..12_usize,
        ) {
            let mut tables = Tables::default();
            for batch in messages.chunks(size) {
                settle_batch(&mut tables, batch);
            }
            for (uid, message) in &messages {
                let head = &tables.orders[uid];
                let kept = tables.history.get(uid).into_iter().flatten();
                prop_assert!(head.payload == message.payload
                    || kept.into_iter().any(|(_, document)| *document == message.payload));
                prop_assert!((head.published_at_ns, head.sequence, &head.message_id)
                    >= (message.published_at_ns, message.sequence, &message.message_id));
            }
        }
    }
}
