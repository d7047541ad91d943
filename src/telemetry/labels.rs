//! The values that labels take, where no other module has an enum for them, and the labels themselves.

use axum::http::StatusCode;

use super::metric::Label;
use crate::{
    order::{ErrorCode, Reason, WarningCode},
    store::{Aging, Class, Outcome, Resolution, SourceKind},
};

/// Where work on the store is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Committing messages to the inbox.
    Record,
    /// Settling a batch.
    Settle,
    /// Looking for unsettled rows.
    Recover,
    /// Filling the cache at boot.
    Rebuild,
}

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 4] = [Self::Record, Self::Settle, Self::Recover, Self::Rebuild];
    /// Those that commit batches.
    pub const TRANSACTIONS: [Self; 2] = [Self::Record, Self::Settle];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Record => "record",
            Self::Settle => "settle",
            Self::Recover => "recover",
            Self::Rebuild => "rebuild",
        }
    }
}

/// How a read of an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheResult {
    /// It was in the cache.
    Hit,
    /// It was loaded from the store.
    Loaded,
    /// There is no such order.
    Absent,
    /// The store did not answer.
    Error,
}

impl CacheResult {
    /// Every result.
    pub const ALL: [Self; 4] = [Self::Hit, Self::Loaded, Self::Absent, Self::Error];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Loaded => "loaded",
            Self::Absent => "absent",
            Self::Error => "error",
        }
    }
}

/// A route as metrics see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `GET /order`.
    GetOrder,
    /// `POST /order`.
    PostOrder,
    /// `/livez`, `/readyz`, `/healthz`.
    Health,
    /// `/metrics`.
    Metrics,
    /// `/api/…`.
    Api,
    /// The page and its assets, and whatever is not a route.
    Other,
}

/// The label of a status that a route is not known to answer: a set that anyone could widen would not be closed.
pub(super) const OTHER_STATUS: &str = "other";

impl Route {
    /// Every route.
    pub const ALL: [Self; 6] =
        [Self::GetOrder, Self::PostOrder, Self::Health, Self::Metrics, Self::Api, Self::Other];

    /// The label in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::GetOrder => "get_order",
            Self::PostOrder => "post_order",
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::Api => "api",
            Self::Other => "other",
        }
    }

    /// The statuses that its handlers answer, 500 for a caught panic among them; all else is `other`.
    #[must_use]
    pub const fn statuses(self) -> &'static [&'static str] {
        match self {
            Self::GetOrder => &["200", "304", "400", "404", "500", "503", OTHER_STATUS],
            Self::PostOrder => &["202", "400", "401", "403", "408", "413", "429", "500", "503", OTHER_STATUS],
            Self::Health => &["200", "405", "500", "503", OTHER_STATUS],
            Self::Metrics => &["200", "405", "500", OTHER_STATUS],
            Self::Api => {
                &["200", "400", "401", "404", "405", "408", "409", "413", "500", "503", OTHER_STATUS]
            }
            Self::Other => &["200", "304", "404", "405", "500", OTHER_STATUS],
        }
    }

    /// The place of a status in [`Route::statuses`]; that of `other` when it is not among them.
    pub(super) fn status_index(self, status: StatusCode) -> usize {
        let statuses = self.statuses();
        statuses.iter().position(|known| *known == status.as_str()).unwrap_or(statuses.len() - 1)
    }
}

/// Connections that a call holds, and open ones that wait for a call.
pub(super) const CONNECTION_STATES: [&str; 2] = ["idle", "busy"];

pub(super) const SOURCE: Label =
    Label { key: "source", values: || SourceKind::DELIVERING.map(SourceKind::as_str).to_vec() };
/// Sources whose channel goes on while this process is away.
pub(super) const LAGGING_SOURCE: Label = Label {
    key: "source",
    values: || [SourceKind::Stan, SourceKind::JetStream].map(SourceKind::as_str).to_vec(),
};
/// Sources that show what they have lost.
pub(super) const GAP_SOURCE: Label = Label { key: "source", values: || vec![SourceKind::Stan.as_str()] };
pub(super) const OUTCOME: Label =
    Label { key: "outcome", values: || Outcome::ALL.map(Outcome::as_str).to_vec() };
pub(super) const REPLAY_RESULT: Label =
    Label { key: "result", values: || Outcome::ALL.map(Outcome::as_str).to_vec() };
pub(super) const CLASS: Label = Label { key: "class", values: || Class::ALL.map(Class::as_str).to_vec() };
pub(super) const AGING: Label = Label { key: "what", values: || Aging::ALL.map(Aging::as_str).to_vec() };
pub(super) const STAGE: Label = Label { key: "stage", values: || Stage::ALL.map(Stage::as_str).to_vec() };
pub(super) const TRANSACTION_STAGE: Label =
    Label { key: "stage", values: || Stage::TRANSACTIONS.map(Stage::as_str).to_vec() };
pub(super) const RESULT: Label =
    Label { key: "result", values: || CacheResult::ALL.map(CacheResult::as_str).to_vec() };
pub(super) const RESOLUTION: Label =
    Label { key: "resolution", values: || Resolution::ALL.map(Resolution::as_str).to_vec() };
pub(super) const STATE: Label = Label { key: "state", values: || CONNECTION_STATES.to_vec() };
pub(super) const ROUTE: Label = Label { key: "route", values: || Route::ALL.map(Route::as_str).to_vec() };
pub(super) const STATUS: Label = Label { key: "status", values: every_status };
pub(super) const VERSION: Label = Label { key: "version", values: || vec![env!("CARGO_PKG_VERSION")] };
pub(super) const REASON: Label =
    Label { key: "reason", values: || Reason::ALL.iter().map(|code| code.as_str()).collect() };
pub(super) const ERROR_CODE: Label =
    Label { key: "code", values: || ErrorCode::ALL.iter().map(|code| code.as_str()).collect() };
pub(super) const WARNING_CODE: Label =
    Label { key: "code", values: || WarningCode::ALL.iter().map(|code| code.as_str()).collect() };

fn every_status() -> Vec<&'static str> {
    let mut statuses: Vec<_> = Route::ALL.iter().flat_map(|route| route.statuses()).copied().collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

/// Which combinations of [`ROUTE`] and [`STATUS`] there are.
pub(super) fn answers(values: &[&'static str]) -> bool {
    let route = Route::ALL.into_iter().find(|route| route.as_str() == values[0]);
    route.is_some_and(|route| route.statuses().contains(&values[1]))
}
