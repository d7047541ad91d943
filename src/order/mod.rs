//! The domain: what counts as an order. A pure function of the bytes, no I/O.
//!
//! [`validate()`] is what the pipeline calls. It tries `prove`, one pass that says yes only when it is certain; any other message
//! goes to `diagnose`, which goes through all of it and lists every error. Both read the fields by the tables of `schema`, whose
//! kinds are in `kind`, and so by the same rules: they differ in how they walk, and property tests hold them to one verdict.

mod codes;
mod date;
mod diagnose;
mod findings;
mod kind;
mod model;
mod number;
mod prove;
mod rejection;
mod report;
mod rest;
mod scan;
mod schema;
#[cfg(any(test, fuzzing))]
pub(crate) mod tests;
mod validate;
mod warning;

pub use codes::{ErrorCode, Reason, UnknownCode, WarningCode};
pub use diagnose::{Diagnosis, diagnose};
pub use model::{Delivery, Item, Order, Payment};
pub use rejection::{FieldError, Rejection};
pub use report::Report;
pub use validate::{Accepted, Verdict, validate, validate_caught};
pub use warning::{Warning, WarningCounts};
