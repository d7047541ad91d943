use std::{
    fs::{self, File},
    io::{self, BufReader},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use crate::{
    cli::lines::{self, Lines},
    sample::{BrokenKind, Generator, Kind},
};

/// More than any broker takes; whatever is larger is not even read.
const LARGEST: usize = 64 << 20;

/// A message to publish.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) payload: Bytes,
    pub(super) origin: Origin,
}

/// What is known of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Origin {
    /// A sound order of the generator.
    Sound,
    /// A broken message of the generator.
    Broken(&'static BrokenKind),
    /// From a file, as it is.
    File,
}

pub(super) type Messages = Box<dyn Iterator<Item = Result<Message, String>> + Send>;

/// The first `count` messages of a generator.
pub(super) fn generated(generator: Generator, count: u64) -> Messages {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Box::new(generator.take(count).map(|sample| {
        let origin = match sample.kind {
            Kind::Sound { .. } => Origin::Sound,
            Kind::Broken(kind) => Origin::Broken(kind),
        };
        Ok(Message { payload: sample.payload, origin })
    }))
}

/// The messages of files, read as they are needed. All files are opened first: one that can't be read is told before
/// anything is published.
pub(super) fn of_files(paths: &[PathBuf]) -> Result<Messages, String> {
    let files = paths.iter().map(|path| open(path)).collect::<Result<Vec<_>, _>>()?;
    Ok(Box::new(
        files
            .into_iter()
            .flatten()
            .map(|payload| payload.map(|payload| Message { payload: payload.into(), origin: Origin::File })),
    ))
}

/// How many messages the files hold, where that can be told without reading them.
pub(super) fn known_length(paths: &[PathBuf]) -> Option<u64> {
    paths.iter().all(|path| !lines::hold_messages(path)).then_some(paths.len() as u64)
}

/// The bytes of a message, or what could not be read.
type Payload = Result<Vec<u8>, String>;

fn open(path: &Path) -> Result<Box<dyn Iterator<Item = Payload> + Send>, String> {
    let unreadable = |path: &Path, cause: &io::Error| format!("{} can't be read: {cause}", path.display());
    let is_folder = fs::metadata(path).map_err(|cause| unreadable(path, &cause))?.is_dir();
    if is_folder {
        return Err(format!("{} is a folder: name the files in it", path.display()));
    }
    let file = File::open(path).map_err(|cause| unreadable(path, &cause))?;
    let path = path.to_owned();
    if lines::hold_messages(&path) {
        let mut lines = Lines::new(BufReader::new(file), LARGEST);
        return Ok(Box::new(std::iter::from_fn(move || {
            let line = lines.next()?.and_then(|line| bounded(line.message));
            Some(line.map_err(|cause| {
                format!("{}, line {}, can't be read: {cause}", path.display(), lines.number())
            }))
        })));
    }
    Ok(Box::new(std::iter::once_with(move || {
        lines::whole(file, LARGEST).and_then(bounded).map_err(|cause| unreadable(&path, &cause))
    })))
}

fn bounded(payload: Vec<u8>) -> io::Result<Vec<u8>> {
    if payload.len() > LARGEST {
        return Err(io::Error::other(format!("a message has more than {} MiB", LARGEST >> 20)));
    }
    Ok(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, content: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        fs::write(&path, content).expect("write a file");
        (folder, path)
    }

    fn payloads(paths: &[PathBuf]) -> Vec<Bytes> {
        of_files(paths)
            .expect("all can be opened")
            .map(|message| message.expect("readable").payload)
            .collect()
    }

    #[test]
    fn a_file_is_one_message_byte_for_byte() {
        let content = b"\xef\xbb\xbf{\n\"a\":\r\n\xff}\n\n";
        let (_folder, path) = written("order.json", content);
        let paths = [path];
        assert_eq!(payloads(&paths), [&content[..]]);
        assert_eq!(known_length(&paths), Some(1));
    }

    #[test]
    fn an_empty_file_is_an_empty_message() {
        let (_folder, path) = written("empty.txt", b"");
        assert_eq!(payloads(&[path]), [&b""[..]]);
    }

    #[test]
    fn a_file_of_lines_holds_a_message_a_line() {
        for name in ["orders.ndjson", "orders.jsonl"] {
            let (_folder, path) = written(name, b"{\"a\":1}\n\n \r\nnot json\xff\r\n{\"b\":2}");
            let paths = [path];
            assert_eq!(payloads(&paths), [&b"{\"a\":1}"[..], b"not json\xff\r", b"{\"b\":2}"]);
            assert_eq!(known_length(&paths), None);
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_named_by_its_number() {
        let content = [b"{}\n\n".to_vec(), vec![b'x'; LARGEST + 1]].concat();
        let (_folder, path) = written("orders.ndjson", &content);
        let mut messages = of_files(std::slice::from_ref(&path)).expect("it can be opened");
        assert_eq!(messages.next().expect("a message").expect("readable").payload, &b"{}"[..]);
        let error = messages.next().expect("a line").expect_err("too long");
        assert!(
            error.ends_with("orders.ndjson, line 3, can't be read: a message has more than 64 MiB"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_can_not_be_read_is_named_before_anything_is_read() {
        let (folder, path) = written("order.json", b"{}");
        let missing = folder.path().join("missing.json");
        let error = of_files(&[path, missing]).err().expect("one is missing");
        assert!(error.contains("missing.json can't be read: "), "{error}");
        let error = of_files(&[folder.path().to_owned()]).err().expect("a folder");
        assert!(error.ends_with("is a folder: name the files in it"), "{error}");
    }
}
