use serde::Serialize;

use super::WarningCode;

/// Something odd in a message that is no reason to turn it away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Where, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What.
    pub code: WarningCode,
    /// The same for a person; it never quotes a value.
    pub message: &'static str,
}

impl Warning {
    pub(super) fn new(pointer: String, code: WarningCode) -> Self {
        Self { pointer, code, message: explain(code) }
    }
}

fn explain(code: WarningCode) -> &'static str {
    match code {
        WarningCode::Missing => "is absent",
        WarningCode::Null => "is null, which counts as absent",
        WarningCode::NumberAsText => "is a number where text is usual; it is kept as it is written",
        WarningCode::Fraction => "is an amount with a fraction",
        WarningCode::UnknownKey => "is no known key; it is kept in the document",
        WarningCode::EmptyItems => "the order has no items",
        WarningCode::NoZone => "has no time zone and is taken as UTC",
        WarningCode::DateOnly => "has no time and is taken as midnight",
    }
}

/// How many warnings of each code one message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WarningCounts([u32; WarningCode::ALL.len()]);

impl WarningCounts {
    /// How many have this code.
    pub fn get(&self, code: WarningCode) -> u32 {
        self.0[code as usize]
    }

    /// The codes that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (WarningCode, u32)> + '_ {
        WarningCode::ALL.iter().map(|&code| (code, self.get(code))).filter(|&(_, count)| count > 0)
    }

    /// Whether there was no warning.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&count| count == 0)
    }

    pub(super) fn add(&mut self, code: WarningCode, count: u32) {
        self.0[code as usize] += count;
    }
}
