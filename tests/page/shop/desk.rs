//! The dead-letter desk of the stand-in.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, Uri, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{Shop, json_of, problem};

/// A bulk takes so many at a step.
const STEP: usize = 3;

/// What is kept of the dead letters, and what was asked to be done about them.
#[derive(Debug)]
pub(super) struct Desk {
    letters: Mutex<Vec<Value>>,
    sent: Mutex<Vec<String>>,
    mishaps: Mutex<VecDeque<Mishap>>,
    room: AtomicUsize,
    holding: watch::Sender<bool>,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            letters: Mutex::default(),
            sent: Mutex::default(),
            mishaps: Mutex::default(),
            room: AtomicUsize::new(usize::MAX),
            holding: watch::Sender::default(),
        }
    }
}

/// What befalls a change on its way.
#[derive(Debug, Clone, Copy)]
pub(in crate::page) enum Mishap {
    /// It is refused with this status and reason, and not made.
    Refused(u16, &'static str),
    /// It is made, and its answer breaks off.
    Lost,
    /// It breaks off and is not made.
    Dropped,
}

impl Shop {
    /// Adds a dead letter that came after those there are; `errors` are `[pointer, code]`. Gives its id.
    pub(in crate::page) fn refuse(&self, payload: &[u8], reason: &str, errors: &[(&str, &str)]) -> usize {
        let mut letters = self.desk.letters.lock().unwrap();
        let id = letters.len() + 1;
        let errors: Vec<_> = errors
            .iter()
            .map(|(pointer, code)| json!({ "pointer": pointer, "code": code, "message": format!("breaks the rule {code}") }))
            .collect();
        letters.push(json!({
            "id": id, "message_id": format!("stan:test-cluster/orders/{id}@1767225600000000000"), "source": "stan",
            "channel": "orders", "sequence": id, "published_at": "2026-01-01T00:00:00.000000001Z", "order_uid": null,
            "reason": reason, "errors": errors, "errors_total": errors.len(), "bytes": payload.len(),
            "received_at": "2026-01-01T00:00:01.5Z", "rejected_at": "2026-01-01T00:00:02Z", "resolution": "open",
            "truncated": false, "detail": null, "payload_base64": BASE64_STANDARD.encode(payload),
            "payload_text": std::str::from_utf8(payload).ok(), "resolved_at": null, "resolved_by": null, "note": null,
            "parent_id": null, "replay": null, "passes": false,
        }));
        id
    }

    /// Sets members of a dead letter; `replay` is what its lineage says of it, `passes` whether it would pass now.
    pub(in crate::page) fn amend(&self, id: usize, with: Value) {
        let Value::Object(with) = with else { panic!("{with} is no object") };
        self.desk.letters.lock().unwrap()[id - 1].as_object_mut().unwrap().extend(with);
    }

    /// Settles the replay of a dead letter.
    pub(in crate::page) fn settle(&self, id: usize, state: &str, uid: Option<&str>, letter: Option<usize>) {
        let replay = &mut self.desk.letters.lock().unwrap()[id - 1]["replay"];
        assert_eq!(replay["state"], "pending", "{id} was not replayed");
        let settled = json!({ "state": state, "order_uid": uid, "dead_letter_id": letter });
        replay.as_object_mut().unwrap().extend(settled.as_object().unwrap().clone());
    }

    /// Has this befall the next change, or the one after those that something befalls already.
    pub(in crate::page) fn mishap(&self, mishap: Mishap) {
        self.desk.mishaps.lock().unwrap().push_back(mishap);
    }

    /// Whether what is answered to changes is held back until it is not.
    pub(in crate::page) fn hold(&self, holding: bool) {
        self.desk.holding.send_replace(holding);
    }

    /// How many more replays of a bulk there is room for.
    pub(in crate::page) fn room(&self, letters: usize) {
        self.desk.room.store(letters, Ordering::SeqCst);
    }

    /// Every change that was asked for, as its method, path and body.
    pub(in crate::page) fn sent(&self) -> Vec<String> {
        self.desk.sent.lock().unwrap().clone()
    }

