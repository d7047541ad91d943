use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::time::timeout;

use super::{ADMIN, PUBLISH, order, publish, start};
use crate::support::{
    database::Database,
    orderbox::{Orderbox, on_each_store},
    stan_server::eventually,
};

on_each_store!(
    the_flow_adds_up_at_every_moment_under_load,
    uids_come_to_an_administrator_as_they_arrive_and_to_nobody_else,
);

/// No event takes longer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// Streams at once for everyone; 16 more are kept for administrators.
const STREAMS: usize = 48;

/// A stream of events, as a client reads it.
struct Stream {
    body: Incoming,
    text: String,
}

impl Stream {
    async fn open(service: &Orderbox, token: Option<&str>) -> Self {
        let answer = service.client().open("/api/events", token).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        Self { body: answer.into_body(), text: String::new() }
    }

    /// The next event and its data; `None` at the end of the stream.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (name, data) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
                let event = (name.to_owned(), serde_json::from_str(data).unwrap());
                self.text = rest.to_owned();
                return Some(event);
            }
            let frame = timeout(LIMIT, self.body.frame()).await.expect("an event within the limit")?;
            self.text.push_str(std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap());
        }
    }

    /// The next event of this name.
    async fn next_of(&mut self, name: &str) -> Value {
        loop {
            let (found, data) = self.next().await.expect("the stream goes on");
            if found == name {
                return data;
            }
        }
    }
}

/// The schema that a field has by name, if so: alone, or beside null.
fn named<'a>(field: &Value, schemas: &'a Value) -> Option<&'a Value> {
    let beside_null = || field["oneOf"].as_array()?.iter().find_map(|one| one["$ref"].as_str());
    let name = field["$ref"].as_str().or_else(beside_null)?;
    Some(&schemas[name.rsplit('/').next()?])
}

/// Asserts that an event has the fields of the document, all of them, and each of a type that it may have.
fn assert_is_a_flow(event: &Value, schemas: &Value) {
    let fields = schemas["Flow"]["properties"].as_object().unwrap();
    let required = schemas["Flow"]["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    let told: BTreeSet<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(told, required.collect());
    assert_eq!(told, fields.keys().map(String::as_str).collect());
    for (name, field) in fields {
        let value = &event[name];
        let field = named(field, schemas).unwrap_or(field);
        if let Some(list) = field["enum"].as_array() {
            assert!(list.contains(value), "{name}: {value} is not in {list:?}");
            continue;
        }
        let kind = match value {
            Value::Null => "null",
            Value::String(_) => "string",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            Value::Object(_) => "object",
            _ => panic!("{name}: {value}"),
        };
        let allowed = &field["type"];
        assert!(
            *allowed == kind || allowed.as_array().is_some_and(|of| of.contains(&kind.into())),
            "{name}: {field}"
        );
    }
}

async fn the_flow_adds_up_at_every_moment_under_load(database: Database) {
    const MESSAGES: i64 = 4000;
    let service = start(&database).await;
    let mut stream = Stream::open(&service, None).await;
    let mut last = stream.next_of("flow").await;
    // Every part has to have worked once.
    while last["status"] != "ok" {
        last = stream.next_of("flow").await;
    }
    assert_eq!(last["received"], 0);
    assert_is_a_flow(&last, &service.client().get("/openapi.json").await.json()["components"]["schemas"]);
    let count = MESSAGES.to_string();
    let mut publishing = service
        .spawn("publish", &["publish", "--count", &count, "--broken", "0.2", "--items", "1", "--seed", "5"]);
    let number =
        |event: &Value, name: &str| event[name].as_i64().unwrap_or_else(|| panic!("{name}: {event}"));
    let (mut events, mut moved) = (0, 0);
    while number(&last, "received") < MESSAGES || number(&last, "pending") > 0 {
        let event = stream.next_of("flow").await;
        let settled: i64 = ["applied", "replaced", "unchanged", "outdated", "rejected"]
            .iter()
            .map(|outcome| number(&event, outcome))
            .sum();
        assert_eq!(number(&event, "received"), settled + number(&event, "pending"), "{event}");
        assert!(event["at"].as_str() > last["at"].as_str(), "{last} then {event}");
        assert!(number(&event, "received") >= number(&last, "received"), "{last} then {event}");
        moved += i32::from(event["received"] != last["received"]);
        last = event;
        events += 1;
        assert!(events < 100, "it takes for ever: {last}");
    }
    assert!(publishing.wait(LIMIT).await.success(), "{}", publishing.output());
    assert!(moved > 0 && number(&last, "rejected") > 0, "{last}");
    assert_eq!(last["oldest_pending_seconds"], 0.0);
}

async fn uids_come_to_an_administrator_as_they_arrive_and_to_nobody_else(database: Database) {
    let service = start(&database).await;
    let mut streams = [Stream::open(&service, None).await, Stream::open(&service, Some(PUBLISH)).await];
    let mut admin = Stream::open(&service, Some(ADMIN)).await;
    assert_eq!(admin.next_of("orders").await, serde_json::json!({"orders": []}));
    publish(&service, &[&order("first", 1)]).await;
    let listed = admin.next_of("orders").await;
    assert_eq!(listed["orders"][0]["order_uid"], "first");
    assert_eq!(listed, service.client().get_as(ADMIN, "/api/orders/recent").await.json());
    let messages: Vec<Vec<u8>> = (0..21).map(|n| order(&format!("more {n}"), 1)).collect();
    publish(&service, &messages.iter().map(Vec::as_slice).collect::<Vec<_>>()).await;
    while admin.next_of("orders").await["orders"][0]["order_uid"] != "more 20" {}
    // Nothing changes any more, and so nothing is told any more.
    for _ in 0..2 {
        assert_eq!(admin.next().await.unwrap().0, "flow");
    }
    for stream in &mut streams {
        loop {
            let (name, data) = stream.next().await.unwrap();
            assert_eq!(name, "flow", "{data}");
            assert!(!data.to_string().contains("first"), "{data}");
            if data["received"] == 22 {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_stream_too_many_is_refused_until_another_ends_but_not_to_an_administrator() {
    let database = Database::sqlite().unwrap();
    let service = start(&database).await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(Stream::open(&service, None).await);
    }
    let refused = service.client().get("/api/events").await;
    assert_eq!((refused.status.as_u16(), refused.json()["status"].as_u64()), (503, Some(503)));
    assert_eq!(refused.headers["retry-after"], "5");
    assert!(refused.text().contains("16 of them only for administrators"), "{}", refused.text());
    Stream::open(&service, Some(ADMIN)).await.next_of("flow").await;
    for stream in &mut streams {
        stream.next_of("flow").await;
    }
    streams.pop();
    eventually("the place is free again", || async {
        service.client().open("/api/events", None).await.status() == StatusCode::OK
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_when_the_service_stops_and_it_does_not_wait_for_them() {
    let database = Database::sqlite().unwrap();
    let mut service = start(&database).await;
    let mut streams = [Stream::open(&service, None).await, Stream::open(&service, Some(ADMIN)).await];
    for stream in &mut streams {
        stream.next_of("flow").await;
    }
    let began = Instant::now();
    let status = service.terminate().await;
    assert!(status.success(), "{status}\n{}", service.log());
    assert!(began.elapsed() < Duration::from_secs(3), "it took {:?}", began.elapsed());
    for stream in &mut streams {
        while stream.next().await.is_some() {}
    }
}
