//! A stand-in for the service behind the page: it can hold any document and any dead letter, tell any event, and be down.

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
    extract::{Path, Query, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
    },
    response::{Html, IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use orderbox::http::page_routes;
use serde_json::{Value, json};
use tokio::sync::broadcast;

/// The only token it takes.
pub(super) const TOKEN: &str = "a-token-of-the-shop";

/// Answers as the service does.
#[derive(Debug)]
pub(super) struct Shop {
    documents: Mutex<HashMap<String, String>>,
    letters: Mutex<Vec<Value>>,
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
    pub(super) fn new() -> Self {
        Self {
            documents: Mutex::default(),
            letters: Mutex::default(),
            down: AtomicBool::new(false),
            stranger: AtomicBool::new(false),
            restarted: AtomicBool::new(false),
            last: Mutex::default(),
            events: broadcast::Sender::new(1000),
            listening: Arc::default(),
        }
    }

    pub(super) fn put(&self, uid: &str, document: impl Into<String>) {
        self.documents.lock().unwrap().insert(uid.to_owned(), document.into());
    }

    /// Whether every route but the page answers 503.
    pub(super) fn down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Whether something that is not the service answers for it, as a proxy may: with a page, and 200.
    pub(super) fn stranger(&self, stranger: bool) {
        self.stranger.store(stranger, Ordering::SeqCst);
    }

    /// Ends every stream and takes the token no more: after a new start there is another one.
    pub(super) fn restart(&self) {
        self.restarted.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Adds a dead letter that came after those there are; `errors` are `[pointer, code]`. Gives its id.
    pub(super) fn refuse(&self, payload: &[u8], reason: &str, errors: &[(&str, &str)]) -> usize {
        let mut letters = self.letters.lock().unwrap();
        let id = letters.len() + 1;
        let errors: Vec<_> = errors
            .iter()
            .map(|(pointer, code)| json!({ "pointer": pointer, "code": code, "message": format!("breaks the rule {code}") }))
            .collect();
        letters.push(json!({
            "id": id, "message_id": format!("stan:test-cluster/orders/{id}@1767225600000000000"), "source": "stan",
            "channel": "orders", "sequence": id, "published_at": "2026-01-01T00:00:00.000000001Z", "order_uid": null,
            "reason": reason, "errors": errors, "bytes": payload.len(), "received_at": "2026-01-01T00:00:01.5Z",
            "rejected_at": "2026-01-01T00:00:02Z", "resolution": "open", "truncated": false, "detail": null,
            "payload_base64": BASE64_STANDARD.encode(payload), "payload_text": std::str::from_utf8(payload).ok(),
            "resolved_at": null, "resolved_by": null, "note": null, "parent_id": null,
        }));
        id
    }

    /// Sets members of a dead letter.
    pub(super) fn amend(&self, id: usize, with: Value) {
        let Value::Object(with) = with else { panic!("{with} is no object") };
        self.letters.lock().unwrap()[id - 1].as_object_mut().unwrap().extend(with);
    }

    /// Tells an event to every open stream, and to those that open later.
    pub(super) fn tell(&self, event: &'static str, data: Value) {
        self.last.lock().unwrap().insert(event, data.clone());
        // Nobody need be listening.
        drop(self.events.send(Told::Event(event, data)));
    }

    /// Ends every open stream.
    pub(super) fn cut(&self) {
        drop(self.events.send(Told::Cut));
    }

    /// How many streams are open.
    pub(super) fn listening(&self) -> usize {
        self.listening.load(Ordering::SeqCst)
    }

    pub(super) fn routes(self: &Arc<Self>) -> Router {
        page_routes()
            .route("/order", get(order))
            .route("/api/events", get(events))
            .route("/api/orders/recent", get(recent))
            .route("/api/dead-letters", get(letters))
            .route("/api/dead-letters/{id}", get(letter))
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

async fn letters(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = shop.refusal(&headers) {
        return refusal;
    }
    let letters = shop.letters.lock().unwrap();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for letter in letters.iter().filter(|letter| letter["resolution"] == "open") {
        *open.entry(letter["reason"].as_str().unwrap()).or_default() += 1;
    }
    let number = |name: &str| query.get(name).map(|text| text.parse::<u64>().unwrap());
    let matches = |letter: &&Value| {
        ["reason", "resolution"]
            .iter()
            .all(|name| query.get(*name).is_none_or(|wanted| letter[*name] == **wanted))
            && number("before").is_none_or(|before| letter["id"].as_u64().unwrap() < before)
    };
    let limit = usize::try_from(number("limit").unwrap_or(50)).unwrap();
    let found: Vec<_> = letters.iter().rev().filter(matches).take(limit + 1).cloned().collect();
    let more = found.len() > limit;
    let page: Vec<_> = found.into_iter().take(limit).map(without_payload).collect();
    let next_before = page.last().filter(|_| more).map(|letter| letter["id"].clone());
    json_of(&json!({ "dead_letters": page, "next_before": next_before, "open_by_reason": open }))
}

fn without_payload(mut letter: Value) -> Value {
    for name in
        ["detail", "payload_base64", "payload_text", "resolved_at", "resolved_by", "note", "parent_id"]
    {
        letter.as_object_mut().unwrap().remove(name);
    }
    letter
}

async fn letter(State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refusal) = shop.refusal(&headers) {
        return refusal;
    }
    let Ok(id) = id.parse::<usize>() else {
        return problem(StatusCode::BAD_REQUEST, "the id of a dead letter is a whole number").into_response();
    };
    match shop.letters.lock().unwrap().get(id.wrapping_sub(1)) {
        Some(letter) => json_of(letter),
        None => problem(StatusCode::NOT_FOUND, "there is no such dead letter").into_response(),
    }
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
