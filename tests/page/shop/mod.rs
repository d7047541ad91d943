//! A stand-in for the service behind the page: it can hold any document and any dead letter, tell any event, and be down.

mod desk;

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Query, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{Html, IntoResponse, Response},
    routing::get,
};
use orderbox::http::page_routes;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use self::desk::Desk;
pub(in crate::page) use self::desk::Mishap;

/// The only token it takes.
pub(in crate::page) const TOKEN: &str = "a-token-of-the-shop";

/// Answers as the service does.
#[derive(Debug)]
pub(in crate::page) struct Shop {
    documents: Mutex<HashMap<String, String>>,
    desk: Desk,
    status: Mutex<Value>,
    down: AtomicBool,
    stranger: AtomicBool,
    restarted: AtomicBool,
    last: Mutex<BTreeMap<&'static str, Value>>,
    events: broadcast::Sender<Told>,
    listening: Arc<AtomicUsize>,
}

/// What an open stream is told.
#[derive(Debug, Clone)]
enum Told {
    Event(&'static str, Value),
    Cut,
}

impl Shop {
    pub(in crate::page) fn new() -> Self {
        Self {
            documents: Mutex::default(),
            desk: Desk::default(),
            status: Mutex::new(json!({})),
            down: AtomicBool::new(false),
            stranger: AtomicBool::new(false),
            restarted: AtomicBool::new(false),
            last: Mutex::default(),
            events: broadcast::Sender::new(1000),
            listening: Arc::default(),
        }
    }

    /// What /api/status answers.
    pub(in crate::page) fn report(&self, status: Value) {
        *self.status.lock().unwrap() = status;
    }

    pub(in crate::page) fn put(&self, uid: &str, document: impl Into<String>) {
        self.documents.lock().unwrap().insert(uid.to_owned(), document.into());
    }

    /// Whether every route but the page answers 503.
    pub(in crate::page) fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Whether something that is not the service answers for it, as a proxy may: with a page, and 200.
    pub(in crate::page) fn stranger(&self, stranger: bool) {
        self.stranger.store(stranger, Ordering::SeqCst);
    }

    /// Ends every stream and takes the token no more: after a new start there is another one.
    pub(in crate::page) fn restart(&self) {
        self.restarted.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Takes the token again.
    pub(in crate::page) fn relent(&self) {
        self.restarted.store(false, Ordering::SeqCst);
    }

    /// Tells an event to every open stream, and to those that open later.
    pub(in crate::page) fn tell(&self, event: &'static str, data: Value) {
        self.last.lock().unwrap().insert(event, data.clone());
        // Nobody need be listening.
        drop(self.events.send(Told::Event(event, data)));
    }

    /// Ends every open stream.
    pub(in crate::page) fn cut(&self) {
        drop(self.events.send(Told::Cut));
    }

    /// How many streams are open.
    pub(in crate::page) fn listening(&self) -> usize {
        self.listening.load(Ordering::SeqCst)
    }

    pub(in crate::page) fn routes(self: &Arc<Self>) -> Router {
        page_routes()
            .route("/order", get(order))
            .route("/api/events", get(events))
            .route("/api/orders/recent", get(recent))
            .route("/api/status", get(status))
            .merge(desk::routes())
            .with_state(Arc::clone(self))
    }

    /// Why a request for what only an administrator may see is refused.
    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        if self.down.load(Ordering::SeqCst) {
            return Some(unavailable());
        }
        if self.stranger.load(Ordering::SeqCst) {
            return Some(Html("<h1>Welcome</h1>").into_response());
        }
        let refused =
            || problem(StatusCode::UNAUTHORIZED, "this needs the token of ADMIN_TOKEN").into_response();
        (!self.is_admin(headers)).then(refused)
    }

    fn is_admin(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).is_some_and(|value| *value == format!("Bearer {TOKEN}"));
        sent && !self.restarted.load(Ordering::SeqCst)
    }
}

async fn order(State(shop): State<Arc<Shop>>, Query(query): Query<HashMap<String, String>>) -> Response {
    let uid = query.get("order_uid").map_or("", String::as_str);
    if uid.trim().is_empty() {
        return problem(StatusCode::BAD_REQUEST, "order_uid is blank").into_response();
    }
    if shop.down.load(Ordering::SeqCst) {
        return unavailable();
    }
    match shop.documents.lock().unwrap().get(uid) {
        Some(document) => ([(CONTENT_TYPE, "application/json")], document.clone()).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no order has this uid").into_response(),
    }
}

async fn recent(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    if let Some(refusal) = shop.refusal(&headers) {
        return refusal;
    }
    json_of(&shop.last.lock().unwrap().get("orders").cloned().unwrap_or(json!({ "orders": [] })))
}

/// Every stream hears the flow; with the token the orders too.
async fn events(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    if shop.down.load(Ordering::SeqCst) {
        return unavailable();
    }
    let admin = shop.is_admin(&headers);
    let place = Place::take(&shop.listening);
    let heard = shop.events.subscribe();
    let first: Vec<_> =
        shop.last.lock().unwrap().iter().map(|(event, data)| (*event, data.clone())).collect();
    let stream = futures_util::stream::unfold(
        (first.into_iter(), heard, place),
        move |(mut first, mut heard, place)| async move {
            loop {
                let (event, data) = match first.next() {
                    Some(told) => told,
                    None => match heard.recv().await {
                        Ok(Told::Event(event, data)) => (event, data),
                        Ok(Told::Cut) | Err(_) => return None,
                    },
                };
                if event == "flow" || admin {
                    let text = format!("event: {event}\ndata: {data}\n\n");
                    return Some((Ok::<_, Infallible>(text), (first, heard, place)));
                }
            }
        },
    );
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}

/// Counts a stream for as long as it is open.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn status(State(shop): State<Arc<Shop>>) -> Response {
    json_of(&shop.status.lock().unwrap())
}

fn json_of(value: &Value) -> Response {
    ([(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

fn unavailable() -> Response {
    let detail = "the store has been unreachable for 12 s";
    ([(RETRY_AFTER, "1")], problem(StatusCode::SERVICE_UNAVAILABLE, detail)).into_response()
}

fn problem(status: StatusCode, detail: &str) -> impl IntoResponse + use<> {
    let body = json!({ "type": "about:blank", "title": status.canonical_reason(), "status": status.as_u16(), "detail": detail });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string())
}
