use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    HeaderMap, Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER},
    http::uri::{Authority, Scheme},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use tokio::{net::TcpStream, time::timeout};

use super::target::{Failure, Next, Target};
use crate::{cli::healthcheck::root_cause, config::Secret};

/// Connections, and so messages on their way: enough for the service to commit them in groups.
const CONNECTIONS: usize = 64;

/// How long the service may take to accept the first connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Longer than the service itself waits for its store.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A problem document is far shorter; whatever else answers must not fill the memory.
const LONGEST_ANSWER: usize = 64 << 10;

/// `POST /order` of a service.
///
/// The same bytes are one message to the service, so whatever was not answered is sent again.
#[derive(Debug)]
pub(super) struct HttpTarget {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: Uri,
    authorization: Option<HeaderValue>,
}

/// The part of `application/problem+json` that is meant for people.
#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
}

impl HttpTarget {
    /// Sees that the service is there, so that a wrong address is told at once and not after a minute of retries.
    pub(super) async fn connect(authority: Authority, token: Option<&Secret>) -> Result<Self, String> {
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16().unwrap_or(80);
        let answer = timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await;
        let silence = match answer {
            Ok(Ok(_)) => None,
            Ok(Err(cause)) => Some(cause.to_string()),
            Err(_) => Some(format!("no answer within {} s", CONNECT_TIMEOUT.as_secs())),
        };
        if let Some(cause) = silence {
            return Err(format!(
                "nothing can be published to http://{authority}: {cause}. Start the service there with \
                 `orderbox serve`, or name another place with --to"
            ));
        }
        let authorization = match token {
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                    .map_err(|_| "the token has characters that no header can carry: see PUBLISH_TOKEN and ADMIN_TOKEN")?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let mut uri = hyper::http::uri::Parts::default();
        uri.scheme = Some(Scheme::HTTP);
        uri.authority = Some(authority);
        uri.path_and_query = Some("/order".parse().expect("a path"));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(CONNECTIONS)
                .build(connector),
            uri: Uri::from_parts(uri).expect("all three parts are there"),
            authorization,
        })
    }

    async fn post(&self, payload: Bytes) -> Result<(), Failure> {
        let mut request = Request::new(Full::new(payload));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        }
        let response = self.client.request(request).await.map_err(|error| Failure {
            // A connection that never came about carried nothing
            outcome_unknown: !error.is_connect(),
            ..Failure::retry(root_cause(error))
        })?;
        let (head, body) = response.into_parts();
        // Read in full, or the connection could not be used again
        let body = Limited::new(body, LONGEST_ANSWER).collect().await;
        if head.status.is_success() {
            return Ok(());
        }
        let detail =
            body.ok().and_then(|body| serde_json::from_slice::<Problem>(&body.to_bytes()).ok()?.detail);
        Err(refusal(head.status, &head.headers, detail.as_deref()))
    }
}

impl Target for HttpTarget {
    fn window(&self) -> usize {
        CONNECTIONS
    }

    async fn publish(&self, _number: u64, payload: Bytes) -> Result<(), Failure> {
        match timeout(ANSWER_TIMEOUT, self.post(payload)).await {
            Ok(result) => result,
            Err(_) => Err(Failure {
                outcome_unknown: true,
                ..Failure::retry(format_args!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))
            }),
        }
    }
}

