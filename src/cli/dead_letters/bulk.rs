use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, sleep};

use crate::{
    cli::output,
    desk::{Desk, Step, Survey},
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
        match self.work_off(matching.letters, last).await {
            Ok((done, passed_over, 0)) => {
                let left = if passed_over > 0 {
                    format!(", {passed_over} would not pass and stay open")
                } else {
                    String::new()
                };
                output::answer(&format!("{done} {}{left}\n", self.action.done()), ExitCode::SUCCESS)
            }
            Ok((done, _, left)) => {
                output::complain(format_args!(
                    "{done} {}, {left} left: as many wait in the inbox as may, and no service settles them; start it, then run this again",
                    self.action.done()
                ));
                ExitCode::FAILURE
            }
            Err(cause) => output::failure(format_args!(
                "the store has failed: {cause}; what was done is done, and running this again goes on"
            )),
        }
    }

    /// Done, passed over, left.
    async fn work_off(&self, letters: i64, up_to: i64) -> Result<(i64, i64, i64)> {
        let bar = ProgressBar::new(u64::try_from(letters).unwrap_or(0));
        bar.set_style(
            ProgressStyle::with_template("{bar:30} {human_pos} of {human_len}  {msg}")
                .expect("a sound template"),
        );
        let (mut done, mut passed_over, mut after) = (0, 0, 0);
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
            let Step { remaining, .. } = step;
            done += step.done;
            passed_over += step.passed_over;
            bar.set_position(u64::try_from(done + passed_over).unwrap_or(0));
            if remaining == 0 {
                bar.finish_and_clear();
                return Ok((done, passed_over, 0));
            }
            if step.after != after {
                (after, moved) = (step.after, Instant::now());
                continue;
            }
            if moved.elapsed() > PATIENCE {
                bar.finish_and_clear();
                return Ok((done, passed_over, remaining));
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