    /// Makes a change, unless something befalls it.
    fn change(
        &self,
        headers: &HeaderMap,
        request: String,
        make: impl FnOnce(&mut [Value]) -> Response,
    ) -> Response {
        if let Some(refusal) = self.refusal(headers) {
            return refusal;
        }
        self.desk.sent.lock().unwrap().push(request);
        let mishap = self.desk.mishaps.lock().unwrap().pop_front();
        let letters = &mut *self.desk.letters.lock().unwrap();
        let answer = match mishap {
            Some(Mishap::Refused(status, detail)) => {
                problem(StatusCode::from_u16(status).unwrap(), detail).into_response()
            }
            Some(Mishap::Lost) => {
                drop(make(letters));
                broken_off()
            }
            Some(Mishap::Dropped) => broken_off(),
            None => make(letters),
        };
        let mut holding = self.desk.holding.subscribe();
        let released = futures_util::stream::once(async move {
            holding.wait_for(|holding| !holding).await.unwrap();
            Ok(Bytes::new())
        });
        answer.map(|body| Body::from_stream(released.chain(body.into_data_stream())))
    }
}

pub(super) fn routes() -> Router<Arc<Shop>> {
    Router::new()
        .route("/api/dead-letters", get(list))
        .route("/api/dead-letters/selection", get(selection))
        .route("/api/dead-letters/replay", post(bulk))
        .route("/api/dead-letters/discard", post(bulk))
        .route("/api/dead-letters/{id}", get(show).delete(discard))
        .route("/api/dead-letters/{id}/replay", post(replay))
}

fn broken_off() -> Response {
    // A browser sends again what was cut before its answer began: so long the beginning has to arrive.
    let cut = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Err(std::io::Error::other("cut"))
    };
    let begun = futures_util::stream::iter([Ok("{")]);
    Body::from_stream(begun.chain(futures_util::stream::once(cut))).into_response()
}

/// Whether a letter is of a filter: a query, or the `filter` of a bulk.
fn is_of(letter: &Value, filter: &HashMap<String, String>) -> bool {
    let rejected = letter["rejected_at"].as_str().unwrap();
    filter.iter().all(|(name, wanted)| match name.as_str() {
        "reason" | "resolution" | "order_uid" => letter[name] == **wanted,
        "code" => letter["errors"].as_array().unwrap().iter().any(|error| error["code"] == **wanted),
        "since" => rejected >= wanted.as_str(),
        "until" => rejected < wanted.as_str(),
        _ => true,
    })
}

async fn list(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = shop.refusal(&headers) {
        return refusal;
    }
    if query.get("since").is_some_and(|since| !since.ends_with('Z')) {
        return problem(StatusCode::BAD_REQUEST, "since is no time of RFC 3339").into_response();
    }
    let letters = shop.desk.letters.lock().unwrap();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for letter in letters.iter().filter(|letter| letter["resolution"] == "open") {
        *open.entry(letter["reason"].as_str().unwrap()).or_default() += 1;
    }
    let number = |name: &str| query.get(name).map(|text| text.parse::<u64>().unwrap());
    let before = number("before").unwrap_or(u64::MAX);
    let matches = |letter: &&Value| is_of(letter, &query) && letter["id"].as_u64().unwrap() < before;
    let limit = usize::try_from(number("limit").unwrap_or(50)).unwrap();
    let found: Vec<_> = letters.iter().rev().filter(matches).take(limit + 1).cloned().collect();
    let more = found.len() > limit;
    let page: Vec<_> = found.into_iter().take(limit).map(summary).collect();
    let next_before = page.last().filter(|_| more).map(|letter| letter["id"].clone());
    json_of(&json!({ "dead_letters": page, "next_before": next_before, "open_by_reason": open }))
}

fn summary(mut letter: Value) -> Value {
    for name in [
        "detail",
        "payload_base64",
        "payload_text",
        "resolved_at",
        "resolved_by",
        "note",
        "parent_id",
        "replay",
        "passes",
    ] {
        letter.as_object_mut().unwrap().remove(name);
    }
    letter["errors"].as_array_mut().unwrap().truncate(20);
    letter
}

async fn show(State(shop): State<Arc<Shop>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refusal) = shop.refusal(&headers) {
        return refusal;
    }
    let Ok(id) = id.parse::<usize>() else {
        return problem(StatusCode::BAD_REQUEST, "the id of a dead letter is a whole number").into_response();
    };
    let letters = shop.desk.letters.lock().unwrap();
    let Some(letter) = letters.get(id.wrapping_sub(1)) else { return missing() };
    let parent = letter["parent_id"].as_u64().map(|id| {
        let parent = &letters[usize::try_from(id).unwrap() - 1];
        json!({ "id": id, "resolution": parent["resolution"], "rejected_at": parent["rejected_at"] })
    });
    let mut letter = letter.clone();
    letter["lineage"] = json!({ "parent": parent, "replay": letter["replay"].take() });
    json_of(&letter)
}

