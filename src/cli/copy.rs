//! `copy`: from SQLite to PostgreSQL.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::output;
use crate::{
    config::{SecretUrl, duration},
    store::copy::{Comparison, Content, How, Step, TableComparison, copy},
    terminal::printable,
};

pub(crate) const ABOUT: &str = "\
Copy a SQLite database to an empty PostgreSQL database, and compare them

Stop the service first: what is published to STAN meanwhile waits in the channel. Killed half-way, the same command goes \
on where it was. At the end both databases are read again, and every table has to have the same rows; then start the \
service with the DATABASE_URL of the copy and the other settings as before. The SQLite file stays as it is.";

pub(crate) const EXAMPLES: &str = "\
Exits 0 when every table is the same on both sides, 1 when one is not, 2 when it could not be copied. PGPASSWORD and \
~/.pgpass work as they do for psql.

Example:
  orderbox copy --from sqlite:///var/lib/orderbox/orderbox.db --to postgres://orderbox@127.0.0.1/orderbox";

#[derive(Debug, Args)]
pub(crate) struct CopyCommand {
    /// `sqlite://FILE`
    #[arg(long, value_name = "URL")]
    from: SecretUrl,

    /// `postgres://USER:PASSWORD@HOST:5432/DATABASE`; the database is there and empty
    #[arg(long, value_name = "URL")]
    to: SecretUrl,

    /// Throw away what an earlier copy has put into the target, and begin again
    #[arg(long)]
    start_over: bool,

    /// How long to wait for a lock on the SQLite file, and for the PostgreSQL server to answer at first
    #[arg(id = "STORE_TIMEOUT", long = "store-timeout", env = "STORE_TIMEOUT")]
    #[arg(default_value = "10s", value_parser = duration)]
    timeout: Duration,
}

impl CopyCommand {
    pub(crate) async fn run(self) -> ExitCode {
        let how = How { timeout: self.timeout, start_over: self.start_over };
        let bar = ProgressBar::hidden();
        let copied = copy(self.from.expose(), self.to.expose(), how, &mut |step| show(&bar, step)).await;
        bar.finish_and_clear();
        match copied {
            Ok(comparison) => {
                comparison.warnings.iter().for_each(output::complain);
                let code = if comparison.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
                output::answer(report(&comparison), code)
            }
            Err(error) => output::failure(printable(&error.to_string())),
        }
    }
}

fn show(bar: &ProgressBar, step: Step) {
    let (what, there, rows) = match step {
        Step::Rows(rows) => return bar.inc(rows),
        Step::Copying { there, rows } => ("copying", there, rows),
        Step::Comparing { rows } => ("comparing", 0, rows),
    };
    let of_them = if there > 0 { format!(", {there} are there already") } else { String::new() };
    output::complain(format_args!("{what} {rows} rows{of_them}"));
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len}  {per_sec}  {elapsed}");
    bar.set_style(style.expect("a sound template"));
    bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
    bar.set_message(what);
    bar.set_length(rows);
    bar.reset();
    bar.set_position(there);
}

/// What is on either side, for a person.
fn report(comparison: &Comparison) -> String {
    let head = ["table", "sha256", "rows"].map(str::to_owned);
    let rows = comparison.tables.iter().map(|TableComparison { name, source, .. }| {
        vec![(*name).to_owned(), source.sha256.clone(), source.rows.to_string()]
    });
    let mut text = output::table(&head, &rows.collect::<Vec<_>>(), 2);
    if comparison.is_same() {
        text.push_str("\ncopied: every table has these rows on both sides\n");
        return text;
    }
    text.push_str("\nDIFFERS: the target is not a copy, and no service will start on it\n");
    for table in comparison.tables.iter().filter(|table| !table.is_same()) {
        let side = |Content { rows, sha256 }: &Content| format!("{rows} rows, sha256 {sha256}");
        text.push_str(&format!("  {}: SQLite has {}\n", table.name, side(&table.source)));
        text.push_str(&format!("  {}: PostgreSQL has {}\n", table.name, side(&table.target)));
        if let Some(key) = &table.differs_at {
            text.push_str(&format!(
                "  {}: the first row that is not the same has the key {key}\n",
                table.name
            ));
        }
    }
    text.push_str(
        "Something else has written to one of them: copy again with --start-over, and let nothing else connect\n",
    );
    text
}
