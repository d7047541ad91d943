//! Every metric in one table. The recorder is set up from it, docs/METRICS.md is printed from it, and a test holds what
//! `/metrics` prints against it.

use metrics::Unit;

use super::{
    labels::{
        AGING, CLASS, ERROR_CODE, GAP_SOURCE, LAGGING_SOURCE, OUTCOME, REASON, REPLAY_RESULT, RESOLUTION,
        RESULT, ROUTE, SOURCE, STAGE, STATE, STATUS, TRANSACTION_STAGE, VERSION, WARNING_CODE, answers,
    },
    metric::{
        Kind, Metric,
        Presence::{WhenRead, WithBroker, WithJetStream, WithStan},
        Topic::{Broken, Broker, Cache, JetStream, Pipeline, Process, Reads, Stan, Store},
    },
};

/// Seconds from a hit in the cache (tens of microseconds) over the objective of 10 ms to a store that is slower than a reader
/// is made to wait.
const REQUEST_SECONDS: &[f64] =
    &[0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0];
/// Seconds of a commit: about 1 ms on a good disk, 250 ms by the objective, `STORE_TIMEOUT` at worst.
const COMMIT_SECONDS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Seconds through the pipeline: two commits, 1 s by the objective, or as long as an outage lasts.
const PIPELINE_SECONDS: &[f64] =
    &[0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Seconds left of the ack wait, 30 s unless set otherwise; up to 0 the ack came too late.
const HEADROOM_SECONDS: &[f64] = &[0.0, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 60.0, 120.0];
/// Rows of a batch.
const BATCH_ROWS: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0, 5000.0];

