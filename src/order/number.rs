//! Numbers by their literals: a JSON number may have any length and any exponent, so none goes through a float.

use std::{cmp::Ordering, iter};

use super::ErrorCode;

/// How many digits a decimal may have after the point when it is written out.
const MAX_SCALE: i64 = 20;

/// The largest decimal: int64's largest.
const LARGEST: &[u8] = b"9223372036854775807";

/// Beyond any literal's length that memory can hold, and far from overflow in sums.
const FAR: i64 = 1 << 48;

/// The value of an integer literal: no fraction, no exponent, within int64.
pub(super) fn integer(literal: &str) -> Result<i64, ErrorCode> {
    if !is_number(literal) || literal.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) {
        return Err(ErrorCode::WrongType);
    }
    // All that is left to go wrong is the range: `i64` reads every JSON integer, `-0` included.
    literal.parse().map_err(|_| ErrorCode::OutOfRange)
}

/// Holds a number literal against the bounds of an amount and says whether it has digits after the point when written out.
pub(super) fn amount_has_fraction(literal: &str) -> Result<bool, ErrorCode> {
    if !is_number(literal) {
        return Err(ErrorCode::WrongType);
    }
    let (negative, unsigned) = match literal.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, literal),
    };
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let scale = length(part.len()) - exponent_value(exponent);
    if scale > MAX_SCALE {
        return Err(ErrorCode::OutOfRange);
    }
    let significant = || whole.bytes().chain(part.bytes()).skip_while(|&digit| digit == b'0');
    let digits = length(significant().count());
    if digits > 0 && (negative || exceeds_largest(significant, digits - scale)) {
        return Err(ErrorCode::OutOfRange);
    }
    Ok(scale > 0)
}

pub(super) fn is_number(literal: &str) -> bool {
    literal.starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

/// Whether a decimal, given as its digits from the first that is not 0 and how many of them stand before the point, is more
/// than the largest. Digits that are not written are zeros.
fn exceeds_largest<I: Iterator<Item = u8>>(digits: impl Fn() -> I, before_point: i64) -> bool {
    match before_point.cmp(&length(LARGEST.len())) {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => {
            let whole = digits().chain(iter::repeat(b'0')).take(LARGEST.len());
            match whole.cmp(LARGEST.iter().copied()) {
                Ordering::Less => false,
                Ordering::Greater => true,
                Ordering::Equal => digits().skip(LARGEST.len()).any(|digit| digit != b'0'),
            }
        }
    }
}

/// An exponent of any length; beyond `FAR` only its sign matters.
fn exponent_value(exponent: &str) -> i64 {
    let beyond = if exponent.starts_with('-') { -FAR } else { FAR };
    exponent.parse().unwrap_or(beyond).clamp(-FAR, FAR)
}

fn length(length: usize) -> i64 {
    i64::try_from(length).expect("no literal is as long as 2^63 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: Result<i64, ErrorCode> = Err(ErrorCode::WrongType);
    const OUT: Result<bool, ErrorCode> = Err(ErrorCode::OutOfRange);

    #[test]
    fn an_integer_has_neither_fraction_nor_exponent() {
        assert_eq!(integer("-0"), Ok(0));
        assert_eq!(integer("202"), Ok(202));
        for literal in ["1.0", "1e0", "1E2", "-0.0", "\"1\"", "true", "null", "[1]", "{}"] {
            assert_eq!(integer(literal), WRONG, "{literal}");
        }
    }

    #[test]
    fn an_integer_ends_where_int64_ends() {
        assert_eq!(integer("9223372036854775807"), Ok(i64::MAX));
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        for literal in ["9223372036854775808", "-9223372036854775809", "99999999999999999999"] {
            assert_eq!(integer(literal), Err(ErrorCode::OutOfRange), "{literal}");
        }
        assert_eq!(integer(&"9".repeat(200_000)), Err(ErrorCode::OutOfRange));
    }

    #[test]
    fn an_amount_is_compared_as_a_decimal() {
        for literal in
            ["0", "-0", "-0.0", "0e999999999999999999999", "9223372036854775807", "9.223372036854775807e18"]
        {
            assert!(amount_has_fraction(literal).is_ok(), "{literal}");
        }
        assert_eq!(amount_has_fraction("922337203685477580700e-2"), Ok(true));
        assert_eq!(amount_has_fraction("9223372036854775806.99999999999999999999"), Ok(true));
        assert_eq!(amount_has_fraction("9223372036854775807.00000000000000000000"), Ok(true));
        for literal in [
            "9223372036854775808",
            "9223372036854775807.00000000000000000001",
            "92233720368547758080e-1",
            "1e19",
            "1e400",
            "1e999999999999999999999",
            "-1",
            "-0.01",
            "-1e-20",
        ] {
            assert_eq!(amount_has_fraction(literal), OUT, "{literal}");
        }
    }

    #[test]
    fn an_amount_has_at_most_20_digits_after_the_point_when_written_out() {
        let twenty = format!("0.{}1", "0".repeat(19));
        assert_eq!(amount_has_fraction(&twenty), Ok(true));
        assert_eq!(amount_has_fraction(&format!("{twenty}0")), OUT);
        assert_eq!(amount_has_fraction(&format!("{twenty}0e1")), Ok(true));
        assert_eq!(amount_has_fraction("1e-20"), Ok(true));
        assert_eq!(amount_has_fraction("1e-21"), OUT);
        assert_eq!(amount_has_fraction("1.5e-20"), OUT);
        assert_eq!(amount_has_fraction("1e-999999999999999999999"), OUT);
        assert_eq!(amount_has_fraction("0e-21"), OUT);
        assert_eq!(amount_has_fraction(&format!("0.{}1e200000", "0".repeat(199_999))), Ok(false));
    }

    #[test]
    fn a_fraction_is_what_stands_after_the_point_when_written_out() {
        for (literal, fraction) in
            [("453", false), ("453.0", true), ("4.53e2", false), ("4.53E+1", true), ("453e-1", true)]
        {
            assert_eq!(amount_has_fraction(literal), Ok(fraction), "{literal}");
        }
    }
}
