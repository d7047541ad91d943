//! Times as the routes tell them: RFC 3339, UTC, with a Z.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A moment of the store's or this process's clock.
pub(super) fn text(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(&Rfc3339).unwrap_or_else(|_| at.to_string())
}

/// A time of publication, to the nanosecond; 64 bits of them end in 2262.
pub(super) fn of_publication(ns: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(ns.into());
    text(at.expect("nanoseconds in 64 bits are within the years 1677 to 2262"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_nanoseconds_is_a_time_in_utc() {
        assert_eq!(of_publication(0), "1970-01-01T00:00:00Z");
        assert_eq!(of_publication(1_637_907_739_000_000_001), "2021-11-26T06:22:19.000000001Z");
        assert_eq!(of_publication(i64::MAX), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(of_publication(i64::MIN), "1677-09-21T00:12:43.145224192Z");
    }
}
