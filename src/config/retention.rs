use std::time::Duration;

use clap::Args;

use super::{Findings, units};

/// How long what has come to its end is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Retention")]
pub struct RetentionSettings {
    /// Delete an order so long after it last changed, such as 400d; unset: never
    #[arg(id = "ORDER_RETENTION", long = "order-retention", env = "ORDER_RETENTION", value_parser = retention)]
    pub orders: Option<Duration>,

    /// Delete a dead letter so long after it was replayed or discarded; unset: never. Open ones stay
    #[arg(
        id = "DEAD_LETTER_RETENTION",
        long = "dead-letter-retention",
        env = "DEAD_LETTER_RETENTION",
        value_parser = retention
    )]
    pub dead_letters: Option<Duration>,

    /// Delete what an order said before so long after it was replaced, or came too late; unset: never
    #[arg(id = "HISTORY_RETENTION", long = "history-retention", env = "HISTORY_RETENTION", value_parser = retention)]
    pub history: Option<Duration>,
}

/// What is shorter was hardly meant: a message may be delivered again for as long.
const SHORTEST: Duration = Duration::from_secs(3600);

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A hundred years.
const MOST_DAYS: u32 = 36_525;

impl RetentionSettings {
    pub(crate) fn check(&self, findings: &mut Findings) {
        for (setting, retention) in [
            ("ORDER_RETENTION", self.orders),
            ("DEAD_LETTER_RETENTION", self.dead_letters),
            ("HISTORY_RETENTION", self.history),
        ] {
            if let Some(retention) = retention.filter(|retention| *retention < SHORTEST) {
                findings.error(
                    setting,
                    format!("{retention:?}"),
                    "is shorter than an hour: what is deleted is gone, also when a message is still to be delivered again",
                    format!("Set {setting} to 1h or more, such as 400d, or unset it to delete nothing"),
                );
            }
        }
        if let Some(orders) = self.orders
            && self.history.is_none_or(|history| history > orders)
        {
            findings.warn(
                "ORDER_RETENTION",
                format!("{orders:?}"),
                "deletes orders before what they said earlier: that stays in order_history, personal data included",
                "Set HISTORY_RETENTION to ORDER_RETENTION or less",
            );
        }
    }
}

/// Reads `400d`, or a duration of any other unit.
fn retention(text: &str) -> Result<Duration, String> {
    let Some(days) = text.trim().strip_suffix('d') else { return units::duration(text) };
    let days: u32 = units::number(days)?;
    if days > MOST_DAYS {
        return Err("that is longer than a hundred years; leave it unset to keep everything".into());
    }
    Ok(DAY * days)
}

#[cfg(test)]
mod tests {
    use super::{
        super::testing::{expect_error, expect_fine, expect_warning, settings},
        *,
    };

    #[test]
    fn nothing_is_deleted_unless_it_is_asked_for() {
        let RetentionSettings { orders, dead_letters, history } = settings(&[]).retention;
        assert_eq!((orders, dead_letters, history), (None, None, None));
    }

    #[test]
    fn a_retention_is_read_in_days_and_in_every_other_unit() {
        for (text, hours) in [("400d", 9600), ("1 d", 24), ("36h", 36), ("0d", 0)] {
            assert_eq!(retention(text), Ok(Duration::from_secs(hours * 3600)), "{text}");
        }
        for text in ["d", "-1d", "1.5d", "36526d", "1y", "", "30"] {
            assert!(retention(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_retention_that_leaves_no_time_is_refused() {
        expect_error(
            &["--dead-letter-retention", "59m"],
            "DEAD_LETTER_RETENTION=3540s is shorter than an hour",
        );
        expect_fine(&["--dead-letter-retention", "1h"]);
    }

    #[test]
    fn orders_that_go_before_their_history_are_warned_of() {
        for args in
            [&["--order-retention", "90d"][..], &["--order-retention", "90d", "--history-retention", "91d"]]
        {
            expect_warning(args, "stays in order_history, personal data included");
        }
        expect_fine(&["--order-retention", "90d", "--history-retention", "90d"]);
    }
}
