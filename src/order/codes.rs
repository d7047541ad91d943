//! The closed lists of codes: a reason of a rejection, an error of a field, a warning.
//! Their texts are stored, counted and shown; they never change their meaning.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A text that is in none of the closed lists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a known {list}")]
pub struct UnknownCode {
    text: String,
    list: &'static str,
}

/// A closed list of codes and the one text of each, for serde, SQL, labels and people alike.
macro_rules! codes {
    ($(#[$about:meta])* $list:ident { $($(#[$doc:meta])* $code:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $list {
            $($(#[$doc])* #[serde(rename = $text)] $code,)+
        }

        impl $list {
            /// Every code, in the order of the rules.
            pub const ALL: &'static [Self] = &[$(Self::$code),+];

            /// The text that is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$code => $text,)+ }
            }
        }

        impl fmt::Display for $list {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $list {
            type Err = UnknownCode;

            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                match text {
                    $($text => Ok(Self::$code),)+
                    _ => Err(UnknownCode { text: text.to_owned(), list: stringify!($list) }),
                }
            }
        }
    };
}

codes! {
    /// Why a message is no order. Of those that the text decides, the first that holds is the reason.
    Reason {
        /// No bytes.
        Empty = "empty",
        /// More bytes than the limit.
        TooLarge = "too_large",
        /// The bytes are not UTF-8.
        NotUtf8 = "not_utf8",
        /// Not JSON, or JSON with a lone surrogate or nested deeper than 127.
        NotJson = "not_json",
        /// JSON whose root is no object.
        NotObject = "not_object",
        /// An object in which one field or more breaks a rule.
        InvalidFields = "invalid_fields",
        /// A sound order whose data the store refused, alone and twice.
        RefusedByStore = "refused_by_store",
        /// A bug: looking at the message panicked.
        Panicked = "panicked",
    }
}

codes! {
    /// What is wrong with a field. A text is held against the rules in this order: the first it breaks is the code.
    ErrorCode {
        /// A required key is absent.
        Missing = "missing",
        /// Another JSON type than the field allows, null in a required field included.
        WrongType = "wrong_type",
        /// Holds U+0000.
        NulChar = "nul_char",
        /// Empty, or only Unicode white space.
        Blank = "blank",
        /// Holds one of U+0000 to U+001F or U+007F.
        ControlChar = "control_char",
        /// More than 255 characters.
        TooLong = "too_long",
        /// No date of a known form, or none of the calendar.
        BadDate = "bad_date",
        /// Negative where 0 is the least, beyond 64 bits, or too many digits after the point.
        OutOfRange = "out_of_range",
        /// A known key stands more than once in its object.
        DuplicateKey = "duplicate_key",
    }
}

codes! {
    /// What is odd about an accepted field.
    WarningCode {
        /// An optional key is absent.
        Missing = "missing",
        /// An optional field is null.
        Null = "null",
        /// A number where a text is usual; its literal is kept.
        NumberAsText = "number_as_text",
        /// An amount with digits after the point when written out.
        Fraction = "fraction",
        /// A key that no rule knows; it is kept in the document.
        UnknownKey = "unknown_key",
        /// An order without items.
        EmptyItems = "empty_items",
        /// A time without a zone, taken as UTC.
        NoZone = "no_zone",
        /// A date without a time, taken as midnight.
        DateOnly = "date_only",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_from_its_text_and_from_json() {
        for &reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(serde_json::to_string(&reason).expect("a code"), format!("\"{reason}\""));
        }
        for &code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
        for &code in WarningCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
        }
    }

    #[test]
    fn an_unknown_text_is_named() {
        let error = "lost".parse::<Reason>().expect_err("no such reason");
        assert_eq!(error.to_string(), "`lost` is not a known Reason");
    }
}
