use std::time::Duration;

use clap::Args;

use super::{ByteSize, Findings, units};

/// How much of everything there may be.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitSettings {
    /// Memory for orders that are ready to be sent
    #[arg(id = "CACHE_BYTES", long = "cache-bytes", env = "CACHE_BYTES", default_value = "512MiB")]
    pub cache_bytes: ByteSize,

    /// Memory for messages between their arrival and their settlement. Above it POST /order answers 429, and a
    /// broker's delivery is dropped without an ack, so that it comes back later
    #[arg(id = "PIPELINE_BYTES", long = "pipeline-bytes", env = "PIPELINE_BYTES", default_value = "64MiB")]
    pub pipeline_bytes: ByteSize,

    /// The largest message that can be an order. A larger one from a broker is a dead letter, over HTTP a 413
    #[arg(id = "MAX_MESSAGE_BYTES", long = "max-message-bytes", env = "MAX_MESSAGE_BYTES", default_value = DEFAULT_MAX_MESSAGE_BYTES)]
    pub max_message_bytes: ByteSize,

    /// How many messages one transaction settles at most
    #[arg(
        id = "BATCH_SIZE",
        long = "batch-size",
        env = "BATCH_SIZE",
        default_value = "1000",
        value_parser = units::number::<usize>
    )]
    pub batch_size: usize,

    /// How long a shutdown may take to drain before what remains is left to the next start
    #[arg(
        id = "SHUTDOWN_TIMEOUT",
        long = "shutdown-timeout",
        env = "SHUTDOWN_TIMEOUT",
        default_value = "25s",
        value_parser = units::duration
    )]
    pub shutdown_timeout: Duration,
}

/// The default of MAX_MESSAGE_BYTES.
pub const DEFAULT_MAX_MESSAGE_BYTES: &str = "256KiB";

/// No NATS server takes a larger message (its max_payload can't be set higher), and both stores hold it with room to spare.
const LARGEST_MESSAGE: ByteSize = ByteSize::new(64 << 20);

/// A batch is cut at this many item rows anyway.
const LARGEST_BATCH: usize = 20_000;

impl LimitSettings {
    pub(crate) fn check(&self, findings: &mut Findings) {
        if self.cache_bytes.bytes() == 0 {
            findings.error(
                "CACHE_BYTES",
                self.cache_bytes,
                "leaves the cache no room: every read would ask the database",
                "Set CACHE_BYTES to 1MiB or more, such as 512MiB",
            );
        } else if self.cache_bytes < self.max_message_bytes {
            findings.warn(
                "CACHE_BYTES",
                self.cache_bytes,
                format!(
                    "is less than MAX_MESSAGE_BYTES={}: an order that large is never cached, and every read of it asks \
                     the database",
                    self.max_message_bytes
                ),
                "Raise CACHE_BYTES or lower MAX_MESSAGE_BYTES",
            );
        }
        if self.max_message_bytes.bytes() == 0 || self.max_message_bytes > LARGEST_MESSAGE {
            findings.error(
                "MAX_MESSAGE_BYTES",
                self.max_message_bytes,
                format!("is not between 1 and {LARGEST_MESSAGE}: no broker delivers more, and with 0 nothing is an order"),
                "Set MAX_MESSAGE_BYTES to the size of your largest order with some room, such as 256KiB",
            );
        }
        if self.pipeline_bytes < self.max_message_bytes || self.pipeline_bytes.bytes() == 0 {
            findings.error(
                "PIPELINE_BYTES",
                self.pipeline_bytes,
                format!(
                    "has no room for one message of MAX_MESSAGE_BYTES={}: such a message would be turned away for ever",
                    self.max_message_bytes
                ),
                "Set PIPELINE_BYTES to several times MAX_MESSAGE_BYTES, such as 64MiB",
            );
        }
        if self.batch_size == 0 || self.batch_size > LARGEST_BATCH {
            findings.error(
                "BATCH_SIZE",
                self.batch_size,
                format!("is not between 1 and {LARGEST_BATCH}: nothing would settle, or one transaction would hold its locks for too long"),
                "Set BATCH_SIZE to a value such as 1000",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{expect_error, expect_fine, expect_warning, refused};

    #[test]
    fn a_cache_without_room_is_refused() {
        expect_error(&["--cache-bytes", "0"], "CACHE_BYTES=0 leaves the cache no room");
        expect_warning(&["--cache-bytes", "1KiB"], "CACHE_BYTES=1KiB is less than MAX_MESSAGE_BYTES=256KiB");
    }

    #[test]
    fn a_message_limit_of_nothing_or_beyond_any_broker_is_refused() {
        for size in ["0", "64MiB1"] {
            let args = ["--max-message-bytes", size];
            if size == "0" {
                expect_error(&args, "MAX_MESSAGE_BYTES=0 is not between 1 and 64MiB");
            } else {
                assert!(refused(&args).contains("MAX_MESSAGE_BYTES"), "the setting is named");
            }
        }
        expect_error(
            &["--max-message-bytes", "65MiB", "--pipeline-bytes", "1GiB"],
            "is not between 1 and 64MiB",
        );
    }

    #[test]
    fn a_pipeline_that_can_not_hold_one_message_is_refused() {
        expect_error(
            &["--pipeline-bytes", "255KiB"],
            "has no room for one message of MAX_MESSAGE_BYTES=256KiB",
        );
        expect_error(&["--pipeline-bytes", "0", "--max-message-bytes", "0"], "PIPELINE_BYTES=0");
        expect_fine(&["--pipeline-bytes", "256KiB"]);
    }

    #[test]
    fn a_batch_of_nothing_or_of_everything_is_refused() {
        for size in ["0", "20001"] {
            expect_error(&["--batch-size", size], "is not between 1 and 20000");
        }
        expect_fine(&["--batch-size", "1"]);
    }
}
