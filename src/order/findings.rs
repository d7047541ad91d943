use super::{
    Diagnosis, ErrorCode, FieldError, Rejection, Warning, WarningCode, WarningCounts, schema::Field,
};

/// An object of the message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    Root,
    Delivery,
    Payment,
    /// The item at this index.
    Item(usize),
}

impl Place {
    /// The JSON Pointer (RFC 6901) of a key of this object.
    pub(super) fn pointer(self, key: &str) -> String {
        let key = key.replace('~', "~0").replace('/', "~1");
        match self {
            Self::Root => format!("/{key}"),
            Self::Delivery => format!("/delivery/{key}"),
            Self::Payment => format!("/payment/{key}"),
            Self::Item(index) => format!("{}/{key}", item_pointer(index)),
        }
    }
}

/// The JSON Pointer of an item.
pub(super) fn item_pointer(index: usize) -> String {
    format!("/items/{index}")
}

/// Whether warnings are listed, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Warnings {
    Listed,
    Counted,
}

/// What is found in a message on the way through it. A pointer is made only for what is kept: a message of 256 KiB can hold
/// 130,000 errors and a million warnings, and they must cost no more than counting them.
pub(super) struct Findings {
    pub(super) errors: Vec<FieldError>,
    pub(super) errors_truncated: bool,
    pub(super) warnings: Vec<Warning>,
    pub(super) warnings_truncated: bool,
    pub(super) counts: WarningCounts,
    keep: Warnings,
}

impl Findings {
    pub(super) fn new(keep: Warnings) -> Self {
        Self {
            errors: Vec::new(),
            errors_truncated: false,
            warnings: Vec::new(),
            warnings_truncated: false,
            counts: WarningCounts::default(),
            keep,
        }
    }

    pub(super) fn error(
        &mut self,
        code: ErrorCode,
        pointer: impl FnOnce() -> String,
        message: impl FnOnce() -> String,
    ) {
        if self.errors.len() < Rejection::MAX_ERRORS {
            self.errors.push(FieldError { pointer: pointer(), code, message: message() });
        } else {
            self.errors_truncated = true;
        }
    }

    pub(super) fn warning(&mut self, code: WarningCode, pointer: impl FnOnce() -> String) {
        self.counts.add(code, 1);
        if self.keep == Warnings::Counted {
            return;
        }
        if self.warnings.len() < Diagnosis::MAX_WARNINGS {
            self.warnings.push(Warning::new(pointer(), code));
        } else {
            self.warnings_truncated = true;
        }
    }
}

/// What is wrong with a field, for a person. `literal` is looked at for its JSON type only.
pub(super) fn explain(code: ErrorCode, field: &Field, literal: &str) -> String {
    let expected = field.expected;
    match code {
        ErrorCode::Missing => format!("is required and absent; expected {expected}"),
        ErrorCode::WrongType => format!("is {}; expected {expected}", type_of(literal)),
        ErrorCode::NulChar => {
            format!("holds the character U+0000, which cannot be stored; expected {expected}")
        }
        ErrorCode::Blank => format!("is empty or only white space; expected {expected}"),
        ErrorCode::ControlChar => format!("holds a control character; expected {expected}"),
        ErrorCode::TooLong => format!("is too long; expected {expected}"),
        ErrorCode::BadDate => {
            format!("is no date of a known form, or none of the calendar; expected {expected}")
        }
        ErrorCode::OutOfRange => format!("is out of range; expected {expected}"),
        ErrorCode::DuplicateKey => {
            "stands more than once in its object, and which one counts would be a guess; expected once"
                .to_owned()
        }
    }
}

/// The JSON type of a literal, for a person.
pub(super) fn type_of(literal: &str) -> &'static str {
    match literal.bytes().next() {
        Some(b'"') => "text",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ if literal.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => {
            "a number with a fraction or an exponent"
        }
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_escapes_the_tilde_and_the_slash() {
        assert_eq!(Place::Root.pointer("a~/b~1"), "/a~0~1b~01");
        assert_eq!(Place::Root.pointer(""), "/");
        assert_eq!(Place::Delivery.pointer("zip"), "/delivery/zip");
        assert_eq!(Place::Item(12).pointer("a b"), "/items/12/a b");
    }
}
