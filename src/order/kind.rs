//! The kinds of fields. Each reads the literal of a JSON value, known to keep the grammar, into its slot of the model.

use std::borrow::Cow;

use time::OffsetDateTime;

use super::{ErrorCode, WarningCode, date, number};

/// What came of reading a literal: a warning at most, or the first rule that it breaks.
pub(super) type Outcome = Result<Option<WarningCode>, ErrorCode>;

/// The most characters of an `order_uid` or `track_number`.
const MAX_CHARS: usize = 255;

/// What every kind of field says about itself.
pub(super) trait Kind {
    const REQUIRED: bool;
    /// For a person, as in "expected …".
    const EXPECTED: &'static str;
}

/// A kind whose value is no container.
pub(super) trait Leaf<'a>: Kind {
    type Slot;

    fn read(literal: &'a str, slot: &mut Self::Slot) -> Outcome;
}

/// Text, not blank, short, no control characters; required.
pub(super) struct Uid;
/// Text, not blank, short; required.
pub(super) struct Track;
/// Any text.
pub(super) struct Text;
/// Any text, or a number that is kept as the literal written.
pub(super) struct TextOrNumber;
/// An integer in int64.
pub(super) struct Integer;
/// An integer in int64, 0 or more.
pub(super) struct Natural;
/// A decimal from 0 to int64's largest.
pub(super) struct Amount;
/// A date of one of the known forms.
pub(super) struct Moment;
/// An object; required.
pub(super) struct Nested;
/// An array of objects; required.
pub(super) struct List;

macro_rules! kinds {
    ($($kind:ident $required:literal $expected:literal;)+) => {
        $(impl Kind for $kind {
            const REQUIRED: bool = $required;
            const EXPECTED: &'static str = $expected;
        })+
    };
}

kinds! {
    Uid true "text of 1 to 255 characters, not blank, without control characters";
    Track true "text of 1 to 255 characters, not blank";
    Text false "text or null";
    TextOrNumber false "text, a number or null";
    Integer false "an integer in 64 bits, without fraction or exponent, or null";
    Natural false "an integer from 0 to 9223372036854775807, without fraction or exponent, or null";
    Amount false "a number from 0 to 9223372036854775807 with at most 20 digits after the point, or null";
    Moment false "a date such as 2021-11-26T06:22:19Z, or null";
    Nested true "an object";
    List true "an array of objects";
}

impl<'a> Leaf<'a> for Uid {
    type Slot = Cow<'a, str>;

    fn read(literal: &'a str, slot: &mut Self::Slot) -> Outcome {
        let uid = not_blank(literal)?;
        if uid.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(ErrorCode::ControlChar);
        }
        *slot = short(uid)?;
        Ok(None)
    }
}

impl<'a> Leaf<'a> for Track {
    type Slot = Cow<'a, str>;

    fn read(literal: &'a str, slot: &mut Self::Slot) -> Outcome {
        *slot = short(not_blank(literal)?)?;
        Ok(None)
    }
}

impl<'a> Leaf<'a> for Text {
    type Slot = Option<Cow<'a, str>>;

    fn read(literal: &'a str, slot: &mut Self::Slot) -> Outcome {
        unless_null(literal, || {
            *slot = Some(text(literal)?);
            Ok(None)
        })
    }
}

impl<'a> Leaf<'a> for TextOrNumber {
    type Slot = Option<Cow<'a, str>>;

    fn read(literal: &'a str, slot: &mut Self::Slot) -> Outcome {
        if number::is_number(literal) {
            *slot = Some(Cow::Borrowed(literal));
            return Ok(Some(WarningCode::NumberAsText));
        }
        Text::read(literal, slot)
    }
}

impl Leaf<'_> for Integer {
    type Slot = Option<i64>;

    fn read(literal: &str, slot: &mut Self::Slot) -> Outcome {
        unless_null(literal, || {
            *slot = Some(number::integer(literal)?);
            Ok(None)
        })
    }
}

impl Leaf<'_> for Natural {
    type Slot = Option<i64>;

    fn read(literal: &str, slot: &mut Self::Slot) -> Outcome {
        unless_null(literal, || {
            let value = number::integer(literal)?;
            if value < 0 {
                return Err(ErrorCode::OutOfRange);
            }
            *slot = Some(value);
            Ok(None)
        })
    }
}

impl<'a> Leaf<'a> for Amount {
    type Slot = Option<Cow<'a, str>>;

    fn read(literal: &'a str, slot: &mut Self::Slot) -> Outcome {
        unless_null(literal, || {
            let fraction = number::amount_has_fraction(literal)?;
            *slot = Some(Cow::Borrowed(literal));
            Ok(fraction.then_some(WarningCode::Fraction))
        })
    }
}

impl Leaf<'_> for Moment {
    type Slot = Option<OffsetDateTime>;

    fn read(literal: &str, slot: &mut Self::Slot) -> Outcome {
        unless_null(literal, || {
            let moment = date::parse(&text(literal)?).ok_or(ErrorCode::BadDate)?;
            *slot = Some(moment.instant);
            Ok(moment.warning)
        })
    }
}

fn unless_null(literal: &str, read: impl FnOnce() -> Outcome) -> Outcome {
    if literal == "null" { Ok(Some(WarningCode::Null)) } else { read() }
}

/// The text that a string literal stands for. It borrows unless the literal holds an escape.
fn text(literal: &str) -> Result<Cow<'_, str>, ErrorCode> {
    let inner =
        literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).ok_or(ErrorCode::WrongType)?;
    if !inner.as_bytes().contains(&b'\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let text: String = serde_json::from_str(literal)
        .expect("a literal of the JSON grammar decodes: the scan came first and found no lone surrogate");
    // Only an escape can bring U+0000: JSON has no bare control characters.
    if text.contains('\0') { Err(ErrorCode::NulChar) } else { Ok(Cow::Owned(text)) }
}

fn not_blank(literal: &str) -> Result<Cow<'_, str>, ErrorCode> {
    let text = text(literal)?;
    if text.trim().is_empty() { Err(ErrorCode::Blank) } else { Ok(text) }
}

fn short(text: Cow<'_, str>) -> Result<Cow<'_, str>, ErrorCode> {
    // A character has a byte at least, so few bytes need no counting.
    if text.len() > MAX_CHARS && text.chars().count() > MAX_CHARS {
        Err(ErrorCode::TooLong)
    } else {
        Ok(text)
    }
}
