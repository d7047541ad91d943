//! The one digest by which this service names bytes: in an ETag, in the id of a posted message.

use axum::http::HeaderValue;
use sha2::{Digest, Sha256};

/// Half of a SHA-256: 128 bits, which nobody meets by chance.
pub(crate) type Half = [u8; 16];

/// The two hexadecimal digits of each byte: looking each digit up would be felt in a read.
const PAIRS: [[u8; 2]; 256] = {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [HEX[byte >> 4], HEX[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The first half of the SHA-256 of `bytes`.
pub(crate) fn half_sha256(bytes: &[u8]) -> Half {
    let whole: [u8; 32] = Sha256::digest(bytes).into();
    *whole.first_chunk().expect("32 bytes have a first half")
}

/// The digits of a half in hexadecimal, in ASCII.
pub(crate) fn hex(half: &Half) -> [u8; 32] {
    let mut digits = [0; 32];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(half) {
        *pair = PAIRS[usize::from(*byte)];
    }
    digits
}

/// The strong ETag of what has this half: the digits in quotes.
///
/// # Panics
/// Never: quotes and hex digits are legal in a header.
pub(crate) fn etag(half: &Half) -> HeaderValue {
    let mut tag = [b'"'; 34];
    tag[1..33].copy_from_slice(&hex(half));
    HeaderValue::from_bytes(&tag).expect("quotes and hex digits are legal in a header")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_first_half_of_the_sha_256() {
        assert_eq!(&hex(&half_sha256(b"abc")), b"ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(&hex(&half_sha256(b"")), b"e3b0c44298fc1c149afbf4c8996fb924");
    }
}
