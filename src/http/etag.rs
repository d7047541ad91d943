//! ETags and the one precondition that is asked with them.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::digest;

/// The strong ETag of these bytes, as [`Document`](crate::document::Document) has it too.
pub(super) fn of(bytes: &[u8]) -> HeaderValue {
    digest::etag(&digest::half_sha256(bytes))
}

/// Whether the client has what `etag` says, by If-None-Match (RFC 9110, 13.1.2): `*`, or a list of tags of which one is equal
/// by weak comparison. Splitting at commas is exact although a tag may hold one, because ours holds none.
pub(super) fn is_known(etag: &HeaderValue, request: &HeaderMap) -> bool {
    request.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(<[u8]>::trim_ascii)
            .any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == etag.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_says_the_bytes() {
        assert_eq!(of(b""), "\"e3b0c44298fc1c149afbf4c8996fb924\"");
        assert_ne!(of(b"a"), of(b"b"));
    }

    #[test]
    fn a_client_that_has_the_document_is_recognised_by_weak_comparison() {
        let etag = of(b"abc");
        let ours = etag.to_str().expect("hex");
        let matched = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::IF_NONE_MATCH, value.parse().expect("a header value"));
            }
            is_known(&etag, &headers)
        };
        assert!(matched(&[ours]));
        assert!(matched(&["*"]));
        assert!(matched(&[&format!("W/{ours}")]));
        assert!(matched(&[&format!("\"other\" ,\t{ours}")]));
        assert!(matched(&[&format!("\"a,b\", W/{ours}, \"c\"")]));
        assert!(matched(&["\"other\"", ours]));
        assert!(!matched(&[]));
        assert!(!matched(&[""]));
        assert!(!matched(&["\"other\""]));
        assert!(!matched(&[ours.trim_matches('"')]), "a tag has quotes");
        assert!(!matched(&[&format!("w/{ours}")]), "the W is upper case");
        assert!(!matched(&[&ours.to_uppercase()]), "tags compare byte for byte");
    }
}