fn refusal(status: StatusCode, headers: &HeaderMap, detail: Option<&str>) -> Failure {
    let text = match detail {
        Some(detail) => format!("{status}: {detail}"),
        None => status.to_string(),
    };
    let wanted = || headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs);
    let (next, outcome_unknown) = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => (Next::Retry(wanted()), false),
        status if status.is_server_error() => (Next::Retry(wanted()), true),
        // The fault of the message
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
            (Next::Skip, false)
        }
        // The fault of the request: a wrong token, a place that is no orderbox
        _ => (Next::Stop, false),
    };
    Failure { text, outcome_unknown, next }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::{Router, response::IntoResponse, routing::post};
    use tokio_util::task::TaskTracker;

    use super::*;

    type Answer = (StatusCode, [(&'static str, &'static str); 1], &'static str);

    /// A service that gives the answers in turn, then 202; it keeps what it was sent.
    #[derive(Clone, Default)]
    struct Service {
        answers: Arc<Mutex<Vec<Answer>>>,
        received: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    }

    impl Service {
        fn answering(answer: Answer) -> Self {
            Self { answers: Arc::new(Mutex::new(vec![answer])), ..Self::default() }
        }

        async fn target(&self, token: Option<&Secret>) -> HttpTarget {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let authority = listener.local_addr().expect("address").to_string();
            let service = self.clone();
            let router = Router::new().route(
                "/order",
                post(move |headers: HeaderMap, body: Bytes| async move {
                    service.received.lock().expect("no panic").push((headers, body));
                    let answer = service.answers.lock().expect("no panic").pop();
                    answer.map_or(StatusCode::ACCEPTED.into_response(), IntoResponse::into_response)
                }),
            );
            TaskTracker::new().spawn(async { axum::serve(listener, router).await });
            HttpTarget::connect(authority.parse().expect("authority"), token).await.expect("it listens")
        }
    }

    async fn failure(status: u16, header: (&'static str, &'static str), body: &'static str) -> Failure {
        let status = StatusCode::from_u16(status).expect("a status");
        let target = Service::answering((status, [header], body)).target(None).await;
        target.publish(0, Bytes::new()).await.expect_err("refused")
    }

    const NO_HEADER: (&str, &str) = ("x-none", "");

    #[tokio::test]
    async fn the_bytes_arrive_as_they_are_with_the_token() {
        let service = Service::default();
        let target = service.target(Some(&Secret::from("0123456789abcdef".to_owned()))).await;
        target.publish(0, Bytes::from_static(b"\xff\0")).await.expect("acked");
        let received = service.received.lock().expect("no panic").clone();
        let [(headers, body)] = &received[..] else { panic!("{received:?}") };
        assert_eq!(&body[..], b"\xff\0");
        assert_eq!(headers.get(AUTHORIZATION).expect("a token"), "Bearer 0123456789abcdef");
        assert!(!format!("{target:?}").contains("0123456789abcdef"));
    }

    #[tokio::test]
    async fn a_busy_service_is_asked_again_when_it_says() {
        for status in [429, 503] {
            let failure = failure(status, ("retry-after", "7"), "").await;
            assert_eq!(failure.next, Next::Retry(Some(Duration::from_secs(7))), "{status}");
            assert!(!failure.outcome_unknown);
        }
        assert_eq!(failure(503, NO_HEADER, "").await.next, Next::Retry(None));
    }

    #[tokio::test]
    async fn an_error_of_the_service_leaves_the_outcome_unknown() {
        let failure = failure(500, NO_HEADER, "").await;
        assert_eq!((failure.next, failure.outcome_unknown), (Next::Retry(None), true));
    }

    #[tokio::test]
    async fn a_message_that_is_refused_is_left_out_and_a_refused_publisher_stops() {
        assert_eq!(failure(413, NO_HEADER, "").await.next, Next::Skip);
        for status in [401, 403, 404] {
            assert_eq!(failure(status, NO_HEADER, "").await.next, Next::Stop, "{status}");
        }
    }

    #[tokio::test]
    async fn the_reason_is_the_detail_that_the_service_gives() {
        let problem = r#"{"title":"Forbidden","status":403,"detail":"set PUBLISH_TOKEN"}"#;
        assert_eq!(failure(403, NO_HEADER, problem).await.text, "403 Forbidden: set PUBLISH_TOKEN");
        assert_eq!(failure(403, NO_HEADER, "<html>").await.text, "403 Forbidden");
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_told_with_what_to_do() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let authority = listener.local_addr().expect("address").to_string();
        drop(listener);
        let error =
            HttpTarget::connect(authority.parse().expect("authority"), None).await.expect_err("nobody");
        assert!(error.contains("Connection refused") && error.contains("orderbox serve"), "{error}");
    }
}
