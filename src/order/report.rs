use serde::{Serialize, Serializer};

use super::{Diagnosis, FieldError, Reason, Verdict, Warning};

/// One line of `orderbox check`: the verdict of one message.
///
/// ```json
/// {"file":"a.json","verdict":"reject","reason":"invalid_fields","errors":[{"pointer":"/items","code":"missing","message":"…"}],"warnings":[]}
/// ```
#[derive(Debug, Serialize)]
pub struct Report<'r> {
    /// The argument as it was given.
    pub file: &'r str,
    /// The line of the message, from 1, in a file that holds a message a line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    #[serde(rename = "verdict", serialize_with = "as_word")]
    accepted: bool,
    reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'r str>,
    errors: &'r [FieldError],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    errors_truncated: bool,
    warnings: &'r [Warning],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    warnings_truncated: bool,
}

impl<'r> Report<'r> {
    /// The report of a message.
    pub fn new(file: &'r str, line: Option<u64>, diagnosis: &'r Diagnosis<'_>) -> Self {
        let rejection = match &diagnosis.verdict {
            Verdict::Accept(_) => None,
            Verdict::Reject(rejection) => Some(rejection),
        };
        Self {
            file,
            line,
            accepted: rejection.is_none(),
            reason: rejection.map(|rejection| rejection.reason),
            detail: rejection.and_then(|rejection| rejection.detail.as_deref()),
            errors: rejection.map_or(&[], |rejection| &rejection.errors),
            errors_truncated: rejection.is_some_and(|rejection| rejection.errors_truncated),
            warnings: &diagnosis.warnings,
            warnings_truncated: diagnosis.warnings_truncated,
        }
    }

    /// Whether the message is an order.
    pub fn accepted(&self) -> bool {
        self.accepted
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_word<S: Serializer>(accepted: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *accepted { "accept" } else { "reject" })
}
