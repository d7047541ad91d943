//! Names as a JetStream server would refuse them. Each function is an error for a name that breaks its rule: the rule, as the
//! predicate of a sentence.

/// The name of a stream or a consumer: one token of a subject, and the name of a folder at the server.
pub fn of_stream(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        Err("is empty")
    } else if value.contains(['.', '*', '>', '/', '\\']) {
        Err(r"must not contain ., *, >, / or \")
    } else {
        printing(value)
    }
}

/// A subject to read, which may have wildcards: `*` for one token, `>` for the rest.
pub fn filter(value: &str) -> Result<(), &'static str> {
    if value.is_empty() {
        return Err("is empty");
    }
    printing(value)?;
    let tokens: Vec<&str> = value.split('.').collect();
    let (_, others) = tokens.split_last().expect("splitting gives one part at least");
    if tokens.contains(&"") {
        Err("must not begin or end with a dot or have two in a row")
    } else if tokens.iter().any(|token| token.len() > 1 && token.contains(['*', '>'])) {
        Err("may contain * and > as whole tokens only")
    } else if others.contains(&">") {
        Err("may contain > at its end only")
    } else {
        Ok(())
    }
}

/// A subject to publish to.
pub fn subject(value: &str) -> Result<(), &'static str> {
    filter(value)?;
    if value.contains(['*', '>']) { Err("must not contain * or >") } else { Ok(()) }
}

/// Whether every subject that `filter` stands for is one that `of` stands for.
pub fn covers(of: &str, filter: &str) -> bool {
    let (mut of, mut filter) = (of.split('.'), filter.split('.'));
    loop {
        match (of.next(), filter.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(other)) if one == other => {}
            (_, _) => return false,
        }
    }
}

fn printing(value: &str) -> Result<(), &'static str> {
    if value.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("must not contain white space");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_several_tokens_is_no_stream() {
        for name in ["", "a.b", "a*", ">", "a/b", r"a\b", "a b", "a\u{7}"] {
            assert!(of_stream(name).is_err(), "{name:?}");
        }
        assert_eq!(of_stream("ORDERS-2_ä:x"), Ok(()));
    }

    #[test]
    fn wildcards_are_whole_tokens_and_only_of_what_is_read() {
        for sound in ["orders", "orders.*", "*.new", "orders.>", ">"] {
            assert_eq!(filter(sound), Ok(()), "{sound}");
        }
        for broken in ["", ".a", "a.", "a..b", "a*", "a.>.b", ">.a", "a b"] {
            assert!(filter(broken).is_err(), "{broken}");
        }
        assert!(subject("orders.*").is_err() && subject("orders.new").is_ok());
    }

    #[test]
    fn a_subject_is_covered_by_what_stands_for_all_of_it() {
        for (of, filter) in
            [("orders", "orders"), ("orders.*", "orders.new"), ("orders.>", "orders.*.x"), (">", "a")]
        {
            assert!(covers(of, filter), "{of} {filter}");
        }
        for (of, filter) in [
            ("orders", "orders.new"),
            ("orders.*", "orders.>"),
            ("orders.*", "orders"),
            ("orders.>", "orders"),
        ] {
            assert!(!covers(of, filter), "{of} {filter}");
        }
    }
}
