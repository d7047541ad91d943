use std::fmt;

use super::{ChannelLedger, Outcome};

/// The ledger and the tables, counted in one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audit {
    /// Sorted by source and channel.
    pub channels: Vec<ChannelAudit>,
    /// Rows of `orders`.
    pub orders: i64,
    /// Rows of `deliveries`.
    pub deliveries: i64,
    /// Rows of `payments`.
    pub payments: i64,
    /// Orders that have no row in `deliveries`.
    pub orders_without_delivery: i64,
    /// Orders that have no row in `payments`.
    pub orders_without_payment: i64,
}

/// One channel's lines of the ledger and the rows that they speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelAudit {
    /// What the ledger says.
    pub ledger: ChannelLedger,
    /// Rows of the inbox.
    pub pending: i64,
    /// Rows of `dead_letters`.
    pub dead_letters: i64,
}

impl ChannelAudit {
    /// Messages for which the ledger and the inbox disagree.
    #[must_use]
    pub fn unaccounted(&self) -> u64 {
        self.ledger.received.abs_diff(self.ledger.outcomes.total() + self.pending)
    }
}

/// A count that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The equation, as in `stan/orders: received = settled + pending`.
    pub equation: String,
    /// The left side.
    pub left: i64,
    /// The right side.
    pub right: i64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} against {}", self.equation, self.left, self.right)
    }
}

impl Audit {
    /// `true` when no message is missing and none is counted twice.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.differences().is_empty()
    }

    /// Every equation that does not hold.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        let mut equations = Vec::new();
        for ChannelAudit { ledger, pending, dead_letters } in &self.channels {
            let name = format!("{}/{}", ledger.source, ledger.channel);
            equations.push((
                format!("{name}: received = applied + replaced + unchanged + outdated + rejected + pending"),
                ledger.received,
                ledger.outcomes.total() + pending,
            ));
            equations.push((
                format!("{name}: rejected = dead letters{}", plus(ledger.expired.dead_letters)),
                ledger.outcomes.get(Outcome::Rejected),
                dead_letters + ledger.expired.dead_letters,
            ));
        }
        let applied = self.channels.iter().map(|channel| channel.ledger.outcomes.get(Outcome::Applied)).sum();
        let expired = self.channels.iter().map(|channel| channel.ledger.expired.orders).sum();
        equations.push((format!("applied = orders{}", plus(expired)), applied, self.orders + expired));
        equations.push(("orders = deliveries".to_owned(), self.orders, self.deliveries));
        equations.push(("orders = payments".to_owned(), self.orders, self.payments));
        equations.push(("orders without a delivery = 0".to_owned(), self.orders_without_delivery, 0));
        equations.push(("orders without a payment = 0".to_owned(), self.orders_without_payment, 0));
        equations
            .into_iter()
            .filter(|(_, left, right)| left != right)
            .map(|(equation, left, right)| Difference { equation, left, right })
            .collect()
    }
}

/// What an equation has besides once anything was deleted.
const fn plus(expired: i64) -> &'static str {
    if expired == 0 { "" } else { " + expired" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Expired, Outcomes, SourceKind};

    fn balanced() -> Audit {
        let mut outcomes = Outcomes::default();
        for (outcome, messages) in Outcome::ALL.into_iter().zip([3, 2, 1, 4, 5]) {
            outcomes.add(outcome, messages);
        }
        let expired = Expired { orders: 2, dead_letters: 4, history: 5 };
        let channel = "orders".to_owned();
        let ledger = ChannelLedger { source: SourceKind::Stan, channel, received: 22, outcomes, expired };
        Audit {
            channels: vec![ChannelAudit { ledger, pending: 7, dead_letters: 1 }],
            orders: 1,
            deliveries: 1,
            payments: 1,
            orders_without_delivery: 0,
            orders_without_payment: 0,
        }
    }

    #[test]
    fn a_sound_store_and_an_empty_one_balance() {
        assert!(balanced().balances());
        assert!(Audit::default().balances());
    }

    #[test]
    fn each_count_that_is_off_by_one_is_found() {
        let breaks: [fn(&mut Audit); 11] = [
            |audit| audit.channels[0].ledger.received += 1,
            |audit| audit.channels[0].pending -= 1,
            |audit| audit.channels[0].dead_letters += 1,
            |audit| audit.channels[0].ledger.outcomes.add(Outcome::Applied, 1),
            |audit| audit.channels[0].ledger.expired.orders += 1,
            |audit| audit.channels[0].ledger.expired.dead_letters -= 1,
            |audit| audit.orders -= 1,
            |audit| audit.deliveries += 1,
            |audit| audit.payments -= 1,
            |audit| audit.orders_without_delivery = 1,
            |audit| audit.orders_without_payment = 1,
        ];
        for (index, spoil) in breaks.into_iter().enumerate() {
            let mut audit = balanced();
            spoil(&mut audit);
            assert!(!audit.balances(), "break {index} was not seen");
        }
    }

    #[test]
    fn a_difference_names_the_equation_and_both_sides() {
        let mut audit = balanced();
        audit.channels[0].dead_letters = 0;
        let differences = audit.differences();
        assert_eq!(differences.len(), 1);
        assert_eq!(differences[0].to_string(), "stan/orders: rejected = dead letters + expired: 5 against 4");
    }
}
