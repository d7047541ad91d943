//! A plain HTTP client for the tests.

use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::TokioExecutor,
};

/// Keeps its connections open.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    base: String,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }
}

impl Client {
    /// A client of `127.0.0.1:port`.
    pub(crate) fn of(port: u16) -> Self {
        Self {
            base: format!("http://127.0.0.1:{port}"),
            pool: Pool::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// `None` when nobody answers.
    pub(crate) async fn try_send(&self, method: Method, path: &str, body: Bytes) -> Option<Answer> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .expect("a sound request");
        let (head, body) = self.pool.request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some(Answer { status: head.status, headers: head.headers, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_send(Method::GET, path, Bytes::new())
            .await
            .unwrap_or_else(|| panic!("GET {path}: no answer"))
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.try_send(Method::POST, path, body.into())
            .await
            .unwrap_or_else(|| panic!("POST {path}: no answer"))
    }
}
