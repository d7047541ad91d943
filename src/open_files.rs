//! How many files, connections among them, this process may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for what is no connection of a client: the store's files or connections, the broker, the log, what the system needs.
const OTHERS: u64 = 128;

/// How many connections of clients fit into what the process may be given, or `None` where there is no limit.
pub(crate) fn room_for_connections() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum.map(|most| most.saturating_sub(OTHERS))
}

/// Asks for the files that so many connections need: many systems begin with 1024 and give far more to who asks.
/// What is refused shows as connections that wait.
pub(crate) fn make_room_for(connections: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = (connections as u64).saturating_add(OTHERS).min(maximum.unwrap_or(u64::MAX));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::warn!(%error, wanted, "the limit of open files cannot be raised: connections wait while it is reached");
    }
}
