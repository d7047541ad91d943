//! What must hold for every text that may be a date.

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

use crate::order::date;

/// All that must hold for a text. It panics where it doesn't.
pub(crate) fn holds(text: &str) {
    let ours = date::parse(text);
    assert_eq!(date::parse(text), ours);
    if let Some(moment) = ours {
        assert_eq!(moment.instant.offset(), UtcOffset::UTC);
        assert_eq!(moment.instant.nanosecond() % 1000, 0, "cut to the microsecond");
        let written = moment.instant.format(&Rfc3339).expect("the years are 1 to 9999");
        let again = date::parse(&written).expect("RFC 3339 is one of the forms");
        assert_eq!((again.instant, again.warning), (moment.instant, None), "{written}");
    }
    // A second opinion. `time` takes what we don't: any character between date and time, and leap seconds.
    let separated = matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
    if separated
        && text.as_bytes().get(17..19) != Some(b"60")
        && let Ok(theirs) = OffsetDateTime::parse(text, &Rfc3339)
        && let Ok(theirs) = theirs.replace_nanosecond(theirs.microsecond() * 1000)
        && let Some(theirs) = theirs.checked_to_offset(UtcOffset::UTC)
        && (1..=9999).contains(&theirs.year())
    {
        assert_eq!(ours.map(|moment| moment.instant), Some(theirs));
    }
}
