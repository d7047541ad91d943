use axum::http::HeaderValue;
use bytes::{BufMut, Bytes, BytesMut};

use crate::digest;

/// The document of an order as it goes out: the accepted payload, byte for byte, and its strong ETag. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The JSON.
    pub bytes: Bytes,
    /// The first 32 hex digits of the document's SHA-256, in quotes.
    pub etag: HeaderValue,
}

/// Two quotes and 32 hex digits.
const ETAG_LEN: usize = digest::LEN + 2;

impl Document {
    /// Copies `document` once: the slice that a driver hands over may keep a whole read buffer alive, which a cache that
    /// counts bytes must not. ETag and document share the one allocation.
    #[must_use]
    pub fn new(document: &[u8]) -> Self {
        let mut buffer = BytesMut::with_capacity(ETAG_LEN + document.len());
        buffer.put_u8(b'"');
        buffer.put_slice(&digest::half_sha256(document));
        buffer.put_u8(b'"');
        buffer.put_slice(document);
        let mut bytes = buffer.freeze();
        let etag = HeaderValue::from_maybe_shared(bytes.split_to(ETAG_LEN))
            .expect("quotes and hex digits are legal in a header");
        Self { bytes, etag }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_etag_is_the_quoted_first_half_of_the_sha_256() {
        let document = Document::new(b"abc");
        assert_eq!(document.bytes, "abc");
        assert_eq!(document.etag, "\"ba7816bf8f01cfea414140de5dae2223\"");
    }

    #[test]
    fn a_document_does_not_keep_the_buffer_it_came_from() {
        let buffer = Bytes::from(vec![b' '; 1 << 20]);
        let document = Document::new(&buffer.slice(10..20));
        assert!(buffer.is_unique());
        assert_eq!(document.bytes.len(), 10);
    }
}
