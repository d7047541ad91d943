use std::fmt;

use crate::terminal::printable;

/// What is wrong with one setting: its name, its value, what follows from it, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The environment variable's name.
    pub setting: &'static str,
    /// As given; secrets are redacted before they get here.
    pub value: String,
    /// What is wrong and what would come of it, as the predicate of a sentence about the setting.
    pub problem: String,
    /// What to do, as a sentence of its own without its full stop.
    pub fix: String,
}

impl fmt::Display for Finding {
    /// `NAME=value problem. Fix.` on one line, whatever characters the value holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={} {}. {}.", self.setting, printable(&self.value), self.problem, self.fix)
    }
}

/// Everything that the checks found, in the order of the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The service must not start.
    pub errors: Vec<Finding>,
    /// The service starts, and says so in the log.
    pub warnings: Vec<Finding>,
}

impl Findings {
    /// Adds an error about `setting`.
    pub(crate) fn error(
        &mut self,
        setting: &'static str,
        value: impl fmt::Display,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.errors.push(Finding {
            setting,
            value: value.to_string(),
            problem: problem.into(),
            fix: fix.into(),
        });
    }

    /// Adds a warning about `setting`.
    pub(crate) fn warn(
        &mut self,
        setting: &'static str,
        value: impl fmt::Display,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.warnings.push(Finding {
            setting,
            value: value.to_string(),
            problem: problem.into(),
            fix: fix.into(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_the_value_holds() {
        let mut findings = Findings::default();
        findings.error("STAN_CHANNEL", "a\nb\u{1b}[31m", "has a line break", "Take it out");
        assert_eq!(
            findings.errors[0].to_string(),
            r"STAN_CHANNEL=a\nb\u{1b}[31m has a line break. Take it out."
        );
    }
}