/// The table.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    Pipeline.counter(RECEIVED, "Messages written to the inbox.", &[SOURCE]),
    Pipeline.counter(REDELIVERED, "Deliveries recognised as copies: of a message in flight, or of one in the inbox when it was to be recorded.", &[SOURCE]),
    Pipeline.counter(SETTLED, "Messages settled by this process.", &[OUTCOME]),
    Pipeline.gauge(INBOX_PENDING, None, "Messages in the inbox: received and not yet settled.", &[]).present(WhenRead),
    Pipeline.gauge(INBOX_OLDEST_PENDING, Some(Unit::Seconds), "How long the oldest message in the inbox has waited; 0 when there is none.", &[]).present(WhenRead),
    Pipeline.gauge(INBOX_IN_FLIGHT, None, "Messages that this process holds between receipt and ack.", &[]),
    Pipeline.gauge(UNACCOUNTED, None, "Messages for which the ledger and the inbox disagree: the sum over all channels of |received - settled - pending| in one snapshot. Anything but 0 is a bug or damage.", &[]).present(WhenRead),
    Pipeline.seconds(PUBLISH_TO_VISIBLE, PIPELINE_SECONDS, "From the publication of an order by the broker's clock, or its receipt over HTTP, until readers see it; for messages that were applied or replaced an order.", &[]),
    Pipeline.seconds(RECEIVE_TO_ACK, PIPELINE_SECONDS, "From the receipt of a message to its ack.", &[]),
    Pipeline.counter(DELIVERIES_DROPPED, "Deliveries dropped without an ack because the pipeline was full or the service was stopping; they come back.", &[SOURCE]),

    Stan.gauge(STAN_CONNECTED, None, "1 while the NATS Streaming server answers, else 0.", &[]).present(WithStan),
    Stan.counter(STAN_RECONNECTS, "Connections to the NATS Streaming server after the first.", &[]).present(WithStan),
    Stan.gauge(STAN_LAST_SEQUENCE, None, "Sequence of the last message that the server has stored in the channel, looked up every 15 s; unknown while it is empty.", &[]).present(WhenRead),
    Stan.counter(SEQUENCE_GAPS, "Gaps recorded: runs of messages that the channel skipped and that did not come within three STAN_ACK_WAIT. Always 0 with a queue group, whose members can not see gaps.", &[GAP_SOURCE]).present(WithStan),

    JetStream.gauge(JETSTREAM_CONNECTED, None, "1 while JetStream answers for the consumer, else 0.", &[]).present(WithJetStream),
    JetStream.counter(JETSTREAM_RECONNECTS, "Connections to JetStream after the first.", &[]).present(WithJetStream),

    Broker.gauge(SOURCE_LAG, None, "Messages published and not yet written to the inbox. For STAN by the last look-up of stan_last_sequence, and unknown while the channel is empty; for JetStream those that the consumer has not delivered to any instance, asked for every 5 s.", &[LAGGING_SOURCE]).present(WhenRead),
    Broker.seconds(ACK_HEADROOM, HEADROOM_SECONDS, "What was left of the ack wait, STAN_ACK_WAIT or that of the JetStream consumer, when a message was acked, counted from its first receipt. Up to 0 the ack came too late and the server delivered the message again; such values make the sum fall.", &[]).present(WithBroker),

    Broken.counter(REJECTIONS, "Dead letters inserted.", &[REASON]),
    Broken.counter(FIELD_ERRORS, "Errors in the fields of messages that became dead letters.", &[ERROR_CODE]),
    Broken.counter(WARNINGS, "Oddities in messages that were applied or replaced an order.", &[WARNING_CODE]),
    Broken.counter(REPLAYS, "Replays of dead letters that were settled, by what became of them; a rejected one is a new dead letter.", &[REPLAY_RESULT]),
    Broken.gauge(DEAD_LETTERS, None, "Dead letters by what has become of them.", &[RESOLUTION]).present(WhenRead),
    Broken.gauge(OLDEST_DEAD_LETTER, Some(Unit::Seconds), "Age of the oldest open dead letter; 0 when none is open.", &[]).present(WhenRead),

    Metric { kind: Kind::Histogram(BATCH_ROWS), unit: Some(Unit::Count), ..Store.counter(BATCH_SIZE, "Rows of a committed batch.", &[TRANSACTION_STAGE]) },
    Store.seconds(COMMIT_DURATION, COMMIT_SECONDS, "Duration of a transaction, from its first statement to the answer to its commit.", &[TRANSACTION_STAGE]),
    Store.counter(BATCH_SPLITS, "Batches halved because the store refused them.", &[]),
    Store.counter(STORE_ERRORS, "Calls to the store that failed.", &[CLASS]),
    Store.counter(RETRIES, "Calls to the store that were tried again.", &[STAGE]),
    Store.counter(EXPIRED, "Rows that this process has deleted because they were kept as long as ORDER_RETENTION, DEAD_LETTER_RETENTION and HISTORY_RETENTION say.", &[AGING]),
    Store.gauge(POOL_CONNECTIONS, None, "Connections to the store: held by a call, or open and waiting for one.", &[STATE]).present(WhenRead),
    Store.gauge(AVAILABLE_BYTES, Some(Unit::Bytes), "Bytes that may still be written to the file system of the SQLite file; PostgreSQL's disk can not be seen from here.", &[]).present(WhenRead),

    Metric { occurs: answers, ..Reads.seconds(HTTP_REQUEST_DURATION, REQUEST_SECONDS, "From the parsed head of a request to the head of its response.", &[ROUTE, STATUS]) },
    Reads.gauge(HTTP_IN_FLIGHT, None, "Requests being answered, without those answered from the cache at once.", &[]),

    Cache.counter(CACHE_REQUESTS, "Reads of an order: found in the cache, loaded from the store, absent from it, or failed.", &[RESULT]),
    Cache.gauge(CACHE_ENTRIES, None, "Documents in the cache.", &[]),
    Cache.gauge(CACHE_BYTES, Some(Unit::Bytes), "What the documents in the cache weigh.", &[]),
    Cache.counter(CACHE_EVICTIONS, "Documents that left the cache for want of room.", &[]),
    Cache.gauge(CACHE_REBUILD_RATIO, None, "How far the rebuild of the cache is, from 0 to 1.", &[]),
    Cache.gauge(CACHE_REBUILD_SECONDS, Some(Unit::Seconds), "Duration of the rebuild of the cache; 0 until it has ended.", &[]),

    Process.gauge(BUILD_INFO, None, "Always 1; the label says which build runs.", &[VERSION]),
    Metric { unit: Some(Unit::Seconds), ..Process.counter(PROCESS_CPU, "CPU time used, by the process and by the kernel for it.", &[]) }.present(WhenRead),
    Process.gauge(PROCESS_MEMORY, Some(Unit::Bytes), "Resident memory.", &[]).present(WhenRead),
    Process.gauge(PROCESS_VIRTUAL_MEMORY, Some(Unit::Bytes), "Address space.", &[]).present(WhenRead),
    Process.gauge(PROCESS_OPEN_FDS, None, "Open file descriptors.", &[]).present(WhenRead),
    Process.gauge(PROCESS_MAX_FDS, None, "The most file descriptors that may be open.", &[]).present(WhenRead),
    Process.gauge(PROCESS_THREADS, None, "Threads.", &[]).present(WhenRead),
    Process.gauge(PROCESS_START, Some(Unit::Seconds), "When the process started, in seconds since the Unix epoch.", &[]).present(WhenRead),
];

