//! A plain HTTP client for the tests.

use axum::http::{HeaderMap, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
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
        let response = self.pool.request(self.request(method, path, None, body)).await.ok()?;
        read(response).await
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

    /// Asks as the bearer of a token.
    pub(crate) async fn get_as(&self, token: &str, path: &str) -> Answer {
        let response = self.open(path, Some(token)).await;
        read(response).await.unwrap_or_else(|| panic!("GET {path}: no answer"))
    }

    /// Publishes as the bearer of a token.
    pub(crate) async fn post_as(&self, token: &str, path: &str, body: impl Into<Bytes>) -> Answer {
        self.send_as(Some(token), &Method::POST, path, body).await
    }

    /// Sends a request, with a token or without.
    pub(crate) async fn send_as(
        &self,
        token: Option<&str>,
        method: &Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Answer {
        let request = self.request(method.clone(), path, token, body.into());
        let response =
            self.pool.request(request).await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        read(response).await.unwrap_or_else(|| panic!("{method} {path}: no answer"))
    }

    /// Asks for what may have no end: the body is still to come.
    pub(crate) async fn open(&self, path: &str, token: Option<&str>) -> Response<Incoming> {
        let request = self.request(Method::GET, path, token, Bytes::new());
        self.pool.request(request).await.unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    fn request(&self, method: Method, path: &str, token: Option<&str>, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(Full::new(body)).expect("a sound request")
    }
}

async fn read(response: Response<Incoming>) -> Option<Answer> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    Some(Answer { status: head.status, headers: head.headers, body })
}
