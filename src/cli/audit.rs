//! `audit`: the ledger against the tables.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::{database, output};
use crate::{
    config::StoreSettings,
    store::{Audit, ChannelAudit, Difference, Expired, Outcome, Store},
    terminal::{printable, printable_json},
};

pub(crate) const EXAMPLES: &str = "\
Exits 0 when everything that was received is accounted for, 1 when not, 2 when the database can't be read. It counts \
every table in one snapshot and may be run while the service runs. It counts rows; it does not compare what is in them.

Example:
  orderbox audit --database-url sqlite:///var/lib/orderbox/orderbox.db --json";

#[derive(Debug, Args)]
pub(crate) struct AuditCommand {
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    store: StoreSettings,
}

impl AuditCommand {
    pub(crate) async fn run(self) -> ExitCode {
        match database::open(&self.store) {
            Ok(store) => report(store.as_ref(), self.json).await,
            Err(code) => code,
        }
    }
}

/// Counts everything and prints whether it balances.
async fn report(store: &dyn Store, as_json: bool) -> ExitCode {
    let audit = match store.audit().await {
        Ok(audit) => audit,
        Err(cause) => return output::failure(format_args!("the store can't be read: {cause}")),
    };
    let code = if audit.balances() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let text =
        if as_json { format!("{}\n", printable_json(&json(&audit).to_string())) } else { table(&audit) };
    output::answer(&text, code)
}

/// The report for a person.
fn table(audit: &Audit) -> String {
    let mut head: Vec<String> = vec!["source".into(), "channel".into(), "received".into()];
    head.extend(Outcome::ALL.map(|outcome| outcome.as_str().to_owned()));
    head.extend(["pending".into(), "dead letters".into()]);
    let rows = audit.channels.iter().map(|ChannelAudit { ledger, pending, dead_letters }| {
        let mut row =
            vec![ledger.source.to_string(), printable(&ledger.channel), ledger.received.to_string()];
        row.extend(Outcome::ALL.map(|outcome| ledger.outcomes.get(outcome).to_string()));
        row.extend([pending.to_string(), dead_letters.to_string()]);
        row
    });
    let mut text = output::table(&head, &rows.collect::<Vec<_>>(), 2);
    let Audit { orders, deliveries, payments, .. } = audit;
    text.push_str(&format!("\norders {orders}, deliveries {deliveries}, payments {payments}\n"));
    let expired = |of: fn(&Expired) -> i64| -> i64 {
        audit.channels.iter().map(|channel| of(&channel.ledger.expired)).sum()
    };
    let (old_orders, old_letters) =
        (expired(|expired| expired.orders), expired(|expired| expired.dead_letters));
    if old_orders + old_letters > 0 {
        text.push_str(&format!("deleted for their age: orders {old_orders}, dead letters {old_letters}\n"));
    }
    let differences = audit.differences();
    if differences.is_empty() {
        text.push_str("balances: no message is missing and none is counted twice\n");
        return text;
    }
    text.push_str("DOES NOT BALANCE:\n");
    for difference in &differences {
        text.push_str(&format!(
            "  {} ({:+})\n",
            printable(&difference.to_string()),
            difference.right - difference.left
        ));
    }
    text
}

fn json(audit: &Audit) -> Value {
    let channels: Vec<Value> = audit
        .channels
        .iter()
        .map(|ChannelAudit { ledger, pending, dead_letters }| {
            let mut channel = json!({
                "source": ledger.source.as_str(),
                "channel": ledger.channel,
                "received": ledger.received,
                "pending": pending,
                "dead_letters": dead_letters,
                "expired_orders": ledger.expired.orders,
                "expired_dead_letters": ledger.expired.dead_letters,
            });
            for outcome in Outcome::ALL {
                channel[outcome.as_str()] = ledger.outcomes.get(outcome).into();
            }
            channel
        })
        .collect();
    let differences: Vec<Value> = audit
        .differences()
        .iter()
        .map(|Difference { equation, left, right }| json!({"equation": equation, "left": left, "right": right}))
        .collect();
    json!({
        "balances": differences.is_empty(),
        "channels": channels,
        "orders": audit.orders,
        "deliveries": audit.deliveries,
        "payments": audit.payments,
        "orders_without_delivery": audit.orders_without_delivery,
        "orders_without_payment": audit.orders_without_payment,
        "differences": differences,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ChannelLedger, Outcomes, SourceKind};

    fn channel(source: SourceKind, channel: &str, outcomes: [i64; 5], pending: i64) -> ChannelAudit {
        let mut counted = Outcomes::default();
        for (outcome, messages) in Outcome::ALL.into_iter().zip(outcomes) {
            counted.add(outcome, messages);
        }
        let ledger = ChannelLedger {
            source,
            channel: channel.to_owned(),
            received: counted.total() + pending,
            outcomes: counted,
            expired: Expired::default(),
        };
        ChannelAudit { ledger, pending, dead_letters: counted.get(Outcome::Rejected) }
    }

    fn sound() -> Audit {
        Audit {
            channels: vec![
                channel(SourceKind::Stan, "orders", [19_600, 3, 2, 1, 400], 12),
                channel(SourceKind::Sample, "sample", [1, 0, 0, 0, 0], 0),
            ],
            orders: 19_601,
            deliveries: 19_601,
            payments: 19_601,
            ..Audit::default()
        }
    }

    #[test]
    fn a_sound_store_is_told_to_balance() {
        insta::assert_snapshot!(table(&sound()));
        assert_eq!(json(&sound())["balances"], true);
    }

    #[test]
    fn what_differs_is_told_with_by_how_much() {
        let mut audit = sound();
        audit.channels[0].ledger.received += 2;
        audit.payments -= 1;
        insta::assert_snapshot!(table(&audit));
        let json = json(&audit);
        assert_eq!(json["balances"], false);
        assert_eq!(json["channels"][0]["applied"], 19_600);
        assert_eq!(
            json["differences"][1],
            json!({"equation": "orders = payments", "left": 19_601, "right": 19_600})
        );
    }

    #[test]
    fn a_channel_can_not_steer_the_terminal() {
        let audit = Audit {
            channels: vec![channel(SourceKind::Stan, "a\u{1b}[2J", [0, 0, 0, 0, 1], 0)],
            ..Audit::default()
        };
        assert!(!table(&audit).contains('\u{1b}'));
    }
}