pub(super) const RECEIVED: &str = "orderbox_messages_received_total";
pub(super) const REDELIVERED: &str = "orderbox_messages_redelivered_total";
pub(super) const SETTLED: &str = "orderbox_messages_settled_total";
pub(super) const INBOX_PENDING: &str = "orderbox_inbox_pending";
pub(super) const INBOX_OLDEST_PENDING: &str = "orderbox_inbox_oldest_pending_seconds";
pub(super) const INBOX_IN_FLIGHT: &str = "orderbox_inbox_in_flight";
pub(super) const UNACCOUNTED: &str = "orderbox_unaccounted_messages";
pub(super) const PUBLISH_TO_VISIBLE: &str = "orderbox_publish_to_visible_seconds";
pub(super) const RECEIVE_TO_ACK: &str = "orderbox_receive_to_ack_seconds";
pub(super) const DELIVERIES_DROPPED: &str = "orderbox_deliveries_dropped_total";
pub(super) const STAN_CONNECTED: &str = "orderbox_stan_connected";
pub(super) const STAN_RECONNECTS: &str = "orderbox_stan_reconnects_total";
pub(super) const STAN_LAST_SEQUENCE: &str = "orderbox_stan_last_sequence";
pub(super) const JETSTREAM_CONNECTED: &str = "orderbox_jetstream_connected";
pub(super) const JETSTREAM_RECONNECTS: &str = "orderbox_jetstream_reconnects_total";
pub(super) const SOURCE_LAG: &str = "orderbox_source_lag_messages";
pub(super) const SEQUENCE_GAPS: &str = "orderbox_sequence_gaps_total";
pub(super) const ACK_HEADROOM: &str = "orderbox_ack_headroom_seconds";
pub(super) const REJECTIONS: &str = "orderbox_rejections_total";
pub(super) const FIELD_ERRORS: &str = "orderbox_field_errors_total";
pub(super) const WARNINGS: &str = "orderbox_warnings_total";
pub(super) const REPLAYS: &str = "orderbox_replays_total";
pub(super) const DEAD_LETTERS: &str = "orderbox_dead_letters";
pub(super) const OLDEST_DEAD_LETTER: &str = "orderbox_oldest_dead_letter_seconds";
pub(super) const BATCH_SIZE: &str = "orderbox_batch_size";
pub(super) const COMMIT_DURATION: &str = "orderbox_commit_duration_seconds";
pub(super) const BATCH_SPLITS: &str = "orderbox_batch_splits_total";
pub(super) const STORE_ERRORS: &str = "orderbox_store_errors_total";
pub(super) const RETRIES: &str = "orderbox_retries_total";
pub(super) const EXPIRED: &str = "orderbox_expired_total";
pub(super) const POOL_CONNECTIONS: &str = "orderbox_store_pool_connections";
pub(super) const AVAILABLE_BYTES: &str = "orderbox_store_available_bytes";
pub(super) const HTTP_REQUEST_DURATION: &str = "orderbox_http_request_duration_seconds";
pub(super) const HTTP_IN_FLIGHT: &str = "orderbox_http_requests_in_flight";
pub(super) const CACHE_REQUESTS: &str = "orderbox_cache_requests_total";
pub(super) const CACHE_ENTRIES: &str = "orderbox_cache_entries";
pub(super) const CACHE_BYTES: &str = "orderbox_cache_bytes";
pub(super) const CACHE_EVICTIONS: &str = "orderbox_cache_evictions_total";
pub(super) const CACHE_REBUILD_RATIO: &str = "orderbox_cache_rebuild_ratio";
pub(super) const CACHE_REBUILD_SECONDS: &str = "orderbox_cache_rebuild_seconds";
pub(super) const BUILD_INFO: &str = "orderbox_build_info";
pub(super) const PROCESS_CPU: &str = "process_cpu_seconds_total";
pub(super) const PROCESS_MEMORY: &str = "process_resident_memory_bytes";
pub(super) const PROCESS_VIRTUAL_MEMORY: &str = "process_virtual_memory_bytes";
pub(super) const PROCESS_OPEN_FDS: &str = "process_open_fds";
pub(super) const PROCESS_MAX_FDS: &str = "process_max_fds";
pub(super) const PROCESS_THREADS: &str = "process_threads";
pub(super) const PROCESS_START: &str = "process_start_time_seconds";
