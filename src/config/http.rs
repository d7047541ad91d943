use std::net::SocketAddr;

use clap::Args;

use super::{Findings, Secret};

/// Where the service listens when nothing else is said.
pub(crate) const DEFAULT_ADDR: &str = "127.0.0.1:8080";

/// The HTTP side and who may do what on it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpSettings {
    /// Address and port to listen on
    #[arg(
        id = "HTTP_ADDR",
        long = "http-addr",
        env = "HTTP_ADDR",
        default_value = DEFAULT_ADDR,
        value_parser = address
    )]
    pub addr: SocketAddr,

    /// Gives access to POST /order, as PUBLISH_TOKEN does, and to whatever an administrator may do
    #[arg(id = "ADMIN_TOKEN", long = "admin-token", env = "ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: Option<Secret>,

    /// Gives access to POST /order. When neither token is set, POST /order answers only this machine
    #[arg(id = "PUBLISH_TOKEN", long = "publish-token", env = "PUBLISH_TOKEN", hide_env_values = true)]
    pub publish_token: Option<Secret>,
}

/// 16 random letters and digits are 95 bits: not to be guessed over a network. Shorter ones tend to be words.
const SHORTEST_TOKEN: usize = 16;

impl HttpSettings {
    pub(crate) fn check(&self, findings: &mut Findings) {
        check_token(findings, "ADMIN_TOKEN", self.admin_token.as_ref());
        check_token(findings, "PUBLISH_TOKEN", self.publish_token.as_ref());
        match (&self.admin_token, &self.publish_token) {
            (Some(admin), Some(publish)) if admin == publish => findings.warn(
                "PUBLISH_TOKEN",
                publish,
                "is the same as ADMIN_TOKEN: everyone who publishes can read and discard dead letters",
                "Set two different tokens",
            ),
            (None, None) if !self.addr.ip().to_canonical().is_loopback() => findings.warn(
                "HTTP_ADDR",
                self.addr,
                "is open to other machines and neither PUBLISH_TOKEN nor ADMIN_TOKEN is set: POST /order answers 403 \
                 to everyone but this machine",
                "Set PUBLISH_TOKEN (behind a proxy set both), or listen on 127.0.0.1",
            ),
            _ => {}
        }
    }
}

fn check_token(findings: &mut Findings, setting: &'static str, token: Option<&Secret>) {
    let Some(token) = token else { return };
    let text = token.expose();
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        findings.error(
            setting,
            token,
            "has blanks or characters that can't stand in an Authorization header: no request could ever match it",
            "Use letters, digits and -._~+/= only; `openssl rand -hex 32` makes a good one",
        );
    } else if text.len() < SHORTEST_TOKEN {
        findings.error(
            setting,
            token,
            format!("has {} characters: it could be guessed", text.len()),
            format!("Use {SHORTEST_TOKEN} or more; `openssl rand -hex 32` makes a good one"),
        );
    }
}

/// Reads `127.0.0.1:8080`, `[::]:8080`. Names are not looked up: what they resolve to may change.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        "write an IP address and a port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080".into()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{expect_error, expect_fine, expect_warning, refused};

    const ADMIN: &str = "0123456789abcdef";
    const PUBLISH: &str = "fedcba9876543210";

    #[test]
    fn an_address_without_a_port_or_with_a_name_is_refused() {
        for addr in ["localhost:8080", "127.0.0.1", ":8080", "8080", "::1:8080x"] {
            assert!(refused(&["--http-addr", addr]).contains("write an IP address and a port"), "{addr}");
        }
    }

    #[test]
    fn a_port_open_to_others_without_a_token_is_a_warning() {
        for addr in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:80"] {
            expect_warning(&["--http-addr", addr], "POST /order answers 403");
            expect_fine(&["--http-addr", addr, "--publish-token", PUBLISH]);
            expect_fine(&["--http-addr", addr, "--admin-token", ADMIN]);
        }
        for addr in ["127.0.0.1:0", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
            expect_fine(&["--http-addr", addr]);
        }
    }

    #[test]
    fn a_token_that_can_be_guessed_is_refused_and_not_shown() {
        expect_error(&["--admin-token", "0123456789abcde"], "ADMIN_TOKEN=*** has 15 characters");
        expect_error(&["--publish-token", "x"], "PUBLISH_TOKEN=*** has 1 characters");
    }

    #[test]
    fn a_token_that_no_header_can_carry_is_refused() {
        for token in ["                ", "0123456789 abcdef", "0123456789abcdeé", "0123456789abcdef\n"] {
            expect_error(&["--admin-token", token], "no request could ever match it");
        }
    }

    #[test]
    fn one_token_for_both_rights_is_a_warning() {
        expect_warning(&["--admin-token", ADMIN, "--publish-token", ADMIN], "is the same as ADMIN_TOKEN");
        expect_fine(&["--admin-token", ADMIN, "--publish-token", PUBLISH]);
    }
}
