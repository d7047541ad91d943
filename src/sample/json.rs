use std::io::Write as _;

/// How the white space lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Layout {
    /// `{"a":1,"b":2}`
    Compact,
    /// `{"a": 1, "b": 2}`
    Spaced,
    /// A member a line, indented by this text a level.
    Indented(&'static str),
}

/// How far strings are escaped beyond what JSON demands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Escaping {
    /// Only what must be.
    Least,
    /// Everything beyond ASCII as `\uXXXX`, as Python does.
    Ascii,
    /// `/` as `\/` too, as PHP does.
    Slashes,
    /// `<`, `>` and `&` as `\uXXXX`, as Go does.
    Html,
}

/// The value of a member.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Integer(i64),
    /// Written as it is.
    Literal(&'a str),
    Null,
}

/// Something done to one member while the order is written. The pointer of an item names the first: `/items/0/price`.
pub(super) type Edit = (&'static str, Change);

/// What is done to the member. Keys and values are JSON text, escapes included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// The member is left out.
    Omit,
    /// This text stands in place of the value; it need not be JSON.
    Write(&'static str),
    /// The value stands under this key instead.
    Rename(&'static str),
    /// The value stands under this key too.
    Also(&'static str),
}

/// Writes JSON into a buffer, and breaks it where an edit says so.
#[derive(Debug)]
pub(super) struct Writer<'e> {
    out: Vec<u8>,
    layout: Layout,
    escaping: Escaping,
    edits: &'e [Edit],
    depth: usize,
    /// Nothing stands in the innermost container yet.
    fresh: bool,
}

impl<'e> Writer<'e> {
    pub(super) fn new(layout: Layout, escaping: Escaping, edits: &'e [Edit]) -> Self {
        Self { out: Vec::with_capacity(1536), layout, escaping, edits, depth: 0, fresh: true }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// The edits, which are the caller's from now on: no later member is changed until they are given back.
    pub(super) fn swap_edits(&mut self, edits: &'e [Edit]) -> &'e [Edit] {
        std::mem::replace(&mut self.edits, edits)
    }

    pub(super) fn is_edited(&self, at: &str) -> bool {
        self.edit(at).is_some()
    }

    /// Writes the member that `at` points to: its last part is the key.
    pub(super) fn member(&mut self, at: &'static str, value: Value<'_>) {
        let key = last_part(at);
        match self.edit(at) {
            None => self.pair(key, value),
            Some(Change::Omit) => {}
            Some(Change::Write(text)) => self.pair(key, Value::Literal(text)),
            Some(Change::Rename(other)) => self.pair(other, value),
            Some(Change::Also(other)) => {
                self.pair(key, value);
                self.pair(other, value);
            }
        }
    }

    /// Opens the object or array that `at` points to, or returns false where an edit took its place.
    pub(super) fn open_member(&mut self, at: &'static str, bracket: u8) -> bool {
        match self.edit(at) {
            None => self.key(last_part(at)),
            Some(Change::Rename(other)) => self.key(other),
            Some(Change::Omit | Change::Write(_) | Change::Also(_)) => {
                self.member(at, Value::Null);
                return false;
            }
        }
        self.bracket(bracket);
        true
    }

    /// Opens an object that is the root or an element of an array.
    pub(super) fn open_element(&mut self) {
        if self.depth > 0 {
            self.separate();
        }
        self.bracket(b'{');
    }

    pub(super) fn close(&mut self, bracket: u8) {
        self.depth -= 1;
        if !self.fresh {
            self.new_line();
        }
        self.fresh = false;
        self.out.push(bracket);
    }

    fn edit(&self, at: &str) -> Option<Change> {
        self.edits.iter().find(|(pointer, _)| *pointer == at).map(|(_, change)| *change)
    }

    fn pair(&mut self, key: &str, value: Value<'_>) {
        self.key(key);
        match value {
            Value::Text(text) => self.string(text),
            Value::Integer(number) => write!(self.out, "{number}").expect("a Vec takes every byte"),
            Value::Literal(text) => self.out.extend_from_slice(text.as_bytes()),
            Value::Null => self.out.extend_from_slice(b"null"),
        }
    }

    fn key(&mut self, key: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(if self.layout == Layout::Compact { b"\":" } else { b"\": " });
    }

    fn bracket(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.depth += 1;
        self.fresh = true;
    }

    fn separate(&mut self) {
        if !self.fresh {
            self.out.push(b',');
            if self.layout == Layout::Spaced {
                self.out.push(b' ');
            }
        }
        self.fresh = false;
        self.new_line();
    }

    fn new_line(&mut self) {
        if let Layout::Indented(indent) = self.layout {
            self.out.push(b'\n');
            for _ in 0..self.depth {
                self.out.extend_from_slice(indent.as_bytes());
            }
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push(b'"');
        for char in text.chars() {
            let escaped = match self.escaping {
                Escaping::Least => false,
                Escaping::Ascii => !char.is_ascii(),
                Escaping::Slashes => char == '/',
                Escaping::Html => matches!(char, '<' | '>' | '&'),
            };
            match char {
                '"' => self.out.extend_from_slice(b"\\\""),
                '\\' => self.out.extend_from_slice(b"\\\\"),
                '\n' => self.out.extend_from_slice(b"\\n"),
                '\t' => self.out.extend_from_slice(b"\\t"),
                '/' if escaped => self.out.extend_from_slice(b"\\/"),
                char if escaped || char < ' ' => {
                    for unit in char.encode_utf16(&mut [0; 2]) {
                        write!(self.out, "\\u{unit:04x}").expect("a Vec takes every byte");
                    }
                }
                char => self.out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        self.out.push(b'"');
    }
}

fn last_part(pointer: &str) -> &str {
    pointer.rsplit('/').next().unwrap_or(pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(layout: Layout, escaping: Escaping, text: &str, edits: &[Edit]) -> String {
        let mut json = Writer::new(layout, escaping, edits);
        json.open_element();
        json.member("/text", Value::Text(text));
        if json.open_member("/list", b'[') {
            json.close(b']');
        }
        json.close(b'}');
        String::from_utf8(json.finish()).expect("text in, text out")
    }

    #[test]
    fn every_escaping_and_layout_reads_back_as_the_same_text() {
        let text: String = ('\0'..'\u{300}').chain("</a>&\"\\🛍\u{10ffff}\u{2028}".chars()).collect();
        for layout in [Layout::Compact, Layout::Spaced, Layout::Indented("\t")] {
            for escaping in [Escaping::Least, Escaping::Ascii, Escaping::Slashes, Escaping::Html] {
                let json = written(layout, escaping, &text, &[]);
                let read: serde_json::Value = serde_json::from_str(&json).expect("JSON");
                assert_eq!(read, serde_json::json!({"text": text, "list": []}), "{layout:?} {escaping:?}");
            }
        }
    }

    #[test]
    fn white_space_lies_as_the_layout_says() {
        let of = |layout| written(layout, Escaping::Least, "a", &[]);
        assert_eq!(of(Layout::Compact), r#"{"text":"a","list":[]}"#);
        assert_eq!(of(Layout::Spaced), r#"{"text": "a", "list": []}"#);
        assert_eq!(of(Layout::Indented("  ")), "{\n  \"text\": \"a\",\n  \"list\": []\n}");
    }

    #[test]
    fn an_edit_changes_its_member_only() {
        let of = |change| written(Layout::Compact, Escaping::Least, "a", &[("/text", change)]);
        assert_eq!(of(Change::Omit), r#"{"list":[]}"#);
        assert_eq!(of(Change::Write("NaN")), r#"{"text":NaN,"list":[]}"#);
        assert_eq!(of(Change::Rename("Text")), r#"{"Text":"a","list":[]}"#);
        assert_eq!(of(Change::Also(r"\u0074ext")), r#"{"text":"a","\u0074ext":"a","list":[]}"#);
    }
}
