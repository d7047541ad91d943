//! What a JSON grammar does not forbid and we do: lone surrogates in any string or key, and deep nesting.

use memchr::{memchr, memchr2_iter};

/// How many containers may be nested in one another, the root included.
pub(super) const MAX_DEPTH: usize = 127;

/// Why a text that keeps the grammar is still not sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    TooDeep,
    LoneSurrogate,
}

/// Looks for the first flaw of `json` and its byte offset, in one pass without recursion. The strings are found rightly as
/// far as the text keeps the grammar, so up to its first syntax error the answer holds for any text.
pub(super) fn check(json: &str) -> Result<(), (usize, Flaw)> {
    let bytes = json.as_bytes();
    // Nearly every order: with no escape and few brackets neither flaw is possible.
    if memchr(b'\\', bytes).is_none() && memchr2_iter(b'{', b'[', bytes).nth(MAX_DEPTH).is_none() {
        return Ok(());
    }
    let (mut at, mut depth, mut in_string) = (0, 0_usize, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                at += escape_len(&bytes[at..]).ok_or((at, Flaw::LoneSurrogate))?;
                continue;
            }
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err((at, Flaw::TooDeep));
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// The length of the escape, or of the pair of escapes, that `bytes` begin with; `None` for a lone surrogate.
fn escape_len(bytes: &[u8]) -> Option<usize> {
    match code_unit(bytes) {
        Some(0xD800..=0xDBFF) => {
            matches!(bytes.get(6..).and_then(code_unit), Some(0xDC00..=0xDFFF)).then_some(12)
        }
        Some(0xDC00..=0xDFFF) => None,
        Some(_) => Some(6),
        None => Some(2),
    }
}

/// The UTF-16 code unit of the `\uXXXX` that `bytes` begin with.
fn code_unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(br"\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, &digit| Some(unit * 16 + char::from(digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_127_passes_and_128_fails() {
        let nested = |open: &str, close: &str, depth| open.repeat(depth) + "0" + &close.repeat(depth);
        assert_eq!(check(&nested("[", "]", 127)), Ok(()));
        assert_eq!(check(&nested("[", "]", 128)), Err((127, Flaw::TooDeep)));
        assert_eq!(check(&nested(r#"{"":"#, "}", 127)), Ok(()));
        assert_eq!(check(&nested(r#"{"":"#, "}", 128)), Err((127 * 4, Flaw::TooDeep)));
    }

    #[test]
    fn containers_side_by_side_are_not_deep() {
        assert_eq!(check(&format!("[{}[]]", "[],".repeat(1000))), Ok(()));
    }

    #[test]
    fn brackets_in_strings_are_not_containers() {
        assert_eq!(check(&format!(r#"["\"{}"]"#, "[".repeat(1000))), Ok(()));
    }

    #[test]
    fn surrogates_must_come_in_pairs() {
        for sound in [r#""\ud83d\ude00""#, r#""\uD83D\uDE00 \u00e9 \\ud83d""#, r#""\uffff\ud7ff\ue000""#] {
            assert_eq!(check(sound), Ok(()), "{sound}");
        }
        for lone in
            [r#""\ud83d""#, r#""\ude00""#, r#""\ud83d\ud83d\ude00""#, r#""\ud83d\n""#, r#""\ud83dx\ude00""#]
        {
            assert_eq!(check(lone), Err((1, Flaw::LoneSurrogate)), "{lone}");
        }
        assert_eq!(check(r#"{"\\\ud83d":0}"#), Err((4, Flaw::LoneSurrogate)));
    }

    #[test]
    fn any_text_is_survived() {
        for text in ["\\", "\"\\", "\"\\u", "\"\\ud8", "\"\\u12", "\"\\é", "]]]]", ""] {
            assert!(check(&(text.to_owned() + &"]".repeat(200))).is_ok(), "{text}");
        }
    }
}
