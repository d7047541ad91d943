use serde::{Deserialize, Serialize};

use super::{ErrorCode, Reason};

/// Why a message is no order, with everything that is needed to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The first reason that holds.
    pub reason: Reason,
    /// Every error, in document order, at most one a pointer and at most [`Rejection::MAX_ERRORS`]. Empty unless the
    /// reason is [`Reason::InvalidFields`]. An absent key stands at the end of its object, in the order of the rules.
    pub errors: Vec<FieldError>,
    /// Whether there were more errors than are kept.
    pub errors_truncated: bool,
    /// More about the reason, such as where the syntax error is. It quotes no value of the message.
    pub detail: Option<String>,
    /// The message's `order_uid`, when it has exactly one that keeps the rules.
    pub order_uid: Option<String>,
}

/// One thing that is wrong with a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Where, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// What.
    pub code: ErrorCode,
    /// The same for a person: what is wrong and what is expected. It never quotes a value.
    pub message: String,
}

impl Rejection {
    /// How many errors of one message are kept: a message of 256 KiB can hold 130,000.
    pub const MAX_ERRORS: usize = 1000;

    /// A rejection that names no field.
    pub fn whole(reason: Reason, detail: impl Into<Option<String>>) -> Self {
        Self { reason, errors: Vec::new(), errors_truncated: false, detail: detail.into(), order_uid: None }
    }
}
