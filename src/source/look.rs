use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use crate::{
    stan::{Session, State},
    telemetry::{Place, Upstream},
};

/// How often the end of the channel is looked for. Each look is a subscription that the server writes down and removes.
const INTERVAL: Duration = Duration::from_secs(15);

/// Looks at the end of the channel again and again, one look at a time, for as long as it is awaited. It uses the
/// connection of the consumer, beside its subscription: a look that fails or waits says that the lag is unknown and
/// changes nothing else. The first comes as soon as there is a connection.
pub(super) async fn look_at_end(mut state: watch::Receiver<State>, upstream: Upstream) -> Infallible {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(session) = session(&mut state).await else { return pending().await };
        let last = session.last_message(upstream.channel()).await.ok().flatten();
        upstream.saw(last.map(|last| Place { sequence: last.sequence, published_at_ns: last.timestamp_ns }));
    }
}

/// The connection, when there is one; `None` when there will never be one again.
async fn session(state: &mut watch::Receiver<State>) -> Option<Arc<Session>> {
    match &*state.wait_for(|state| matches!(state, State::Connected { .. })).await.ok()? {
        State::Connected { session, .. } => Some(Arc::clone(session)),
        State::Connecting { .. } | State::Stopped => None,
    }
}
