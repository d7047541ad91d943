use serde::Serialize;
use utoipa::ToSchema;

use crate::store::{self, Outcome, Outcomes};

/// Messages by what settling them did.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Settled {
    /// A new order
    applied: i64,
    /// A newer document of an order
    replaced: i64,
    /// What the store said already
    unchanged: i64,
    /// An older document of an order; it is in the history
    outdated: i64,
    /// A dead letter
    rejected: i64,
}

impl From<&Outcomes> for Settled {
    fn from(outcomes: &Outcomes) -> Self {
        Self {
            applied: outcomes.get(Outcome::Applied),
            replaced: outcomes.get(Outcome::Replaced),
            unchanged: outcomes.get(Outcome::Unchanged),
            outdated: outcomes.get(Outcome::Outdated),
            rejected: outcomes.get(Outcome::Rejected),
        }
    }
}

/// What was deleted for its age. It counts among the outcomes as before.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub(super) struct Expired {
    orders: i64,
    dead_letters: i64,
    /// What orders said before, and what came too late
    history: i64,
}

impl From<store::Expired> for Expired {
    fn from(expired: store::Expired) -> Self {
        Self { orders: expired.orders, dead_letters: expired.dead_letters, history: expired.history }
    }
}
