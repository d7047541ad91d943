//! The forms in which honest publishers write `date_created`.
//!
//! ```text
//! date   = YYYY-MM-DD
//! time   = ("T" | "t" | " ") hh:mm [":" ss ["." digits]]
//! zone   = "Z" | "z" | [" "] ("+" | "-") hh [":"] mm
//! moment = date [time] [zone]
//! go     = date " " hh:mm:ss ["." digits] " " ("+" | "-") hhmm " " name [" m=" ("+" | "-") digits "." digits]
//! name   = 1 to 6 of "A" to "Z", "0" to "9", "+", "-"
//! ```
//!
//! `go` is what Go's `time.Time.String()` prints (<https://pkg.go.dev/time#Time.String>); its zone name says nothing that the
//! offset does not.

use time::{Date, Duration, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::{WarningCode, rest::Rest};

/// A date that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// UTC, cut to the microsecond, in the years 0001 to 9999.
    pub(super) instant: OffsetDateTime,
    /// What had to be assumed.
    pub(super) warning: Option<WarningCode>,
}

/// Reads a date of any known form; `None` when it has none of them, or is none of the calendar.
pub(super) fn parse(text: &str) -> Option<Moment> {
    let mut rest = Rest::of(text);
    let date = date(&mut rest)?;
    let clock = clock(&mut rest)?;
    let zone = zone(&mut rest)?;
    if !rest.is_empty() {
        let go =
            clock.is_some_and(|clock| clock.like_go) && matches!(zone, Zone::Offset { like_go: true, .. });
        if !go || !go_tail(&mut rest) {
            return None;
        }
    }
    let warning = match (clock, zone) {
        (None, _) => Some(WarningCode::DateOnly),
        (Some(_), Zone::Absent) => Some(WarningCode::NoZone),
        (Some(_), Zone::Utc | Zone::Offset { .. }) => None,
    };
    let local = PrimitiveDateTime::new(date, clock.map_or(Time::MIDNIGHT, |clock| clock.time));
    let offset = if let Zone::Offset { seconds, .. } = zone { seconds } else { 0 };
    let instant = local.checked_sub(Duration::seconds(offset))?.assume_utc();
    (1..=9999).contains(&instant.year()).then_some(Moment { instant, warning })
}

/// A time of day.
#[derive(Clone, Copy)]
struct Clock {
    time: Time,
    /// After a space and with seconds, as Go prints it.
    like_go: bool,
}

#[derive(Clone, Copy)]
enum Zone {
    Absent,
    Utc,
    Offset {
        seconds: i64,
        /// After a space and without a colon, as Go prints it.
        like_go: bool,
    },
}

fn date(rest: &mut Rest<'_>) -> Option<Date> {
    let year = rest.number(4)?;
    rest.expect(b'-')?;
    let month = rest.number(2)?;
    rest.expect(b'-')?;
    let day = rest.number(2)?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()
}

/// The time of day, `Some(None)` when there is none.
fn clock(rest: &mut Rest<'_>) -> Option<Option<Clock>> {
    let after_space = match rest.bytes() {
        [b'T' | b't', ..] => false,
        [b' ', digit, ..] if digit.is_ascii_digit() => true,
        _ => return Some(None),
    };
    rest.skip(1);
    let hours = rest.number_up_to(23)?;
    rest.expect(b':')?;
    let minutes = rest.number_up_to(59)?;
    let with_seconds = rest.take(b':');
    let seconds = if with_seconds { rest.number_up_to(59)? } else { 0 };
    let micros = if with_seconds && rest.take(b'.') { rest.fraction()? } else { 0 };
    let time = Time::from_hms_micro(hours, minutes, seconds, micros).ok()?;
    Some(Some(Clock { time, like_go: after_space && with_seconds }))
}

fn zone(rest: &mut Rest<'_>) -> Option<Zone> {
    let after_space = match rest.bytes() {
        [] => return Some(Zone::Absent),
        [b'Z' | b'z', ..] => {
            rest.skip(1);
            return Some(Zone::Utc);
        }
        _ => rest.take(b' '),
    };
    let west = rest.sign()?;
    let hours = rest.number_up_to(23)?;
    let colon = rest.take(b':');
    let minutes = rest.number_up_to(59)?;
    let seconds = i64::from(hours) * 3600 + i64::from(minutes) * 60;
    Some(Zone::Offset { seconds: if west { -seconds } else { seconds }, like_go: after_space && !colon })
}

