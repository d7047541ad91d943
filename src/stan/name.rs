//! Names as the server would refuse them, refused before they are sent.
//!
//! The server answers a bad channel with `stan: invalid publish request`, which is also its answer to a client it has
//! dropped; only a local check tells the two apart. Each function is an error for a name that breaks its rule.

use thiserror::Error;

/// A name that the server would not take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {what} {value:?} {rule}")]
pub struct InvalidName {
    /// Which name: `channel`, `client id`, …
    what: &'static str,
    value: String,
    /// What it should have been.
    rule: &'static str,
}

impl InvalidName {
    /// What the name should have been, as the predicate of a sentence: `must not contain white space`.
    pub fn rule(&self) -> &'static str {
        self.rule
    }
}

/// A cluster id: letters, digits, `-` and `_`.
pub fn cluster_id(value: &str) -> Result<(), InvalidName> {
    identifier("cluster id", value)
}

/// A client id: letters, digits, `-` and `_`.
pub fn client_id(value: &str) -> Result<(), InvalidName> {
    identifier("client id", value)
}

/// A channel: tokens joined by dots, without wildcards, `/` and white space.
pub fn channel(value: &str) -> Result<(), InvalidName> {
    let refuse = |rule| Err(InvalidName { what: "channel", value: value.to_owned(), rule });
    if value.is_empty() {
        refuse("is empty")
    } else if value.contains(['*', '>', '/']) {
        refuse("must not contain *, > or /")
    } else if value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        refuse("must not contain white space")
    } else if value.split('.').any(str::is_empty) {
        refuse("must not begin or end with a dot or have two in a row")
    } else {
        Ok(())
    }
}

/// The name of a durable: anything that prints; one of a queue group must not contain `:`, which joins the two on the server.
pub fn durable(value: &str, in_queue_group: bool) -> Result<(), InvalidName> {
    label("durable name", value)?;
    if in_queue_group && value.contains(':') {
        let rule = "must not contain : when it belongs to a queue group";
        return Err(InvalidName { what: "durable name", value: value.to_owned(), rule });
    }
    Ok(())
}

/// The name of a queue group: anything that prints.
pub fn queue_group(value: &str) -> Result<(), InvalidName> {
    label("queue group", value)
}

/// A name that the server only keeps. It would keep blanks and control characters too, and nobody could find them again.
fn label(what: &'static str, value: &str) -> Result<(), InvalidName> {
    let refuse = |rule| Err(InvalidName { what, value: value.to_owned(), rule });
    if value.is_empty() {
        refuse("is empty")
    } else if value.trim().is_empty() {
        refuse("must not be blank")
    } else if value.contains(char::is_control) {
        refuse("must not contain control characters")
    } else {
        Ok(())
    }
}

fn identifier(what: &'static str, value: &str) -> Result<(), InvalidName> {
    let refuse = |rule| Err(InvalidName { what, value: value.to_owned(), rule });
    if value.is_empty() {
        refuse("is empty")
    } else if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        refuse("may contain only letters, digits, - and _")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_the_server_would_refuse_is_refused_and_the_error_says_why() {
        for sound in ["orders", "a.b.c", "Ünï", "a-b_c:d"] {
            assert_eq!(channel(sound), Ok(()), "{sound}");
        }
        for broken in ["", "a.*", ">", "a/b", ".a", "a.", "a..b", "a b", "a\r\nPUB"] {
            assert!(channel(broken).is_err(), "{broken:?}");
        }
        let error = channel("a..b").expect_err("two dots").to_string();
        assert_eq!(error, r#"the channel "a..b" must not begin or end with a dot or have two in a row"#);
    }

    #[test]
    fn ids_are_letters_digits_minus_and_underscore() {
        assert_eq!(client_id("orderbox-1_a"), Ok(()));
        for broken in ["", "a.b", "a b", "é"] {
            assert!(client_id(broken).is_err(), "{broken:?}");
            assert!(cluster_id(broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_colon_is_refused_only_in_the_durable_of_a_queue_group() {
        assert_eq!(durable("a:b", false), Ok(()));
        assert!(durable("a:b", true).is_err());
    }

    #[test]
    fn a_label_that_nobody_could_find_again_is_refused() {
        for broken in ["", " ", "a\u{7}"] {
            assert!(durable(broken, false).is_err(), "{broken:?}");
            assert!(queue_group(broken).is_err(), "{broken:?}");
        }
        assert_eq!(queue_group("the workers"), Ok(()));
    }
}
