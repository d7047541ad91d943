//! The address of a server, with the login that may stand in it.

use std::fmt;

use async_nats::ServerAddr;
use thiserror::Error;

/// What is wrong with an address, as the predicate of a sentence. The address is not repeated: whatever is wrong with it,
/// it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct InvalidAddress(&'static str);

/// Whether a server can be reached by this address, as far as that can be told without trying.
pub fn check_address(address: &str) -> Result<(), InvalidAddress> {
    Server::parse(address).map(drop)
}

/// One address, with the login that stood in it.
#[derive(Clone)]
pub(super) struct Server {
    /// Without the login, since async-nats logs it.
    pub(super) address: ServerAddr,
    pub(super) login: Option<Login>,
}

/// The login of an address. async-nats ignores it there, so it is taken out and handed over.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    Password { user: String, password: String },
    Token(String),
}

impl Server {
    /// A server from the text of its address; [`Options::new`](super::Options::new) says what that is.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidAddress> {
        if text.split_once("://").is_some_and(|(scheme, _)| !matches!(scheme, "nats" | "tls")) {
            return Err(InvalidAddress("begins with neither nats:// nor tls://"));
        }
        let address: ServerAddr =
            text.parse().map_err(|_| InvalidAddress("is no URL with a host and a port up to 65535"))?;
        if address.host().is_empty() {
            return Err(InvalidAddress("names no host"));
        }
        let login = match (address.username(), address.password()) {
            (None, None) => None,
            (Some(token), None) => Some(Login::Token(percent_decode(token))),
            (user, Some(password)) => Some(Login::Password {
                user: percent_decode(user.unwrap_or_default()),
                password: percent_decode(password),
            }),
        };
        let mut url = address.into_inner();
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err(InvalidAddress("goes on behind the port"));
        }
        url.set_username("")
            .and_then(|()| url.set_password(None))
            .map_err(|()| InvalidAddress("names no host"))?;
        let address =
            ServerAddr::from_url(url).map_err(|_| InvalidAddress("is no NATS address without its login"))?;
        Ok(Self { address, login })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.address.host(), self.address.port())
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{self}", self.address.scheme())
    }
}

/// Undoes %XX. What is no sound escape stays as it is.
fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escape = (*first == b'%').then(|| after.first_chunk::<2>()).flatten();
        let value = escape.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(value.unwrap_or(*first));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Server, InvalidAddress> {
        Server::parse(text)
    }

    #[test]
    fn the_login_is_taken_out_of_the_address_and_decoded() {
        let server = parse("nats://us%65r:p%40ss%2Fw@example.com:5222").expect("a sound address");
        assert!(server.login == Some(Login::Password { user: "user".into(), password: "p@ss/w".into() }));
        assert_eq!(server.address.as_url_str(), "nats://example.com:5222");
        let server = parse("tls://t0ken@example.com").expect("a sound address");
        assert!(server.login == Some(Login::Token("t0ken".into())));
        assert_eq!((server.address.port(), server.address.tls_required()), (4222, true));
        assert!(parse("example.com:1").expect("the scheme may be left out").login.is_none());
    }

    #[test]
    fn a_percent_sign_that_is_no_escape_stays() {
        assert_eq!(percent_decode("100%"), "100%");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
        assert_eq!(percent_decode("%ff"), "%ff");
    }

    #[test]
    fn an_address_that_is_none_is_refused_without_showing_the_password() {
        for broken in [
            "",
            "http://u:secret@h:1",
            "nats://",
            "nats://u:secret@h:99999",
            "nats://u:secret@h/x",
            "ws://h",
            "u:secret",
        ] {
            let error = parse(broken).err().unwrap_or_else(|| panic!("{broken} was taken")).to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