/// The zone name and the monotonic reading that end Go's form.
fn go_tail(rest: &mut Rest<'_>) -> bool {
    if !rest.take(b' ') {
        return false;
    }
    let name =
        rest.count(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'+' | b'-'));
    rest.skip(name);
    (1..=6).contains(&name) && (rest.is_empty() || monotonic(rest).is_some())
}

fn monotonic(rest: &mut Rest<'_>) -> Option<()> {
    for &byte in b" m=" {
        rest.expect(byte)?;
    }
    rest.sign()?;
    rest.digits()?;
    rest.expect(b'.')?;
    rest.digits()?;
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn read(text: &str) -> (OffsetDateTime, Option<WarningCode>) {
        let moment = parse(text).unwrap_or_else(|| panic!("{text} is a date"));
        (moment.instant, moment.warning)
    }

    fn refused(texts: &[&str]) {
        for text in texts {
            assert_eq!(parse(text), None, "{text:?} is no date");
        }
    }

    #[test]
    fn a_time_with_a_zone_is_read_as_it_stands() {
        let expected = (datetime!(2021-11-26 06:22:19 UTC), None);
        for text in [
            "2021-11-26T06:22:19Z",
            "2021-11-26t06:22:19z",
            "2021-11-26 06:22:19Z",
            "2021-11-26T06:22:19+00:00",
            "2021-11-26T06:22:19-0000",
            "2021-11-26T06:22:19 +00:00",
            "2021-11-26T09:22:19+03:00",
            "2021-11-26 09:22:19 +0300",
            "2021-11-26T00:52:19-05:30",
            "2021-11-27T06:21:19+23:59",
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(read("2021-11-26T06:22Z"), (datetime!(2021-11-26 06:22 UTC), None));
        refused(&[
            "2021-11-26T06:22:19 Z",
            "2021-11-26T06:22:19  +00:00",
            "2021-11-26T06:22:19+00",
            "2021-11-26T06:22:19+0:00",
            "2021-11-26T06:22:19+00:",
            "2021-11-26T06:22:19+00: 00",
            "2021-11-26T06:22:19\u{2212}03:00",
            "2021-11-26T06:22:19+03:00Z",
            "2021-11-26T06:22:19UTC",
            "2021-11-26T06:22:19+24:00",
            "2021-11-26T06:22:19+23:60",
        ]);
    }

    #[test]
    fn no_zone_means_utc() {
        let warning = Some(WarningCode::NoZone);
        assert_eq!(read("2021-11-26 06:22"), (datetime!(2021-11-26 06:22 UTC), warning));
        assert_eq!(read("2021-11-26T06:22:19.5"), (datetime!(2021-11-26 06:22:19.5 UTC), warning));
    }

    #[test]
    fn a_date_without_a_time_is_midnight() {
        let warning = Some(WarningCode::DateOnly);
        assert_eq!(read("2021-11-26"), (datetime!(2021-11-26 00:00 UTC), warning));
        assert_eq!(read("2021-11-26Z"), (datetime!(2021-11-26 00:00 UTC), warning));
        assert_eq!(read("2021-11-26+03:00"), (datetime!(2021-11-25 21:00 UTC), warning));
        assert_eq!(read("2021-11-26 -0300"), (datetime!(2021-11-26 03:00 UTC), warning));
    }

    #[test]
    fn a_point_needs_a_digit_and_the_instant_is_cut_to_the_microsecond() {
        assert_eq!(read("2021-11-26T06:22:19.1234569Z").0, datetime!(2021-11-26 06:22:19.123456 UTC));
        assert_eq!(read("0001-01-01T00:00:00.9999999Z").0, datetime!(0001-01-01 00:00:00.999999 UTC));
        assert_eq!(read(&format!("2021-11-26T06:22:19.{}Z", "5".repeat(200_000))).0.microsecond(), 555_555);
        refused(&[
            "2021-11-26T06:22:19.Z",
            "2021-11-26T06:22:19.",
            "2021-11-26T06:22.5Z",
            "2021-11-26T06:22:19,5Z",
        ]);
    }

    #[test]
    fn go_prints_a_date_in_a_form_of_its_own() {
        let expected = (datetime!(2023-03-30 18:31:00.577385 UTC), None);
        assert_eq!(read("2023-03-30 21:31:00.5773854 +0300 MSK m=+1.111687201"), expected);
        assert_eq!(read("2023-03-30 21:31:00.5773854 +0300 MSK"), expected);
        assert_eq!(read("2023-03-30 21:31:00.5773854 +0300 +03 m=-0.1"), expected);
        assert_eq!(read("2023-03-30 21:31:00 +0000 UTC").0, datetime!(2023-03-30 21:31 UTC));
        assert_eq!(read("2023-03-30 21:31:00 +0000 ABC+-9").0, datetime!(2023-03-30 21:31 UTC));
        refused(&[
            "2023-03-30T21:31:00 +0300 MSK",
            "2023-03-30 21:31 +0300 MSK",
            "2023-03-30 21:31:00+0300 MSK",
            "2023-03-30 21:31:00 +03:00 MSK",
            "2023-03-30 21:31:00 MSK",
            "2023-03-30 21:31:00 +0300 msk",
            "2023-03-30 21:31:00 +0300 LONGEST",
            "2023-03-30 21:31:00 +0300 ",
            "2023-03-30 21:31:00 +0300  MSK",
            "2023-03-30 21:31:00 +0300 MSK m=1.1",
            "2023-03-30 21:31:00 +0300 MSK m=+1",
            "2023-03-30 21:31:00 +0300 MSK m=+1.",
            "2023-03-30 21:31:00 +0300 MSK m=+.1",
            "2023-03-30 21:31:00 +0300 MSK m=+1.1 ",
            "2023-03-30 21:31:00 +0300 m=+1.1",
            "2023-03-30 +0300 MSK",
        ]);
    }

    #[test]
    fn the_calendar_and_the_clock_are_checked() {
        assert_eq!(read("2024-02-29").0, datetime!(2024-02-29 00:00 UTC));
        assert_eq!(read("2024-12-31T23:59:59Z").0, datetime!(2024-12-31 23:59:59 UTC));
        refused(&[
            "2023-02-29",
            "1900-02-29",
            "2023-00-10",
            "2023-13-10",
            "2023-10-00",
            "2023-04-31",
            "2023-10-10T24:00:00Z",
            "2023-10-10T23:60:00Z",
            "2023-10-10T23:59:60Z",
        ]);
    }

    #[test]
    fn the_instant_in_utc_lies_in_the_years_1_to_9999() {
        assert_eq!(read("0000-12-31T23:30:00-01:00").0, datetime!(0001-01-01 00:30 UTC));
        assert_eq!(read("9999-12-31T23:59:59.999999Z").0, datetime!(9999-12-31 23:59:59.999999 UTC));
        refused(&[
            "0000-12-31",
            "0001-01-01T00:30:00+01:00",
            "9999-12-31T23:30:00-01:00",
            "10000-01-01",
            "-001-01-01",
        ]);
    }

    #[test]
    fn anything_else_is_refused() {
        refused(&[
            "",
            " ",
            "2021",
            "2021-11",
            "2021-11-2",
            "2021-1-26",
            "21-11-26",
            " 2021-11-26",
            "2021-11-26 ",
            "2021-11-26\n",
            "2021-11-26T",
            "2021-11-26T6:22:19Z",
            "2021-11-26T06",
            "2021-11-26T06:",
            "2021-11-26T06:2",
            "2021-11-26T06:22:",
            "2021-11-26T06:22:1Z",
            "2021-11-26  06:22:19Z",
            "2021-11-26_06:22:19Z",
            "2021-11-26T 06:22:19Z",
            "2021/11/26",
            "26.11.2021",
            "20211126",
            "2021-W47-5",
            "1637907739",
            "Fri, 26 Nov 2021 06:22:19 GMT",
            "٢٠٢١-١١-٢٦",
            "２０２１-11-26",
            "2021-11-26T06:22:19Zé",
        ]);
    }
}
