use axum::http::HeaderValue;
use bytes::Bytes;

use crate::digest;

/// The document of an order as it goes out: the accepted payload, byte for byte, and its strong ETag. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The ETag, which is [`ETAG_LEN`] bytes long, and the JSON: a cache of a million of them feels each word.
    whole: Bytes,
}

/// Two quotes and 32 hex digits.
const ETAG_LEN: usize = digest::LEN + 2;

impl Document {
    /// Copies `document` once: the slice that a driver hands over may keep a whole read buffer alive, which a cache that
    /// counts bytes must not.
    #[must_use]
    pub fn new(document: &[u8]) -> Self {
        // Of its exact size, so that it becomes `Bytes` as it is.
        let mut whole = Vec::with_capacity(ETAG_LEN + document.len());
        whole.push(b'"');
        whole.extend_from_slice(&digest::half_sha256(document));
        whole.push(b'"');
        whole.extend_from_slice(document);
        Self { whole: whole.into() }
    }

    /// The JSON.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        self.whole.slice(ETAG_LEN..)
    }

    /// Whether this is the SHA-256 of the JSON, as far as the ETag has it.
    pub(super) fn is(&self, sha256: &[u8; 32]) -> bool {
        self.whole[1..ETAG_LEN - 1] == digest::half_of(sha256)
    }

    /// How many bytes of JSON there are.
    pub(super) fn length(&self) -> usize {
        self.whole.len() - ETAG_LEN
    }

    /// The first 32 hex digits of the document's SHA-256, in quotes.
    ///
    /// # Panics
    /// Never: quotes and hex digits are legal in a header.
    #[must_use]
    pub fn etag(&self) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.whole.slice(..ETAG_LEN))
            .expect("quotes and hex digits are legal in a header")
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
