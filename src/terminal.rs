//! What may be shown on a terminal or written into a log line, whoever wrote it.

use std::fmt::Write;

/// `text` on one line, with every character escaped that could steer a terminal, break a line or turn the reading
/// direction of what follows.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for character in text.chars() {
        if steers(character) {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}

/// The JSON text `json` with the characters that [`printable`] escapes written as `\uXXXX`: the same value, safe to show.
///
/// `json` has no line breaks, as `serde_json::to_string` writes it. Then such characters stand only inside its strings,
/// where JSON lets any character be written so; serde_json itself escapes no more than those below U+0020.
#[must_use]
pub fn printable_json(json: &str) -> String {
    let mut printable = String::with_capacity(json.len());
    for character in json.chars() {
        if steers(character) {
            write!(printable, "\\u{:04x}", u32::from(character)).expect("a String takes all that is written");
        } else {
            printable.push(character);
        }
    }
    printable
}

/// Whether a terminal or a reader could be misled; all such characters lie below U+10000.
fn steers(character: char) -> bool {
    character.is_control() || turns_direction(character)
}

/// The line and paragraph separators, and the marks, embeddings, overrides and isolates of bidirectional text: with
/// them a line can read as something that it does not say.
fn turns_direction(character: char) -> bool {
    matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// Every character that must never reach a terminal: the controls of ISO 6429 and what Unicode lists as `Bidi_Control`,
/// with the two separators that break a line.
#[cfg(test)]
pub(crate) const STEERING: &str = "\0\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\t\n\u{b}\u{c}\r\u{e}\u{f}\
    \u{10}\u{11}\u{12}\u{13}\u{14}\u{15}\u{16}\u{17}\u{18}\u{19}\u{1a}\u{1b}\u{1c}\u{1d}\u{1e}\u{1f}\u{7f}\
    \u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\u{8e}\u{8f}\
    \u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\u{9c}\u{9d}\u{9e}\u{9f}\
    \u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_text_of_any_script_is_left_alone() {
        for text in ["", "Иван Петров", "b563feb7b2b84b6test", "a \"quoted\" \\ 値 🚚"] {
            assert_eq!(printable(text), text);
        }
    }

    #[test]
    fn what_steers_a_terminal_is_escaped() {
        assert_eq!(printable("\u{1b}[2J\r\n\t\u{9b}31m\u{7f}"), r"\u{1b}[2J\r\n\t\u{9b}31m\u{7f}");
    }

    #[test]
    fn neither_form_lets_a_character_through_that_steers() {
        let steering: Vec<char> = STEERING.chars().collect();
        assert_eq!(steering.len(), 32 + 33 + 14);
        let json = serde_json::to_string(STEERING).expect("a text is JSON");
        for text in [printable(STEERING), printable_json(&json)] {
            assert!(!text.contains(steering.as_slice()), "{text}");
        }
    }

    #[test]
    fn printable_json_is_the_same_value() {
        let value = serde_json::json!({ STEERING: [STEERING, "Иван \"値\" \\ 🚚", 1.5, null] });
        let text = printable_json(&value.to_string());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).expect("JSON"), value);
        assert_eq!(printable_json("[\"Иван 🚚\u{9b}\u{202e}\"]"), r#"["Иван 🚚\u009b\u202e"]"#);
    }

    #[test]
    fn what_turns_the_reading_direction_is_escaped() {
        assert_eq!(printable("a\u{202e}b\u{2066}c\u{2028}"), r"a\u{202e}b\u{2066}c\u{2028}");
    }
}
