use std::sync::Arc;

use axum::{Json, extract::State, http::Uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Shared,
    admin::Admin,
    ask::ask,
    errors::Problem,
    moment,
    openapi::{BadRequest, SourceName, StoreDown, Unauthorized},
    query::Query,
};
use crate::store::{OrderArrival, Store};

/// The newest orders, newest first: uids and where they came from, nothing of what they say.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NewestOrders {
    orders: Vec<Arrival>,
}

/// An order by its uid and the message that it says.
#[derive(Debug, Serialize, ToSchema)]
struct Arrival {
    order_uid: String,
    #[schema(value_type = SourceName)]
    source: &'static str,
    channel: String,
    sequence: i64,
    #[schema(format = DateTime)]
    published_at: String,
    /// When it was written, or replaced
    #[schema(format = DateTime)]
    updated_at: String,
}

impl NewestOrders {
    /// Asks the store for so many.
    ///
    /// # Errors
    /// 503 when it does not answer.
    pub(super) async fn load(store: &dyn Store, limit: usize) -> Result<Self, Problem> {
        let orders = ask(store.newest_orders(limit)).await?;
        Ok(Self { orders: orders.into_iter().map(Arrival::from).collect() })
    }
}

impl From<OrderArrival> for Arrival {
    fn from(order: OrderArrival) -> Self {
        Self {
            order_uid: order.order_uid,
            source: order.source.as_str(),
            channel: order.channel,
            sequence: order.sequence,
            published_at: moment::of_publication(order.published_at_ns),
            updated_at: moment::text(order.updated_at),
        }
    }
}

/// The orders that came last
///
/// Newest first: their uids and where they came from, nothing of what they say. An order that is replaced keeps its place.
#[utoipa::path(
    get,
    path = "/api/orders/recent",
    operation_id = "list_newest_orders",
    tag = "administration",
    security(("admin_token" = [])),
    params(("limit" = Option<i64>, Query, description = "At most so many; 20 when it is not given", minimum = 1, maximum = 100, example = 20)),
    responses(
        (status = 200, description = "The orders", body = NewestOrders, links(
            ("order" = (operation_id = "get_order", parameters(("order_uid" = "$response.body#/orders/0/order_uid")))),
            ("history" = (operation_id = "get_history", parameters(("order_uid" = "$response.body#/orders/0/order_uid"))))
        )),
        BadRequest, Unauthorized, StoreDown,
    )
)]
pub(super) async fn newest(
    _: Admin,
    State(shared): State<Arc<Shared>>,
    uri: Uri,
) -> Result<Json<NewestOrders>, Problem> {
    let query = Query::of(&uri, &["limit"])?;
    let limit = query.limit(20)?;
    NewestOrders::load(&*shared.api.store, limit).await.map(Json)
}
