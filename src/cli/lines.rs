//! How files hold messages: one a file, or one a line.

use std::{
    io::{self, BufRead, Read},
    path::Path,
};

/// Whether the file holds a message a line.
pub(crate) fn hold_messages(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "ndjson" || extension == "jsonl")
}

/// All bytes of a message, or one more than `max_bytes` of them: enough to know that they are too many.
pub(crate) fn whole(reader: impl Read, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    reader.take(one_more(max_bytes)).read_to_end(&mut message)?;
    Ok(message)
}

/// A line that is a message.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// Counted from 1.
    pub(crate) number: u64,
    /// Without the newline; of a longer line one byte more than `max_bytes`.
    pub(crate) message: Vec<u8>,
}

/// The messages of a reader, one a line. Lines of white space are no messages, and count as lines. Ends with the first
/// error.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    max_bytes: usize,
    number: u64,
    failed: bool,
}

impl<R: BufRead> Lines<R> {
    /// No more than `max_bytes` of a line and one are held, however long it is.
    pub(crate) fn new(reader: R, max_bytes: usize) -> Self {
        Self { reader, max_bytes, number: 0, failed: false }
    }

    /// The number of the line that was read last.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    fn read(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        // The newline is the one more, when there are no more bytes than there may be.
        let read = self.reader.by_ref().take(one_more(self.max_bytes)).read_until(b'\n', &mut line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() > self.max_bytes {
            self.reader.skip_until(b'\n')?;
        }
        Ok((read > 0).then_some(line))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            self.number += 1;
            match self.read() {
                // A line that is cut may go on with anything.
                Ok(Some(line))
                    if line.len() <= self.max_bytes && line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(Some(message)) => return Some(Ok(Line { number: self.number, message })),
                Ok(None) => return None,
                Err(error) => {
                    self.failed = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

fn one_more(max_bytes: usize) -> u64 {
    u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    const MAX_BYTES: usize = 5;

    fn lines(content: &str) -> Vec<(u64, String)> {
        Lines::new(content.as_bytes(), MAX_BYTES)
            .map(|line| line.expect("memory can be read"))
            .map(|line| (line.number, String::from_utf8(line.message).expect("UTF-8")))
            .collect()
    }

    #[test]
    fn lines_of_white_space_are_left_out_and_counted() {
        let found = lines("a\n\n \t\r\nb\r\n\nc");
        assert_eq!(found, [(1, "a".into()), (4, "b\r".into()), (6, "c".into())]);
    }

    #[test]
    fn a_longer_line_is_cut_one_byte_too_late_and_the_next_is_whole() {
        assert_eq!(
            lines("12345\n1234567\n123"),
            [(1, "12345".into()), (2, "123456".into()), (3, "123".into())]
        );
    }

    #[test]
    fn a_message_behind_too_many_blanks_is_not_taken_for_white_space() {
        assert_eq!(lines("         {}\n     \n"), [(1, "      ".into())]);
    }

    #[test]
    fn no_more_of_an_endless_line_is_held_than_a_message_may_have() {
        let endless = BufReader::new(io::repeat(b'x').take(10_000_000));
        let mut lines = Lines::new(endless, 200);
        let line = lines.next().expect("a line").expect("memory can be read");
        assert_eq!(line.message.len(), 201);
        assert!(line.message.capacity() < 10_000);
        assert!(lines.next().is_none());
    }

    #[test]
    fn the_first_error_is_the_end() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::IsADirectory.into())
            }
        }
        let mut lines = Lines::new(BufReader::new(Broken), MAX_BYTES);
        assert!(lines.next().expect("an error").is_err());
        assert!(lines.next().is_none());
    }
}
