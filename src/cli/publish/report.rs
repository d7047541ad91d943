use std::{collections::BTreeMap, fmt, process::ExitCode, time::Duration};

use super::{
    messages::Origin,
    target::{Failure, Next},
};
use crate::{cli::output, terminal::printable};

/// What became of the messages.
#[derive(Debug, Default)]
pub(super) struct Report {
    sound: u64,
    /// By reason and name of the kind.
    broken: BTreeMap<(&'static str, &'static str), u64>,
    from_files: u64,
    failed: BTreeMap<String, u64>,
    unknown: BTreeMap<String, u64>,
    /// Messages sent again.
    pub(super) retries: u64,
    pub(super) took: Duration,
    /// Why publishing ended before the last message.
    pub(super) cut_short: Option<CutShort>,
}

/// Why publishing ended before the last message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum CutShort {
    Interrupted,
    /// The target refuses every message.
    Hopeless,
    /// A file could be read up to here only.
    Unreadable(String),
}

impl Report {
    pub(super) fn add(&mut self, origin: Origin, result: Result<(), Failure>) {
        if let Err(Failure { next: Next::Stop, .. }) = result {
            self.cut_short = Some(CutShort::Hopeless);
        }
        let count = match result {
            Ok(()) => match origin {
                Origin::Sound => &mut self.sound,
                Origin::Broken(kind) => self.broken.entry((kind.reason(), kind.name())).or_default(),
                Origin::File => &mut self.from_files,
            },
            Err(failure) if failure.outcome_unknown => self.unknown.entry(failure.text).or_default(),
            Err(failure) => self.failed.entry(failure.text).or_default(),
        };
        *count += 1;
    }

    /// Counts messages that were still on their way at the end.
    pub(super) fn add_unanswered(&mut self, messages: u64) {
        if messages > 0 {
            *self.unknown.entry("no ack when publishing was stopped".to_owned()).or_default() += messages;
        }
    }

    /// Acked messages.
    pub(super) fn published(&self) -> u64 {
        self.sound + self.from_files + total(&self.broken)
    }

    fn broken_by_reason(&self) -> BTreeMap<&'static str, Vec<(&'static str, u64)>> {
        let mut by_reason: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for ((reason, kind), count) in &self.broken {
            by_reason.entry(*reason).or_default().push((*kind, *count));
        }
        by_reason
    }

    /// 0 when every message was acked, 2 when a file could not be read to its end, else 1.
    pub(super) fn exit_code(&self) -> ExitCode {
        match self.cut_short {
            None if self.failed.is_empty() && self.unknown.is_empty() => ExitCode::SUCCESS,
            Some(CutShort::Unreadable(_)) => ExitCode::from(output::COULD_NOT),
            None | Some(CutShort::Interrupted | CutShort::Hopeless) => ExitCode::FAILURE,
        }
    }
}

fn total<K>(counts: &BTreeMap<K, u64>) -> u64 {
    counts.values().sum()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.took.as_secs_f64();
        let rate = if seconds > 0.0 { self.published() as f64 / seconds } else { 0.0 };
        write!(f, "published {} in {seconds:.2} s, {rate:.0} a second", messages(self.published()))?;
        if self.from_files == 0 {
            write!(f, ": {} sound, {} broken", self.sound, total(&self.broken))?;
        }
        writeln!(f)?;
        for (reason, kinds) in self.broken_by_reason() {
            let count: u64 = kinds.iter().map(|(_, count)| count).sum();
            let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            writeln!(f, "  {count:>6}  {reason}: {}", kinds.join(", "))?;
        }
        if self.retries > 0 {
            writeln!(f, "{} sent again, as the target was busy or gone for a while", messages(self.retries))?;
        }
        group(f, "NOT published", &self.failed)?;
        group(f, "outcome unknown, perhaps published", &self.unknown)?;
        if let Some(reason) = &self.cut_short {
            writeln!(f, "stopped before the last message: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted"),
            Self::Hopeless => f.write_str("every other message would be refused as well"),
            Self::Unreadable(cause) => f.write_str(cause),
        }
    }
}

fn group(f: &mut fmt::Formatter<'_>, title: &str, counts: &BTreeMap<String, u64>) -> fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}, {}:", messages(total(counts)))?;
    counts.iter().try_for_each(|(text, count)| writeln!(f, "  {count:>6}  {}", printable(text)))
}

fn messages(count: u64) -> String {
    match count {
        1 => "1 message".to_owned(),
        count => format!("{count} messages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::BrokenKind;

    #[test]
    fn the_report_groups_what_was_published_and_what_was_not() {
        let mut report = Report { retries: 3, took: Duration::from_millis(500), ..Report::default() };
        for _ in 0..8 {
            report.add(Origin::Sound, Ok(()));
        }
        for kind in ["html", "truncated", "uid_nul", "html"] {
            let kind = BrokenKind::all().find(|one| one.name() == kind).expect("a kind");
            report.add(Origin::Broken(kind), Ok(()));
        }
        report.add(Origin::Sound, Err(Failure::skip("413 Payload Too Large")));
        report.add(Origin::Sound, Err(Failure { outcome_unknown: true, ..Failure::retry("no \u{1b}ack") }));
        report.add_unanswered(2);
        report.cut_short = Some(CutShort::Interrupted);
        assert_eq!(report.exit_code(), ExitCode::FAILURE);
        insta::assert_snapshot!(report, @r"
        published 12 messages in 0.50 s, 24 a second: 8 sound, 4 broken
               1  invalid_fields: uid_nul 1
               3  not_json: html 2, truncated 1
        3 messages sent again, as the target was busy or gone for a while
        NOT published, 1 message:
               1  413 Payload Too Large
        outcome unknown, perhaps published, 3 messages:
               1  no \u{1b}ack
               2  no ack when publishing was stopped
        stopped before the last message: interrupted
        ");
    }

    #[test]
    fn messages_of_files_are_neither_sound_nor_broken() {
        let mut report = Report { took: Duration::from_secs(1), ..Report::default() };
        report.add(Origin::File, Ok(()));
        assert_eq!(report.exit_code(), ExitCode::SUCCESS);
        assert_eq!(report.to_string(), "published 1 message in 1.00 s, 1 a second\n");
    }
}
