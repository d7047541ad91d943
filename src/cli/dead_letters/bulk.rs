use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use crate::{
    cli::output,
    desk::{Desk, Survey},
    store::{Result, Selection, Stretch},
};

/// How long a bulk waits for room in the inbox before it says that nobody makes any.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be done about every open dead letter of a selection.
#[derive(Debug)]
pub(super) struct Bulk<'a> {
    pub(super) desk: Desk<'a>,
    pub(super) selection: Selection,
    pub(super) action: Action<'a>,
    pub(super) by: &'a str,
    /// Say what would be done, and do nothing.
    pub(super) dry_run: bool,
    /// Do not ask.
    pub(super) yes: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Action<'a> {
    Replay { only_passing: bool },
    Discard { note: Option<&'a str> },
}

impl Action<'_> {
    const fn verb(self) -> &'static str {
        match self {
            Self::Replay { only_passing: false } => "replay all of them",
            Self::Replay { only_passing: true } => "replay those that would pass",
            Self::Discard { .. } => "discard all of them",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Replay { .. } => "replayed",
            Self::Discard { .. } => "discarded",
        }
    }
}

/// How far a bulk has come.
#[derive(Debug, Default)]
struct Worked {
    done: i64,
    passed_over: i64,
    /// Nothing of the set is left.
    all: bool,
}

impl Bulk<'_> {
    /// Exit 0 when all is done, 1 when something is left.
    pub(super) async fn run(&self) -> ExitCode {
        let survey = match self.desk.survey(&self.selection).await {
            Ok(survey) => survey,
            Err(cause) => return output::failure(format_args!("the store can't be read: {cause}")),
        };
        let Survey { matching, checked, would_pass } = survey;
        let summary = format!(
            "{} open dead letters match; {would_pass} of the {checked} oldest would pass now\n",
            matching.letters
        );
        let Some(last) = matching.last else { return output::answer(&summary, ExitCode::SUCCESS) };
        if self.dry_run {
            return output::answer(&summary, ExitCode::SUCCESS);
        }
        if !self.yes && !confirmed(&summary, self.action.verb()) {
            return output::failure("nothing was done");
        }
        let Worked { done, passed_over, all } = match self.work_off(matching.letters, last).await {
            Ok(worked) => worked,
            Err(cause) => {
                return output::failure(format_args!(
                    "the store has failed: {cause}; what was done is done, and running this again goes on"
                ));
            }
        };
        let stay = match passed_over {
            0 => String::new(),
            _ => format!(", {passed_over} would not pass and stay open"),
        };
        if all {
            return output::answer(format!("{done} {}{stay}\n", self.action.done()), ExitCode::SUCCESS);
        }
        output::complain(format_args!(
            "{done} of {} {}{stay}: as many wait in the inbox as may, and no service settles them; start it, then run this again",
            matching.letters,
            self.action.done()
        ));
        ExitCode::FAILURE
    }

    async fn work_off(&self, letters: i64, up_to: i64) -> Result<Worked> {
        let bar = ProgressBar::new(u64::try_from(letters).unwrap_or(0));
        bar.set_style(
            ProgressStyle::with_template("{bar:30} {human_pos} of {human_len}  {msg}")
                .expect("a sound template"),
        );
        let (mut worked, mut after) = (Worked::default(), 0);
        let mut moved = Instant::now();
        loop {
            let stretch = Stretch { after, up_to };
            let step = match self.action {
                Action::Replay { only_passing } => {
                    self.desk.replay(&self.selection, stretch, only_passing, self.by).await?
                }
                Action::Discard { note } => {
                    self.desk.discard(&self.selection, stretch, note, self.by).await?
                }
            };
            worked.done += step.done;
            worked.passed_over += step.passed_over;
            worked.all = !step.more;
            bar.set_position(u64::try_from(worked.done + worked.passed_over).unwrap_or(0));
            if worked.all {
                bar.finish_and_clear();
                return Ok(worked);
            }
            if step.after != after {
                (after, moved) = (step.after, Instant::now());
                continue;
            }
            if moved.elapsed() > PATIENCE {
                bar.finish_and_clear();
                return Ok(worked);
            }
            bar.set_message("waiting for room in the inbox");
            sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Asks whoever sits at the terminal. A script is not asked: it has said what it wants.
fn confirmed(summary: &str, verb: &str) -> bool {
    if !io::stdin().is_terminal() {
        return true;
    }
    let mut stderr = io::stderr().lock();
    let asked = write!(stderr, "{summary}{verb}? [y/N] ").and_then(|()| stderr.flush());
    let mut answer = String::new();
    asked.is_ok() && io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
