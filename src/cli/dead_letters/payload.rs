use crate::terminal::printable;

/// Appends the bytes of a message: as text when they are UTF-8, its lines kept and every other control character
/// escaped; else as a hex dump.
pub(super) fn append(text: &mut String, payload: &[u8]) {
    let form = match std::str::from_utf8(payload) {
        Ok(_) if payload.is_empty() => "empty",
        Ok(_) => "text",
        Err(_) => "not UTF-8",
    };
    text.push_str(&format!("  payload, {} bytes, {form}\n", payload.len()));
    match std::str::from_utf8(payload) {
        Ok(content) => content.split('\n').filter(|_| !content.is_empty()).for_each(|line| {
            text.push_str(&format!("    {}\n", printable(line)));
        }),
        Err(_) => dump(text, payload),
    }
}

/// 16 bytes a line: offset, hex, and what is printable ASCII.
fn dump(text: &mut String, payload: &[u8]) {
    for (index, row) in payload.chunks(16).enumerate() {
        let hex: Vec<String> = row.iter().map(|byte| format!("{byte:02x}")).collect();
        let ascii: String = row
            .iter()
            .map(|byte| if (0x20..0x7f).contains(byte) { char::from(*byte) } else { '.' })
            .collect();
        text.push_str(&format!("    {:08x}  {:<47}  |{ascii}|\n", index * 16, hex.join(" ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(payload: &[u8]) -> String {
        let mut text = String::new();
        append(&mut text, payload);
        text
    }

    #[test]
    fn text_keeps_its_lines_and_its_letters() {
        assert_eq!(
            shown("{\n\t\"имя\": 1\r\n}".as_bytes()),
            "  payload, 17 bytes, text\n    {\n    \\t\"имя\": 1\\r\n    }\n"
        );
    }

    #[test]
    fn other_bytes_are_dumped() {
        assert_eq!(
            shown(b"{\"a\":\"\xff\"}\x1b[2J\0\0\0tail"),
            "  payload, 20 bytes, not UTF-8\n    \
             00000000  7b 22 61 22 3a 22 ff 22 7d 1b 5b 32 4a 00 00 00  |{\"a\":\".\"}.[2J...|\n    \
             00000010  74 61 69 6c                                      |tail|\n"
        );
    }

    #[test]
    fn no_bytes_are_told_as_such() {
        assert_eq!(shown(b""), "  payload, 0 bytes, empty\n");
    }
}
