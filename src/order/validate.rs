use std::panic::UnwindSafe;

use crate::panics;

use super::{Order, Reason, Rejection, WarningCounts, diagnose::examine, findings::Warnings, prove::prove};

/// What a message is: an order, or not one.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every message is accepted, and a box would cost it an allocation"
)]
pub enum Verdict<'a> {
    /// An order.
    Accept(Accepted<'a>),
    /// No order, and why.
    Reject(Rejection),
}

/// A sound order.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted<'a> {
    /// The order.
    pub order: Order<'a>,
    /// What is odd about it.
    pub warnings: WarningCounts,
}

/// The verdict of a message, a pure function of its bytes; `max_bytes` is the most that it may have.
///
/// It neither panics nor recurses deeply on any bytes, and takes time in proportion to them.
pub fn validate(payload: &[u8], max_bytes: usize) -> Verdict<'_> {
    let text = match legible(payload, max_bytes) {
        Ok(text) => text,
        Err(rejection) => return Verdict::Reject(rejection),
    };
    match prove(text) {
        Some(accepted) => Verdict::Accept(accepted),
        None => examine(text, Warnings::Counted).verdict,
    }
}

/// [`validate`], with a bug in it turned into the reason [`Reason::Panicked`]: one message must not stop the next.
pub fn validate_caught(payload: &[u8], max_bytes: usize) -> Verdict<'_> {
    caught(|| validate(payload, max_bytes))
}

fn caught<'a>(verdict: impl FnOnce() -> Verdict<'a> + UnwindSafe) -> Verdict<'a> {
    panics::catch(verdict).unwrap_or_else(|place| {
        let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
        Verdict::Reject(Rejection::whole(Reason::Panicked, format!("a bug in orderbox{place}")))
    })
}

/// The text of a message: some bytes, not too many, in UTF-8.
pub(super) fn legible(payload: &[u8], max_bytes: usize) -> Result<&str, Rejection> {
    if payload.is_empty() {
        return Err(Rejection::whole(Reason::Empty, None));
    }
    if payload.len() > max_bytes {
        let detail = format!("more than {max_bytes} bytes, which is the most a message may have");
        return Err(Rejection::whole(Reason::TooLarge, detail));
    }
    str::from_utf8(payload).map_err(|error| {
        Rejection::whole(Reason::NotUtf8, format!("not UTF-8 from byte {} on", error.valid_up_to()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panicked(verdict: Verdict<'_>) -> String {
        match verdict {
            Verdict::Reject(Rejection { reason: Reason::Panicked, detail: Some(detail), .. }) => detail,
            other => panic!("{other:?} is no caught panic"),
        }
    }

    #[test]
    fn a_panic_is_a_rejection_without_its_text_which_may_quote_the_message() {
        let detail = panicked(caught(|| panic!("a phone number: {}", "+972")));
        assert!(detail.starts_with("a bug in orderbox") && !detail.contains("+972"), "{detail}");
    }

    #[test]
    fn without_a_panic_the_verdict_is_handed_on() {
        assert_eq!(validate_caught(b"", 10), validate(b"", 10));
    }

    #[test]
    fn the_limit_itself_is_not_too_large() {
        assert!(legible(b"1234", 4).is_ok());
        assert_eq!(legible(b"12345", 4).expect_err("5 > 4").reason, Reason::TooLarge);
    }
}
