use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

/// RFC 3339 in UTC with microseconds: text of one length, which sorts by time.
const FORMAT: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// A time as SQLite's tables hold it.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    time.to_utc().format(FORMAT).expect("a date and time has every component of the format")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_is_utc_with_microseconds() {
        assert_eq!(rfc3339(datetime!(2021-11-26 06:22:19 UTC)), "2021-11-26T06:22:19.000000Z");
        assert_eq!(rfc3339(datetime!(2021-11-26 06:22:19.123456 +3)), "2021-11-26T03:22:19.123456Z");
    }
}
