use std::fmt;

/// A token that never shows itself: `Debug` and `Display` print `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The token itself, for the one place that compares or sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A URL, or a comma-separated list of them, that may hold passwords. `Debug` and `Display` hide them, in a URL that
/// can't be parsed as well: where it is unclear what belongs to a password, more is hidden than needed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL with its passwords, for the one place that connects.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The URLs of a comma-separated list, blanks around them cut off. A comma inside a user name or password does not
    /// split: one whose URL has no `@` before it and has one after it, with no scheme in between.
    pub fn list(&self) -> Vec<SecretUrl> {
        let pieces: Vec<&str> = self.0.split(',').collect();
        let mut urls: Vec<String> = Vec::new();
        for (index, piece) in pieces.iter().enumerate() {
            let mut of_this_url = pieces[index..].iter().take_while(|piece| !piece.contains("://"));
            let credentials_go_on = of_this_url.any(|piece| piece.contains('@'));
            match urls.last_mut() {
                Some(open) if !open.contains('@') && credentials_go_on => {
                    open.push(',');
                    open.push_str(piece);
                }
                _ => urls.push((*piece).to_owned()),
            }
        }
        urls.into_iter().map(|url| SecretUrl(url.trim().to_owned())).collect()
    }
}

impl From<String> for SecretUrl {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for SecretUrl {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut forgotten = false;
        for (index, SecretUrl(part)) in self.list().iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let shown = redacted(part);
            if part.contains("://") || part.contains('@') {
                forgotten = false;
            }
            // The rest of a password whose `@` was forgotten may stand behind a comma.
            f.write_str(if forgotten { "***" } else { &shown })?;
            forgotten |= !part.contains('@') && shown != *part;
        }
        Ok(())
    }
}

/// One URL without its password. The password is what stands between the first `:` after the scheme and the last `@`;
/// a user without a password is hidden whole, for NATS takes it as a token. Where there is no `@`, it may have been
/// forgotten, and what follows the first `:` is hidden unless it is a port. The value of a query parameter whose
/// name ends in `password` is hidden too.
fn redacted(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let rest = match rest.rsplit_once('@') {
        Some((credentials, host)) => match credentials.split_once(':') {
            Some((user, _)) => format!("{user}:***@{host}"),
            None => format!("***@{host}"),
        },
        None if scheme == "sqlite://" || rest.starts_with("sqlite:") => rest.to_owned(),
        None => without_forgotten_password(rest),
    };
    let Some((path, query)) = rest.split_once('?') else { return format!("{scheme}{rest}") };
    let query: Vec<String> = query
        .split('&')
        .map(|parameter| match parameter.split_once('=') {
            Some((name, _)) if name.to_ascii_lowercase().ends_with("password") => format!("{name}=***"),
            _ => parameter.to_owned(),
        })
        .collect();
    format!("{scheme}{path}?{}", query.join("&"))
}

/// `rest` is a URL behind its scheme, without an `@`.
fn without_forgotten_password(rest: &str) -> String {
    // The colons of [::1] are those of an address.
    let address =
        rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(0, |(ip, _)| ip.len() + 2);
    let (address, rest) = rest.split_at(address);
    let Some((host, after)) = rest.split_once(':') else { return format!("{address}{rest}") };
    let port = after.split(['/', '?', '#']).next().unwrap_or_default();
    if port.is_empty() || port.parse::<u16>().is_ok() || host.contains(['/', '?', '#']) {
        return format!("{address}{host}:{after}");
    }
    format!("{address}{host}:***")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> String {
        let url = SecretUrl::from(url);
        assert_eq!(format!("{url}"), format!("{url:?}"));
        url.to_string()
    }

    #[test]
    fn a_secret_never_shows_itself() {
        let secret = Secret::from("correct horse".to_owned());
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
    }

    #[test]
    fn a_url_without_credentials_is_shown_as_it_is() {
        for url in ["sqlite://orderbox.db?mode=rwc", "nats://a:4222,nats://b:4222", "127.0.0.1:4222", ""] {
            assert_eq!(shown(url), url);
        }
    }

    #[test]
    fn the_password_of_every_url_of_a_list_is_hidden() {
        assert_eq!(shown("nats://a:s1@h1:4222, tls://b:s2@h2"), "nats://a:***@h1:4222,tls://b:***@h2");
        assert_eq!(shown("a:s1@h1:4222,b:s2@h2"), "a:***@h1:4222,b:***@h2");
    }

    #[test]
    fn a_token_in_the_place_of_the_user_is_hidden() {
        assert_eq!(shown("nats://s3cret@h:4222"), "nats://***@h:4222");
    }

    #[test]
    fn characters_that_should_have_been_escaped_leak_nothing() {
        for url in [
            "postgres://u:s3/c@r?e#t@h/db",
            "postgres://u:s3,ret@h/db",
            "postgres://u:s3@ret@h/db",
            "://u:s3cret@h",
            "u:s3cret@",
        ] {
            assert!(!shown(url).contains("s3"), "{} shows a part of the password", shown(url));
            assert!(!shown(url).contains("ret"), "{} shows a part of the password", shown(url));
        }
    }

    #[test]
    fn a_comma_splits_only_where_no_credentials_go_on() {
        for (text, urls) in [
            ("nats://user:pass,word@h", &["nats://user:pass,word@h"][..]),
            ("nats://u:1,2, 3@h, nats://b", &["nats://u:1,2, 3@h", "nats://b"]),
            ("u:p@a,u:p@b,c", &["u:p@a", "u:p@b", "c"]),
            ("nats://a:1,b:2,nats://u:p@c", &["nats://a:1", "b:2", "nats://u:p@c"]),
            ("a,", &["a", ""]),
        ] {
            let list = SecretUrl::from(text).list();
            assert_eq!(list.iter().map(SecretUrl::expose).collect::<Vec<_>>(), urls, "{text}");
        }
    }

    #[test]
    fn a_password_whose_at_sign_was_forgotten_is_hidden() {
        assert_eq!(shown("nats://user:s3cret"), "nats://user:***");
        assert_eq!(shown("user:s3/cret"), "user:***");
        assert_eq!(shown("postgres://u:12s3cret/db"), "postgres://u:***");
        assert_eq!(shown("nats://a:4222,user:s3cret"), "nats://a:4222,user:***");
        assert_eq!(shown("nats://user:a,s3,cr:et,nats://b"), "nats://user:***,***,***,nats://b");
        for url in [
            "nats://[::1]:4222",
            "[::1]",
            "postgres://h:5432/db",
            "nats://h:",
            "sqlite:o.db",
            "sqlite:///a:b",
        ] {
            assert_eq!(shown(url), url);
        }
    }

    #[test]
    fn a_password_in_the_query_is_hidden() {
        assert_eq!(
            shown("postgres://h/db?user=u&password=s3cret&sslmode=require"),
            "postgres://h/db?user=u&password=***&sslmode=require"
        );
    }
}
