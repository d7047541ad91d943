use std::io::Write;

use sha2::{Digest, Sha256};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What a column of a row holds, the same from either database.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(in crate::store) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
    Time(OffsetDateTime),
    Boolean(bool),
    /// Without an exponent, with as many digits after the point as the document has.
    Decimal(String),
}

/// A row, its columns in the order of its table; or their first, its key.
pub(in crate::store) type Row = Vec<Value>;

const HEX: &[u8; 16] = b"0123456789abcdef";

impl Value {
    /// Adds the value to a checksum: what kind it is, how long it is, what it is. No two lists of values are the same
    /// bytes.
    pub(super) fn feed(&self, checksum: &mut Sha256) {
        let mut bytes = |tag: u8, bytes: &[u8]| {
            checksum.update([tag]);
            checksum.update((bytes.len() as u64).to_be_bytes());
            checksum.update(bytes);
        };
        match self {
            Self::Null => bytes(0, &[]),
            Self::Integer(integer) => bytes(1, &integer.to_be_bytes()),
            Self::Text(text) => bytes(2, text.as_bytes()),
            Self::Bytes(content) => bytes(3, content),
            Self::Time(time) => bytes(4, &(time.unix_timestamp_nanos() / 1000).to_be_bytes()),
            Self::Boolean(boolean) => bytes(5, &[u8::from(*boolean)]),
            Self::Decimal(decimal) => bytes(6, decimal.as_bytes()),
        }
    }

    /// Adds the value as PostgreSQL's COPY reads it from text:
    /// <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2>.
    pub(in crate::store) fn write(&self, line: &mut Vec<u8>) {
        match self {
            Self::Null => line.extend_from_slice(br"\N"),
            Self::Integer(integer) => print(line, format_args!("{integer}")),
            Self::Text(text) => text.bytes().for_each(|byte| escape(line, byte)),
            Self::Bytes(bytes) => {
                line.extend_from_slice(br"\\x");
                line.extend(
                    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| HEX[usize::from(half)]),
                );
            }
            Self::Time(time) => {
                let text =
                    time.format(&Rfc3339).expect("a time that was read from RFC 3339 can be written so");
                line.extend_from_slice(text.as_bytes());
            }
            Self::Boolean(boolean) => line.push(if *boolean { b't' } else { b'f' }),
            Self::Decimal(decimal) => line.extend_from_slice(decimal.as_bytes()),
        }
    }

    /// About what it takes.
    pub(in crate::store) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Decimal(text) => text.len() + 8,
            Self::Bytes(bytes) => bytes.len() + 8,
            Self::Null | Self::Integer(_) | Self::Time(_) | Self::Boolean(_) => 8,
        }
    }
}

/// For a person: the key of a row.
pub(in crate::store) fn key_text(key: &[Value]) -> String {
    let parts = key.iter().map(|value| match value {
        Value::Integer(integer) => integer.to_string(),
        Value::Text(text) => crate::terminal::printable(text),
        other => format!("{other:?}"),
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn escape(line: &mut Vec<u8>, byte: u8) {
    match byte {
        b'\\' => line.extend_from_slice(br"\\"),
        b'\t' => line.extend_from_slice(br"\t"),
        b'\n' => line.extend_from_slice(br"\n"),
        b'\r' => line.extend_from_slice(br"\r"),
        other => line.push(other),
    }
}

fn print(line: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("memory takes all that is written");
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn line(value: &Value) -> String {
        let mut line = Vec::new();
        value.write(&mut line);
        String::from_utf8(line).expect("text")
    }

    fn checksum(values: &[Value]) -> Vec<u8> {
        let mut checksum = Sha256::new();
        values.iter().for_each(|value| value.feed(&mut checksum));
        checksum.finalize().to_vec()
    }

    #[test]
    fn nothing_in_a_text_ends_its_column_or_its_line() {
        let text = "a\tb\nc\rd\\.\u{1}\"ы";
        assert_eq!(line(&Value::Text(text.to_owned())), "a\\tb\\nc\\rd\\\\.\u{1}\"ы");
        assert_eq!(line(&Value::Text("\\N".to_owned())), r"\\N");
        assert_eq!(line(&Value::Bytes(vec![0, 9, 255])), r"\\x0009ff");
        assert_eq!(line(&Value::Null), r"\N");
    }

    #[test]
    fn a_time_is_the_same_wherever_it_is_written() {
        let east = Value::Time(datetime!(2021-11-26 06:22:19.123456 +3));
        let utc = Value::Time(datetime!(2021-11-26 03:22:19.123456 UTC));
        assert_eq!(east, utc);
        assert_eq!(checksum(&[east]), checksum(&[utc]));
    }

    #[test]
    fn values_that_differ_have_checksums_that_differ_wherever_one_ends() {
        let text = |text: &str| Value::Text(text.to_owned());
        let lists = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("abc")],
            vec![Value::Bytes(b"abc".to_vec())],
            vec![Value::Null],
            vec![text("")],
            vec![],
        ];
        let mut checksums: Vec<_> = lists.iter().map(|list| checksum(list)).collect();
        checksums.sort();
        checksums.dedup();
        assert_eq!(checksums.len(), lists.len());
    }
}
