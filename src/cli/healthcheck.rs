use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{StatusCode, Uri};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::output;
use crate::{config, terminal::printable};

pub(crate) const EXAMPLES: &str = "\
Exits 0 when GET /healthz answers 200, else 1 and prints what it answered. An address that stands for all addresses \
(0.0.0.0, [::]) is asked through loopback.

Example, in a Dockerfile:
  HEALTHCHECK CMD [\"orderbox\", \"healthcheck\"]";

/// Longer than any answer of a service that works, shorter than the limit that supervisors set by default.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than `/healthz` ever says; whatever else listens there must not fill the memory.
const LONGEST_ANSWER: usize = 64 << 10;

#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Address and port that the service listens on
    #[arg(
        id = "HTTP_ADDR",
        long = "http-addr",
        env = "HTTP_ADDR",
        default_value = config::DEFAULT_ADDR,
        value_parser = config::address
    )]
    addr: SocketAddr,
}

impl Healthcheck {
    pub(crate) async fn run(self) -> ExitCode {
        match check(self.addr, TIMEOUT).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                output::complain(reason);
                ExitCode::FAILURE
            }
        }
    }
}

/// Asks the service that listens on `addr`; says why it is not healthy.
async fn check(addr: SocketAddr, timeout: Duration) -> Result<(), String> {
    let uri = format!("http://{}/healthz", reachable(addr));
    let (status, body) = match tokio::time::timeout(timeout, get(&uri)).await {
        Ok(answer) => answer.map_err(|cause| format!("{uri} does not answer: {cause}"))?,
        Err(_elapsed) => return Err(format!("{uri} does not answer within {timeout:?}")),
    };
    if status == StatusCode::OK {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&body);
    Err(format!("{uri} answers {status}: {}", printable(text.trim_end())))
}

async fn get(uri: &str) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = client.get(uri.parse::<Uri>()?).await.map_err(root_cause)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await?.to_bytes();
    Ok((status, body))
}

/// The innermost cause says what happened ("Connection refused"); the outer ones only that something did.
pub(crate) fn root_cause(error: hyper_util::client::legacy::Error) -> String {
    let mut cause: &dyn std::error::Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Nothing can be sent to "all addresses"; what listens there also listens on loopback.
pub(crate) fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// A server that gives one answer; `""` accepts and then says nothing until the client leaves.
    fn answering(answer: impl Into<String>) -> SocketAddr {
        let answer = answer.into();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let addr = listener.local_addr().expect("address");
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("accept");
            let mut request = [0; 1024];
            let length = stream.read(&mut request).expect("read");
            assert!(request[..length].starts_with(b"GET /healthz HTTP/1.1\r\n"));
            // The client may leave before it has read an answer that is too long.
            drop(stream.write_all(answer.as_bytes()));
            if answer.is_empty() {
                assert_eq!(stream.read(&mut request).expect("the client leaves"), 0);
            }
        });
        addr
    }

    #[tokio::test]
    async fn an_answer_of_200_is_healthy() {
        let addr = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        assert_eq!(check(addr, TIMEOUT).await, Ok(()));
    }

    #[tokio::test]
    async fn any_other_answer_is_told_with_its_text() {
        let addr = answering(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 14\r\n\r\n{\"store\":\"\u{1b}\"}\n",
        );
        let reason = check(addr, TIMEOUT).await.expect_err("unhealthy");
        assert_eq!(
            reason,
            format!(r#"http://{addr}/healthz answers 503 Service Unavailable: {{"store":"\u{{1b}}"}}"#)
        );
    }

    #[tokio::test]
    async fn a_service_that_is_not_there_is_told_as_such() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let addr = listener.local_addr().expect("address");
        drop(listener);
        let reason = check(addr, TIMEOUT).await.expect_err("nobody there");
        assert!(reason.contains("does not answer: Connection refused"), "{reason}");
    }

    #[tokio::test]
    async fn a_service_that_hangs_is_not_waited_for() {
        let limit = Duration::from_millis(50);
        let reason = check(answering(""), limit).await.expect_err("no answer");
        assert!(reason.ends_with("does not answer within 50ms"), "{reason}");
    }

    #[tokio::test]
    async fn an_answer_without_end_is_not_kept() {
        let body = "x".repeat(LONGEST_ANSWER + 1);
        let addr = answering(format!("HTTP/1.1 503 X\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
        let reason = check(addr, TIMEOUT).await.expect_err("unhealthy");
        assert!(reason.ends_with("length limit exceeded"), "{reason}");
    }

    #[test]
    fn all_addresses_are_asked_through_loopback() {
        for (listens, asked) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(listens.parse().expect("address")).to_string(), asked);
        }
    }
}
