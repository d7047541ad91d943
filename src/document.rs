//! What is sent of an order.

use axum::http::HeaderValue;
use bytes::Bytes;
use triomphe::ThinArc;

use crate::digest::{self, Half};

/// The document of an order as it goes out: the accepted payload, byte for byte, and its strong ETag. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What the ETag says, and the JSON. One pointer, for a cache of a million of them feels each word.
    whole: ThinArc<Half, u8>,
}

impl Document {
    /// Copies `document` once: the slice that a driver hands over may keep a whole read buffer alive, which a cache that
    /// counts bytes must not.
    #[must_use]
    pub fn new(document: &[u8]) -> Self {
        Self { whole: ThinArc::from_header_and_slice(digest::half_sha256(document), document) }
    }

    /// The JSON, not copied.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        Bytes::from_owner(self.clone())
    }

    /// Whether this is the SHA-256 of the JSON, as far as the ETag has it.
    pub(crate) fn is(&self, sha256: &[u8; 32]) -> bool {
        sha256.starts_with(&self.whole.header.header)
    }

    /// How many bytes of JSON there are.
    pub(crate) fn length(&self) -> usize {
        self.whole.slice.len()
    }

    /// The first 32 hex digits of the document's SHA-256, in quotes.
    #[must_use]
    pub fn etag(&self) -> HeaderValue {
        digest::etag(&self.whole.header.header)
    }
}

impl AsRef<[u8]> for Document {
    fn as_ref(&self) -> &[u8] {
        &self.whole.slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_is_the_quoted_first_half_of_the_sha_256() {
        let document = Document::new(b"abc");
        assert_eq!(document.bytes(), "abc");
        assert_eq!(document.etag(), "\"ba7816bf8f01cfea414140de5dae2223\"");
    }

    #[test]
    fn a_document_does_not_keep_the_buffer_it_came_from() {
        let buffer = Bytes::from(vec![b' '; 1 << 20]);
        let document = Document::new(&buffer.slice(10..20));
        assert!(buffer.is_unique());
        assert_eq!(document.length(), 10);
    }
}
