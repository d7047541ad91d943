//! Both directions of being alive: answering the server's heartbeats, and asking the server by pings.

use std::sync::Arc;

use async_nats::Subscriber;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::time::{Instant, MissedTickBehavior};

use super::{
    error::{Lost, NoAnswer},
    session::Session,
};

/// Answers heartbeats at once: 0.5 s of silence lets another process take the client id. The end of this subscription is
/// also how the end of the NATS connection is noticed, without relying on events, which may be dropped.
pub(super) async fn answer_heartbeats(session: Arc<Session>, mut heartbeats: Subscriber) {
    loop {
        let heartbeat = tokio::select! {
            () = session.ended.cancelled() => return,
            heartbeat = heartbeats.next() => heartbeat,
        };
        let Some(heartbeat) = heartbeat else { return session.end(Lost::NatsClosed) };
        let Some(reply) = heartbeat.reply else { continue };
        let answered = tokio::select! {
            // A link that takes nothing must not hold up a close.
            () = session.ended.cancelled() => return,
            answered = session.client.publish(reply, Bytes::new()) => answered,
        };
        if answered.is_err() {
            return session.end(Lost::NatsClosed);
        }
    }
}

/// Pings at the interval, and at once when something is suspicious. Counts as stan.go does: one answer makes up for all
/// that went missing before, and a server that is away (503) counts as silent.
pub(super) async fn ping(session: Arc<Session>) {
    let period = session.options.ping_interval;
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    loop {
        tokio::select! {
            () = session.ended.cancelled() => return,
            _ = ticks.tick() => {}
            () = session.suspicion.notified() => {}
        }
        let answer = tokio::select! {
            () = session.ended.cancelled() => return,
            answer = session.ping() => answer,
        };
        match answer {
            Ok(()) => unanswered = 0,
            Err(NoAnswer::Lost(lost)) => return session.end(lost),
            Err(NoAnswer::NoResponders | NoAnswer::TimedOut(_) | NoAnswer::Broken(_)) => unanswered += 1,
        }
        if unanswered > session.options.ping_max_out {
            return session.end(Lost::PingsUnanswered { unanswered });
        }
    }
}
