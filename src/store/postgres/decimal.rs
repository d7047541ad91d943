use std::borrow::Cow;

/// No decimal that validation accepts is longer when it is written out: 19 digits, a point, 20 digits.
const LONGEST: usize = 40;

/// The literal of a decimal without an exponent, as PostgreSQL reads any value that validation accepts. It refuses some
/// literals of such values: `0e999999999999999999999` has an exponent out of its range, `0.00…015e200000` too many digits. A
/// literal without an exponent is short when it is accepted, and one that is out of bounds is left for the database to
/// refuse.
pub(super) fn written_out(literal: &str) -> Cow<'_, str> {
    let Some((mantissa, exponent)) = literal.split_once(['e', 'E']) else { return Cow::Borrowed(literal) };
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significant = || whole.chars().chain(part.chars()).skip_while(|digit| matches!(digit, '-' | '0'));
    let Some(length) = std::num::NonZero::new(significant().count()) else { return Cow::Borrowed("0") };
    plain(significant(), length.get(), part.len(), exponent)
        .filter(|_| !literal.starts_with('-'))
        .map_or(Cow::Borrowed(literal), Cow::Owned)
}

/// What PostgreSQL prints of a decimal that it was given as [`written_out`]: that, but for the sign of a zero.
pub(in crate::store) fn printed_decimal(literal: &str) -> String {
    let plain = written_out(literal);
    plain
        .strip_prefix('-')
        .filter(|rest| rest.bytes().all(|byte| matches!(byte, b'0' | b'.')))
        .unwrap_or(&plain)
        .to_owned()
}

/// `length` digits, the first of them not 0, of which `decimals` stand behind the point until the exponent moves it;
/// `None` when the result would be too long.
fn plain(
    digits: impl Iterator<Item = char>,
    length: usize,
    decimals: usize,
    exponent: &str,
) -> Option<String> {
    let decimals = i64::try_from(decimals).ok()?.checked_sub(exponent.parse().ok()?)?;
    let zeros_after = usize::try_from(decimals.checked_neg()?.max(0)).ok()?;
    let decimals = usize::try_from(decimals.max(0)).ok()?;
    // One digit at least stands before the point.
    let zeros_before = (decimals + 1).saturating_sub(length);
    if length.checked_add(zeros_after)?.checked_add(zeros_before)? >= LONGEST {
        return None;
    }
    let zeros = |count| std::iter::repeat_n('0', count);
    let mut text: String = zeros(zeros_before).chain(digits).chain(zeros(zeros_after)).collect();
    if decimals > 0 {
        text.insert(text.len() - decimals, '.');
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_moves_the_point() {
        for (literal, plain) in [
            ("1e2", "100"),
            ("2.50e+3", "2500"),
            ("2.50e1", "25.0"),
            ("1.5E-7", "0.00000015"),
            ("453e-1", "45.3"),
            ("453e-3", "0.453"),
            ("1e-20", "0.00000000000000000001"),
            ("9.223372036854775807e18", "9223372036854775807"),
            ("922337203685477580600000000000000000001e-20", "9223372036854775806.00000000000000000001"),
            ("1e0000000000000000000000000000000000001", "10"),
            ("0.0e0", "0"),
            ("-0.0e5", "0"),
            ("-0E-0", "0"),
            ("0e999999999999999999999", "0"),
            ("0e-9", "0"),
        ] {
            assert_eq!(written_out(literal), plain, "{literal}");
        }
        let zeros = "0".repeat(100_000);
        assert_eq!(written_out(&format!("0.{zeros}15e100001")), "1.5");
        assert_eq!(written_out(&format!("0.{zeros}e100001")), "0");
    }

    #[test]
    fn what_needs_no_change_and_what_no_validation_accepts_is_left_as_it_is() {
        for literal in
            ["0", "-0", "-0.0", "453", "0.10", "1e200000", "-1e1", "1e-200000", "1e99999999999999999999"]
        {
            assert_eq!(written_out(literal), literal);
        }
    }
}
