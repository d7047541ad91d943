//! Who may publish; who may administer is in `admin`. With a token set (`PUBLISH_TOKEN`, `ADMIN_TOKEN`) whoever sends it;
//! without one only this machine, and not a web page that this machine's browser happens to show: a page of another site may
//! send its request here as a form, and by DNS rebinding may even be the same origin, but then its `Host` is not a loopback
//! name.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use axum::http::{HeaderMap, HeaderName, StatusCode, Uri, Version, header, uri::Authority};
use sha2::{Digest, Sha256};

use super::errors::Problem;

/// What a 401 asks for.
pub(super) const CHALLENGE: &str = "Bearer realm=\"orderbox\"";

/// A secret that clients send as `Authorization: Bearer`. Kept as its SHA-256, so it cannot leak through a log or a dump.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token with this text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// By which it can be told from others without being known.
    pub(super) fn name(&self) -> String {
        let [a, b, c, d, ..] = self.0;
        format!("token:{a:02x}{b:02x}{c:02x}{d:02x}")
    }

    /// Takes the same time whatever the candidate is: two digests of one length, compared to the last byte.
    pub(super) fn is(&self, candidate: &[u8]) -> bool {
        let candidate: [u8; 32] = Sha256::digest(candidate).into();
        self.0.iter().zip(candidate).fold(0, |difference, (ours, theirs)| difference | (ours ^ theirs)) == 0
    }
}

/// The tokens of the settings, and the one that takes the place of an `ADMIN_TOKEN` that is not set.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Lets its bearer publish.
    pub publish: Option<Token>,
    /// Lets its bearer do everything.
    pub admin: Option<Token>,
    /// Without `admin`: lets its bearer do what only an administrator may. Nobody has set it, so it changes nothing about who
    /// may publish.
    pub random_admin: Option<Token>,
}

impl Tokens {
    /// Decides by the head of a request alone whether its sender may publish.
    ///
    /// # Errors
    /// 401 for a wrong or missing token, 403 when none is set and the request is not from this machine.
    pub(super) fn may_publish(
        &self,
        peer: SocketAddr,
        version: Version,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let tokens: Vec<&Token> = self.publish.iter().chain(&self.admin).collect();
        if tokens.is_empty() {
            return from_this_machine(peer, version, uri, headers).map_err(|why| {
                Problem::new(
                    StatusCode::FORBIDDEN,
                    format!(
                        "while no token is set, only this machine may publish, and {why}; \
                         set PUBLISH_TOKEN and send it as Authorization: Bearer TOKEN"
                    ),
                )
            });
        }
        let sent = bearer(headers).unwrap_or_default();
        // Not `any`: each token is compared, whichever matches.
        if tokens.iter().fold(false, |found, token| found | token.is(sent)) {
            return Ok(());
        }
        Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "publishing needs the token of PUBLISH_TOKEN or ADMIN_TOKEN, sent as Authorization: Bearer TOKEN",
        )
        .with(header::WWW_AUTHENTICATE, CHALLENGE))
    }
}

/// The one bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let (scheme, token) = only(headers, header::AUTHORIZATION).ok()??.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim().as_bytes())
}

/// `Err` says in half a sentence why the request may come from elsewhere.
fn from_this_machine(
    peer: SocketAddr,
    version: Version,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Cow<'static, str>> {
    if !is_loopback(peer.ip()) {
        return Err("this request comes from another one".into());
    }
    if let Some(name) = headers.keys().find(|name| is_of_a_proxy(name)) {
        return Err(format!("this request came through a proxy (it has the header {name})").into());
    }
    // nginx adds no header and names its upstream as Host unless it is told otherwise: this is all that shows of it.
    if version < Version::HTTP_11 {
        return Err("this request speaks HTTP/1.0, as proxies do".into());
    }
    let host = only(headers, header::HOST)?.ok_or("this request has no Host header")?;
    // A request line with a full URI overrules Host.
    for name in std::iter::once(host).chain(uri.authority().map(Authority::as_str)) {
        if !names_loopback(name) {
            return Err("its Host must be localhost, 127.0.0.1 or [::1]".into());
        }
    }
    if let Some(origin) = only(headers, header::ORIGIN)?
        && !origin.strip_prefix("http://").is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    {
        return Err("this request comes from a page of another origin".into());
    }
    match only(headers, HeaderName::from_static("sec-fetch-site"))? {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err("this request comes from a page of another site".into()),
    }
}

/// RFC 7239 and 9110, what proxies put before them, and what those of clouds and networks of caches add.
fn is_of_a_proxy(name: &HeaderName) -> bool {
    let name = name.as_str();
    let prefixes = ["x-forwarded-", "x-envoy-", "cf-", "fly-"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
        || matches!(
            name,
            "forwarded" | "via" | "x-real-ip" | "x-client-ip" | "x-cluster-client-ip" | "true-client-ip"
        )
}

/// Exact: no trailing dot, no short or octal forms of an address, no user part.
fn names_loopback(host: &str) -> bool {
    if host.contains('@') {
        return false;
    }
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|address| is_loopback(address.into()));
    }
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<Ipv4Addr>().is_ok_and(|address| is_loopback(address.into()))
}