fn missing() -> Response {
    problem(StatusCode::NOT_FOUND, "there is no such dead letter").into_response()
}

/// Resolves a letter that is open, else says why not.
fn resolve(letters: &mut [Value], id: usize, with: Value) -> Option<Response> {
    let Some(letter) = letters.get_mut(id.wrapping_sub(1)) else { return Some(missing()) };
    if letter["resolution"] != "open" {
        let detail = format!("dead letter {id} is {}", letter["resolution"].as_str().unwrap());
        return Some(problem(StatusCode::CONFLICT, &detail).into_response());
    }
    let done = json!({ "resolved_at": "2026-01-02T03:04:05Z", "resolved_by": "token:0a1b2c3d" });
    for with in [done, with] {
        letter.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    }
    None
}

fn replayed(id: usize, edited: bool) -> Value {
    let replay = json!({ "message_id": format!("replay:{id}.1"), "edited": edited, "state": "pending", "order_uid": null, "dead_letter_id": null });
    json!({ "resolution": "replayed", "replay": replay })
}

async fn replay(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<usize>,
    headers: HeaderMap,
    body: String,
) -> Response {
    shop.change(&headers, format!("POST {id}/replay {body}"), |letters| {
        let done = json!({ "id": id, "message_id": format!("replay:{id}.1"), "resolution": "replayed" });
        resolve(letters, id, replayed(id, !body.is_empty())).unwrap_or_else(|| json_of(&done))
    })
}

async fn discard(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<usize>,
    headers: HeaderMap,
    body: String,
) -> Response {
    shop.change(&headers, format!("DELETE {id} {body}"), |letters| {
        let note = if body.is_empty() { Value::Null } else { read(&body)["note"].clone() };
        let done = json!({ "id": id, "resolution": "discarded" });
        resolve(letters, id, json!({ "resolution": "discarded", "note": note }))
            .unwrap_or_else(|| json_of(&done))
    })
}

fn read(body: &str) -> Value {
    serde_json::from_str(body).unwrap()
}

async fn selection(
    State(shop): State<Arc<Shop>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Some(refusal) = shop.refusal(&headers) {
        return refusal;
    }
    let letters = shop.desk.letters.lock().unwrap();
    let open: Vec<_> =
        letters.iter().filter(|letter| letter["resolution"] == "open" && is_of(letter, &query)).collect();
    let passing = open.iter().take(100).filter(|letter| letter["passes"] == true).count();
    json_of(&json!({
        "matching": open.len(), "up_to": open.last().map(|letter| &letter["id"]), "checked": open.len().min(100), "would_pass": passing,
    }))
}

/// One step of a bulk.
async fn bulk(State(shop): State<Arc<Shop>>, uri: Uri, headers: HeaderMap, body: String) -> Response {
    let action = uri.path().rsplit('/').next().unwrap();
    let done = format!("{action}ed");
    shop.change(&headers, format!("POST {action} {body}"), |letters| {
        let asked = read(&body);
        let filter: HashMap<String, String> = serde_json::from_value(asked["filter"].clone()).unwrap();
        let (after, up_to) = (asked["after"].as_u64().unwrap_or(0), asked["up_to"].as_u64().unwrap());
        let set: Vec<_> = letters
            .iter()
            .filter(|letter| letter["resolution"] == "open" && is_of(letter, &filter))
            .filter_map(|letter| letter["id"].as_u64())
            .filter(|id| (after + 1..=up_to).contains(id))
            .collect();
        let room = STEP.min(shop.desk.room.load(Ordering::SeqCst));
        let (mut made, mut passed_over, mut last) = (0, 0, after);
        for id in &set {
            if made == room {
                break;
            }
            last = *id;
            let index = usize::try_from(*id).unwrap();
            if asked["only_passing"] == true && letters[index - 1]["passes"] == false {
                passed_over += 1;
                continue;
            }
            let with = if action == "replay" {
                replayed(index, false)
            } else {
                json!({ "resolution": "discarded", "note": asked["note"] })
            };
            assert!(resolve(letters, index, with).is_none());
            made += 1;
        }
        shop.desk.room.fetch_sub(made, Ordering::SeqCst);
        let more = set.iter().any(|id| *id > last);
        let mut step = json!({ done: made, "after": last, "more": more });
        if action == "replay" {
            step["passed_over"] = json!(passed_over);
        }
        let step = json_of(&step);
        if room == 0 { ([(RETRY_AFTER, "1")], step).into_response() } else { step }
    })
}
