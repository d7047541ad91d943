use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::{
    order::Reason,
    store::{Resolution, SourceKind},
    telemetry::State,
};

/// One of each.
const STATES: [State; 3] = [State::Starting, State::Up, State::Down { reason: String::new() }];

/// Closed lists of names, as schemas. None of these types has values: they stand in the descriptions of routes.
macro_rules! names {
    ($($(#[$doc:meta])* $list:ident($description:literal) = $names:expr;)+) => {
        $(
            $(#[$doc])*
            pub(in crate::http) enum $list {}

            impl ToSchema for $list {}

            impl PartialSchema for $list {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .description(Some($description))
                        .enum_values(Some($names))
                        .into()
                }
            }
        )+
    };
}

names! {
    /// See [`SourceKind`].
    SourceName("How a message came in") = SourceKind::ALL.map(SourceKind::as_str);
    /// See [`Reason`].
    ReasonName("Why a message is no order") = Reason::ALL.iter().map(|reason| reason.as_str());
    /// See [`Resolution`].
    ResolutionName("What has become of a dead letter") = Resolution::ALL.map(Resolution::as_str);
    /// See [`ReplayState`](crate::store::ReplayState).
    ReplayStateName("What a replay became") = ["pending", "order", "history", "dead_letter", "unchanged"];
    /// See [`telemetry::State`](crate::telemetry::State).
    PartState("Whether a part works") = STATES.each_ref().map(State::as_str);
    /// See [`health::summary`](crate::http::health::summary).
    Summary("`ok` when every part works") = ["ok", "failing"];
}
