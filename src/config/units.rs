use std::{fmt, str::FromStr, time::Duration};

/// A number of bytes. Reads `512MiB`, `64MB`, `1 KiB`, `1048576`; prints itself in the largest binary unit that divides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

const UNITS: [(&str, u64); 9] = [
    ("tib", 1 << 40),
    ("gib", 1 << 30),
    ("mib", 1 << 20),
    ("kib", 1 << 10),
    ("tb", 1_000_000_000_000),
    ("gb", 1_000_000_000),
    ("mb", 1_000_000),
    ("kb", 1_000),
    ("b", 1),
];

impl ByteSize {
    /// That many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// In bytes, for what is held in memory; what can't be addressed is cut to what can.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let (number, factor) = UNITS
            .iter()
            .find_map(|(unit, factor)| Some((lower.strip_suffix(unit)?.trim_end(), *factor)))
            .unwrap_or((lower.as_str(), 1));
        let whole = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !whole {
            return Err("a size is a whole number of bytes, or one with a unit such as 512MiB or 64MB".into());
        }
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(factor))
            .map(Self)
            .ok_or_else(|| "that is more than 2^64 bytes; take a smaller size".into())
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
        match binary.iter().find(|(_, shift)| self.0 != 0 && self.0.trailing_zeros() >= *shift) {
            Some((unit, shift)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}", self.0),
        }
    }
}

/// Reads `500ms`, `30s`, `2m`, `1h`. A unit is needed: nobody should have to guess what `30` means.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit.trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a duration is a whole number and a unit: 500ms, 30s, 2m or 1h".into()),
    };
    if number.is_empty() {
        return Err("a duration is a whole number and a unit: 500ms, 30s, 2m or 1h".into());
    }
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(milliseconds))
        .filter(|milliseconds| *milliseconds <= LONGEST_MS)
        .map(Duration::from_millis)
        .ok_or_else(|| "that is longer than a year; take a shorter time".into())
}

/// Reads a count.
pub(crate) fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.trim()
        .parse()
        .map_err(|_| "a whole number in digits is needed, such as 1000, and none beyond counting".into())
}

/// Reads `true` or `false`, or another word for them.
pub(crate) fn switch(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" | "t" | "1" => Ok(true),
        "false" | "no" | "off" | "n" | "f" | "0" => Ok(false),
        _ => Err("true or false is needed".into()),
    }
}

/// A year: what is longer is a slip, and far from what a clock can add.
const LONGEST_MS: u64 = 366 * 24 * 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_binary_and_decimal_units_in_any_case() {
        for (text, bytes) in [
            ("512MiB", 512 << 20),
            ("64MB", 64_000_000),
            ("64mb", 64_000_000),
            ("1 KiB", 1024),
            ("1048576", 1 << 20),
            ("17B", 17),
            ("0", 0),
            ("3TiB", 3 << 40),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "MiB", "1.5GiB", "-1", "64M", "0x10", "1_000", "16777216TiB", "99999999999999999999"]
        {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_count_is_digits_and_a_switch_one_of_two() {
        assert_eq!(number::<u32>(" 17 "), Ok(17));
        for text in ["", "x", "-1", "1.5", "1e3", "0x10", "99999999999999999999", "1 000"] {
            assert!(number::<usize>(text).is_err_and(|told| told.contains("such as 1000")), "{text}");
        }
        for (text, on) in [("true", true), ("NO", false), ("1", true), ("off", false)] {
            assert_eq!(switch(text), Ok(on), "{text}");
        }
        assert_eq!(switch("maybe"), Err("true or false is needed".to_owned()));
    }

    #[test]
    fn a_size_prints_as_something_that_reads_as_the_same_size() {
        for (bytes, text) in [(512 << 20, "512MiB"), (256 << 10, "256KiB"), (1000, "1000"), (0, "0")] {
            assert_eq!(ByteSize(bytes).to_string(), text);
            assert_eq!(text.parse(), Ok(ByteSize(bytes)));
        }
    }

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, milliseconds) in
            [("500ms", 500), ("30s", 30_000), ("2m", 120_000), ("1 h", 3_600_000), ("0s", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "30", "s", "1.5s", "-1s", "30 sec", "1s500ms", "10000h", "99999999999999999999s", "３s"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
