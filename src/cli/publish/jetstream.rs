use std::time::Duration;

use async_nats::{
    connection::State,
    jetstream::{
        Context, ErrorCode,
        context::{ContextBuilder, GetStreamError, GetStreamErrorKind, PublishError, PublishErrorKind},
        message::PublishMessage,
    },
};
use bytes::Bytes;
use tokio::sync::Mutex;

use super::target::{Failure, Next, PATIENCE, Target, name_of_run};
use crate::nats::{self, name};

/// Messages on their way: a cluster answers one only when most of its nodes have it.
const WINDOW: usize = 1024;

/// How long a message may wait for its ack.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// A subject of a JetStream stream.
///
/// A message carries an id made of this run and its number, and the server takes no two messages with one id within the stream's
/// duplicate window. So what may be stored is sent again, where the window is as long as the tries may take.
#[derive(Debug)]
pub(super) struct JetStreamTarget {
    options: nats::Options,
    stream: String,
    subject: String,
    run: String,
    recognises_copies: bool,
    current: Mutex<Context>,
}

impl JetStreamTarget {
    /// Sees that the stream is there and takes the subject, so that a wrong address is told at once and not after a minute of
    /// retries.
    pub(super) async fn connect(
        options: nats::Options,
        stream: String,
        subject: String,
    ) -> Result<Self, String> {
        if let Err(rule) = name::subject(&subject) {
            return Err(format!(
                "nothing can be published to {subject}, which {rule}: name a subject with --to"
            ));
        }
        let run = name_of_run();
        let context = context(&options, &run).await.map_err(|error| {
            format!("nothing can be published: {error}. Start the server, or name another place with --to")
        })?;
        let found = context.get_stream(&stream).await.map_err(|error| not_found(&stream, &error))?;
        let config = &found.cached_info().config;
        if !config.subjects.iter().any(|of| name::covers(of, &subject)) {
            let subjects = config.subjects.join(", ");
            return Err(format!(
                "nothing can be published: stream {stream} keeps {subjects}, and {subject} is none of it"
            ));
        }
        let recognises_copies = config.duplicate_window >= PATIENCE + ACK_TIMEOUT;
        Ok(Self { options, stream, subject, run, recognises_copies, current: Mutex::new(context) })
    }

    /// The connection that lives, or a new one. Callers wait for one try together.
    async fn context(&self) -> Result<Context, nats::ConnectError> {
        let mut current = self.current.lock().await;
        if current.client().connection_state() != State::Connected {
            *current = context(&self.options, &self.run).await?;
        }
        Ok(current.clone())
    }

    fn failure(&self, error: &PublishError) -> Failure {
        match error.kind() {
            PublishErrorKind::StreamNotFound => {
                Failure::retry(format_args!("stream {} does not answer", self.stream))
            }
            PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe => {
                let next = if self.recognises_copies { Next::Retry(None) } else { Next::Skip };
                Failure { outcome_unknown: true, next, ..Failure::retry(error) }
            }
            PublishErrorKind::MaxPayloadExceeded => Failure::skip("larger than the server takes"),
            // What the server says no to: a full stream, a stream without a leader for the moment, …
            PublishErrorKind::WrongLastMessageId
            | PublishErrorKind::WrongLastSequence
            | PublishErrorKind::MaxAckPending
            | PublishErrorKind::Other => Failure::retry(error),
        }
    }
}

impl Target for JetStreamTarget {
    fn window(&self) -> usize {
        WINDOW
    }

    async fn publish(&self, number: u64, payload: Bytes) -> Result<(), Failure> {
        let context = self.context().await.map_err(Failure::retry)?;
        let message = PublishMessage::build()
            .payload(payload)
            .message_id(format!("{}-{number}", self.run))
            .expected_stream(&self.stream);
        let sent = context.send_publish(self.subject.clone(), message).await;
        sent.map_err(|error| self.failure(&error))?.await.map_err(|error| self.failure(&error))?;
        Ok(())
    }
}

async fn context(options: &nats::Options, name: &str) -> Result<Context, nats::ConnectError> {
    let client = nats::connect(options, name, &std::sync::Arc::default()).await?;
    Ok(ContextBuilder::new().timeout(ACK_TIMEOUT).max_ack_inflight(WINDOW).build(client))
}

fn not_found(stream: &str, error: &GetStreamError) -> String {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            format!(
                "nothing can be published: there is no stream {stream}. Make it, or name another with --to"
            )
        }
        _ => format!("nothing can be published: stream {stream} can not be looked up: {error}"),
    }
}