/// `::ffff:127.0.0.1` is what an IPv4 peer looks like on a socket that serves both.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The value of a header that must not be there twice: which one counts would be a guess.
fn only(headers: &HeaderMap, name: HeaderName) -> Result<Option<&str>, Cow<'static, str>> {
    let mut values = headers.get_all(&name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(format!("this request has two {name} headers").into());
    }
    match value.map(|value| value.to_str()) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(format!("its {name} header is not plain text").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1:50000";

    fn status(tokens: &Tokens, peer: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        status_in(Version::HTTP_11, tokens, peer, uri, headers)
    }

    fn status_in(version: Version, tokens: &Tokens, peer: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            map.append(name, value.parse().expect("a header value"));
        }
        let peer = peer.parse().expect("an address");
        match tokens.may_publish(peer, version, &uri.parse().expect("a URI"), &map) {
            Ok(()) => 200,
            Err(problem) => axum::response::IntoResponse::into_response(problem).status().as_u16(),
        }
    }

    fn without_token(headers: &[(&str, &str)]) -> u16 {
        status(&Tokens::default(), LOOPBACK, "/order", headers)
    }

    #[test]
    fn without_a_token_only_a_loopback_peer_may_publish() {
        for (peer, expected) in [
            (LOOPBACK, 200),
            ("127.8.9.1:1", 200),
            ("[::1]:1", 200),
            ("[::ffff:127.0.0.1]:1", 200),
            ("[::ffff:192.0.2.1]:1", 403),
            ("192.0.2.1:1", 403),
            ("[2001:db8::1]:1", 403),
            ("0.0.0.0:1", 403),
        ] {
            assert_eq!(
                status(&Tokens::default(), peer, "/order", &[("host", "localhost:8080")]),
                expected,
                "{peer}"
            );
        }
    }

    #[test]
    fn without_a_token_the_host_must_name_loopback() {
        for host in [
            "localhost",
            "localhost:8080",
            "LocalHost:1",
            "127.0.0.1",
            "127.0.0.1:8080",
            "127.99.1.2:8080",
            "[::1]",
            "[::1]:8080",
            "[::ffff:127.0.0.1]:8080",
        ] {
            assert_eq!(without_token(&[("host", host)]), 200, "{host}");
        }
        for host in [
            "127.0.0.1.evil.com",
            "127.0.0.1.evil.com:8080",
            "localhost.evil.com",
            "localhost.",
            "127.0.0.1.",
            "evil.com",
            "evil.com:8080",
            "evil@localhost",
            "localhost@evil.com",
            "127.1",
            "0177.0.0.1",
            "2130706433",
            "0.0.0.0",
            "[::]",
            "[::1",
            "::1",
            "192.0.2.1",
            "",
            "localhost, evil.com",
        ] {
            assert_eq!(without_token(&[("host", host)]), 403, "{host}");
        }
        assert_eq!(without_token(&[]), 403, "no Host");
        assert_eq!(without_token(&[("host", "localhost"), ("host", "localhost")]), 403, "two Hosts");
        assert_eq!(
            status(&Tokens::default(), LOOPBACK, "http://evil.com/order", &[("host", "localhost")]),
            403,
            "the request line overrules Host"
        );
    }

    #[test]
    fn without_a_token_a_request_that_a_proxy_passed_on_is_refused() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "X-Forwarded-Host",
            "x-forwarded-anything",
            "via",
            "x-real-ip",
            "CF-Connecting-IP",
            "true-client-ip",
        ] {
            assert_eq!(without_token(&[("host", "localhost"), (name, "127.0.0.1")]), 403, "{name}");
        }
        let old =
            status_in(Version::HTTP_10, &Tokens::default(), LOOPBACK, "/order", &[("host", "localhost")]);
        assert_eq!(old, 403, "what a proxy that adds no header speaks");
    }

    #[test]
    fn without_a_token_a_page_of_another_origin_is_refused() {
        let with = |name, value| without_token(&[("host", "localhost:8080"), (name, value)]);
        for origin in ["http://localhost:8080", "http://LOCALHOST:8080"] {
            assert_eq!(with("origin", origin), 200, "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.com",
            "http://localhost",
            "http://localhost:3000",
            "https://localhost:8080",
            "http://127.0.0.1:8080",
            "http://localhost:8080.evil.com",
        ] {
            assert_eq!(with("origin", origin), 403, "{origin}");
        }
        for (site, expected) in
            [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403), ("", 403)]
        {
            assert_eq!(with("sec-fetch-site", site), expected, "{site}");
        }
        let own = ("origin", "http://localhost");
        assert_eq!(without_token(&[("host", "localhost"), own, own]), 403, "two Origins");
    }

    #[test]
    fn with_a_token_set_only_its_bearer_may_publish_from_anywhere() {
        let publish = Tokens { publish: Some(Token::new("publish")), ..Tokens::default() };
        let admin = Tokens { admin: Some(Token::new("admin")), ..Tokens::default() };
        let both = Tokens { admin: admin.admin.clone(), ..publish.clone() };
        let anywhere = |tokens, header: &str| {
            status(tokens, "192.0.2.1:1", "/order", &[("via", "proxy"), ("authorization", header)])
        };
        for (tokens, header, expected) in [
            (&publish, "Bearer publish", 200),
            (&publish, "bearer publish", 200),
            (&publish, "Bearer admin", 401),
            (&admin, "Bearer admin", 200),
            (&both, "Bearer publish", 200),
            (&both, "Bearer admin", 200),
            (&both, "Bearer publishx", 401),
            (&both, "Bearer ", 401),
            (&both, "Bearer", 401),
            (&both, "Basic publish", 401),
            (&both, "publish", 401),
        ] {
            assert_eq!(anywhere(tokens, header), expected, "{header}");
        }
        assert_eq!(status(&both, LOOPBACK, "/order", &[("host", "localhost")]), 401, "loopback is no token");
        let twice = ("authorization", "Bearer publish");
        assert_eq!(status(&both, LOOPBACK, "/order", &[twice, twice]), 401);
    }

    #[test]
    fn a_token_is_not_printed() {
        let tokens = Tokens { publish: Some(Token::new("secret")), ..Tokens::default() };
        assert!(!format!("{tokens:?}").contains("secret"));
    }
}
