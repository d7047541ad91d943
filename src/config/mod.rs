//! The settings of `serve`: each is an environment variable and a flag. One struct a concern; [`Settings::check`] holds
//! them against each other before anything starts.
//!
//! A secret redacts itself wherever it is printed. A variable that is set to nothing counts as unset: that is what
//! `NAME=${NAME}` of a compose file makes of a variable that nobody gave.

mod cross;
mod environment;
mod findings;
mod http;
mod http_limits;
mod jetstream;
mod limits;
mod log;
mod nats;
mod retention;
mod secret;
mod stan;
mod store;
mod units;

use clap::{ArgAction, Args};

pub use environment::{empty_is_unset, unknown_variables};
pub use findings::{Finding, Findings};
pub use http::HttpSettings;
pub(crate) use http::{DEFAULT_ADDR, address};
pub use http_limits::HttpLimitSettings;
pub use jetstream::JetStreamSettings;
pub use limits::{DEFAULT_MAX_MESSAGE_BYTES, LimitSettings};
pub use log::{LogFormat, LogSettings};
pub use nats::NatsSettings;
pub use retention::RetentionSettings;
pub use secret::{Secret, SecretUrl};
pub use stan::StanSettings;
pub use store::StoreSettings;
pub use units::ByteSize;
pub(crate) use units::duration;

/// Everything that `serve` can be told.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Where the orders are kept.
    #[command(flatten)]
    pub store: StoreSettings,
    /// The subscription to NATS Streaming.
    #[command(flatten)]
    pub stan: StanSettings,
    /// The consumer of NATS JetStream.
    #[command(flatten)]
    pub jetstream: JetStreamSettings,
    /// Credentials and certificates of the broker.
    #[command(flatten)]
    pub nats: NatsSettings,
    /// The HTTP side.
    #[command(flatten)]
    pub http: HttpSettings,
    /// What clients may take of the service.
    #[command(flatten)]
    pub http_limits: HttpLimitSettings,
    /// How much of everything there may be.
    #[command(flatten)]
    pub limits: LimitSettings,
    /// How long what has come to its end is kept.
    #[command(flatten)]
    pub retention: RetentionSettings,
    /// The log.
    #[command(flatten)]
    pub log: LogSettings,

    /// Put the sample order b563feb7b2b84b6test into an empty store
    #[arg(
        id = "SAMPLE_ORDER",
        long = "sample-order",
        env = "SAMPLE_ORDER",
        default_value = "true",
        action = ArgAction::Set,
        value_parser = units::switch,
        help_heading = "Sample"
    )]
    pub sample_order: bool,
}

impl Settings {
    /// Holds every setting against its rules and against the others, and finds all there is to find, not the first.
    /// It reads the files that settings name; it connects to nothing.
    pub fn check(&self) -> Findings {
        let mut findings = Findings::default();
        self.store.check(&mut findings);
        self.stan.check(&mut findings);
        self.jetstream.check(&mut findings);
        self.nats.check(&mut findings);
        self.http.check(&mut findings);
        self.http_limits.check(&mut findings);
        self.limits.check(&mut findings);
        self.retention.check(&mut findings);
        self.log.check(&mut findings);
        cross::check(self, &mut findings);
        findings
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{errors, expect_fine, settings};

    #[test]
    fn the_defaults_are_fine_and_are_those_of_the_documentation() {
        expect_fine(&[]);
        insta::assert_debug_snapshot!(settings(&[]));
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let args = [
            "--database-url=mysql://u:s3cret@h/db",
            "--stan-url=http://u:s3cret@h",
            "--stan-channel=orders.*",
            "--stan-ack-wait=5s",
            "--admin-token=s3cret",
            "--pipeline-bytes=1KiB",
            "--batch-size=0",
            "--shutdown-timeout=1s",
            "--rust-log=orderbox=loud",
        ];
        insta::assert_snapshot!(errors(&args).join("\n"));
    }

    #[test]
    fn nothing_secret_is_printed() {
        let args = [
            "--database-url=postgres://u:s3cret@h/db",
            "--stan-url=nats://s3cret@h",
            "--jetstream-url=nats://s3cret@h",
            "--admin-token=s3cret",
            "--publish-token=s3cret",
        ];
        let printed = format!("{:?}\n{}", settings(&args), errors(&args).join("\n"));
        assert!(!printed.contains("s3cret"), "{printed}");
    }

    #[test]
    fn the_sample_order_can_be_left_out() {
        for (text, on) in [("true", true), ("false", false), ("0", false), ("no", false)] {
            assert_eq!(settings(&["--sample-order", text]).sample_order, on, "{text}");
        }
    }
}
