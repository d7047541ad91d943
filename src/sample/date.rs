use std::fmt::Write as _;

use time::OffsetDateTime;

use super::rng::Rng;

/// Writes the instant (Unix seconds, UTC) in one of the forms that publishers use. Most write RFC 3339 in UTC.
pub(super) fn write(rng: &mut Rng, unix_seconds: i64) -> String {
    let (form, fraction) = (rng.below(32), rng.below(1_000_000));
    let hours_east = match form {
        0..=22 => 0,
        31 => 3,
        _ => rng.pick(&[2, 3, 4, 5]),
    };
    let at = OffsetDateTime::from_unix_timestamp(unix_seconds + hours_east * 3600)
        .expect("the generator's instants lie in this century");
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.to_hms();
    let mut text = format!("{year:04}-{month:02}-{day:02}");
    let written = match form {
        0..=14 => write!(text, "T{hour:02}:{minute:02}:{second:02}Z"),
        15..=17 => write!(text, "T{hour:02}:{minute:02}:{second:02}.{:03}Z", fraction / 1000),
        18 => write!(text, "T{hour:02}:{minute:02}:{second:02}.{fraction:06}000Z"),
        19 => write!(text, "T{hour:02}:{minute:02}Z"),
        20 => write!(text, "t{hour:02}:{minute:02}:{second:02}z"),
        21 => write!(text, " {hour:02}:{minute:02}:{second:02}"),
        22 => Ok(()),
        23..=26 => write!(text, "T{hour:02}:{minute:02}:{second:02}+{hours_east:02}:00"),
        27 | 28 => write!(text, " {hour:02}:{minute:02}:{second:02} +{hours_east:02}00"),
        29 => write!(text, "T{hour:02}:{minute:02}:{second:02}.{fraction:06}+{hours_east:02}00"),
        // Go's time.String(), whose zone is an abbreviation or the offset again
        30 => write!(
            text,
            " {hour:02}:{minute:02}:{second:02}.{fraction:06} +{hours_east:02}00 +{hours_east:02}"
        ),
        _ => {
            write!(text, " {hour:02}:{minute:02}:{second:02}.{fraction:06}3 +0300 MSK m=+1.{fraction:06}201")
        }
    };
    written.expect("a String takes every character");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_occurs_and_names_the_same_instant() {
        let mut rng = Rng::new(1, 0);
        let dates: Vec<String> = (0..2000).map(|_| write(&mut rng, 1_637_907_739)).collect();
        for form in [
            "2021-11-26T06:22:19Z",
            "2021-11-26t06:22:19z",
            "2021-11-26T06:22Z",
            "2021-11-26 06:22:19",
            "2021-11-26",
            "2021-11-26T09:22:19+03:00",
            "2021-11-26 11:22:19 +0500",
        ] {
            assert!(dates.iter().any(|date| date == form), "no {form}");
        }
        assert!(dates.iter().any(|date| date.contains(" MSK m=+1.")));
    }
}
