//! The one digest by which this service names bytes: in an ETag, in the id of a posted message.

use sha2::{Digest, Sha256};

/// Half of a SHA-256 in hexadecimal: 128 bits, which nobody meets by chance.
pub(crate) const LEN: usize = 32;

/// The first [`LEN`] hex digits of the SHA-256 of `bytes`, in ASCII.
pub(crate) fn half_sha256(bytes: &[u8]) -> [u8; LEN] {
    half_of(&Sha256::digest(bytes).into())
}

/// The same of a SHA-256 that is known.
pub(crate) fn half_of(sha256: &[u8; 32]) -> [u8; LEN] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [0; LEN];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(sha256) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_first_half_of_the_sha_256() {
        assert_eq!(&half_sha256(b"abc"), b"ba7816bf8f01cfea414140de5dae2223");
        assert_eq!(&half_sha256(b""), b"e3b0c44298fc1c149afbf4c8996fb924");
    }
}
