//! An administrator's way in while `ADMIN_TOKEN` is not set: a random token, in a link on the terminal that the service was
//! started from. Who can read that terminal can stop the service, too.

use std::{
    io::{self, IsTerminal, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use uuid::Uuid;

use crate::{
    config::{HttpSettings, Secret},
    http::{Token, Tokens},
};

/// The tokens of the settings; tells the link, once, where one is needed and there is a terminal to read it.
pub(crate) fn tokens(settings: &HttpSettings, listening: SocketAddr) -> Tokens {
    let token = |secret: &Option<Secret>| secret.as_ref().map(|secret| Token::new(secret.expose()));
    let admin = token(&settings.admin_token);
    let random_admin = if admin.is_none() { offer(listening) } else { None };
    Tokens { publish: token(&settings.publish_token), admin, random_admin }
}

/// A token that has been told; `None` when nobody would read it.
fn offer(listening: SocketAddr) -> Option<Token> {
    let mut stdout = io::stdout();
    if !stdout.is_terminal() {
        tracing::info!(
            "ADMIN_TOKEN is not set, so nobody can read dead letters and the like over HTTP: set it if somebody should"
        );
        return None;
    }
    // 122 bits of the system's randomness.
    let token = Uuid::new_v4().simple().to_string();
    let told = writeln!(
        stdout,
        "The page for an administrator, until this process ends: {}",
        link(listening, &token)
    );
    told.and_then(|()| stdout.flush()).ok()?;
    Some(Token::new(&token))
}

/// The fragment stays in the browser: no server and no proxy gets to log it.
fn link(listening: SocketAddr, token: &str) -> String {
    format!("http://{}/#token={token}", reachable(listening))
}

/// "Every address" is where one listens, not where one can go.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_names_an_address_that_a_browser_can_open() {
        for (listening, opens) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080/#token=abc"),
            ("0.0.0.0:80", "http://127.0.0.1:80/#token=abc"),
            ("[::]:8080", "http://[::1]:8080/#token=abc"),
            ("192.0.2.1:8080", "http://192.0.2.1:8080/#token=abc"),
        ] {
            assert_eq!(link(listening.parse().expect("an address"), "abc"), opens);
        }
    }
}
