//! The command line: one file a command.
//!
//! Exit codes: 0 yes or done; 1 the answer is no (it does not balance, it is not healthy, something was rejected); 2 it
//! could not be found out (a wrong flag or setting, a file or store that can't be read).

mod audit;
mod check;
mod copy;
mod database;
mod dead_letters;
mod healthcheck;
mod lines;
mod output;
mod publish;
mod serve;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use futures_util::future::BoxFuture;

use crate::config::{self, Settings};

/// Receives order messages, loses none of them, and serves the orders over HTTP
#[derive(Debug, Parser)]
#[command(name = "orderbox", version, max_term_width = 110, override_usage = USAGE, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const USAGE: &str = "orderbox [serve] [OPTIONS]\n       orderbox <COMMAND> [OPTIONS]";

const EXAMPLES: &str = "\
Without a command orderbox serves; see `orderbox serve --help` for its flags.

Examples:
  # HTTP on 127.0.0.1:8080, SQLite in orderbox.db; then ask for the sample order
  orderbox
  curl 'http://127.0.0.1:8080/order?order_uid=b563feb7b2b84b6test'

  # read the STAN channel `orders` as well
  STAN_URL=nats://127.0.0.1:4222 orderbox

  # read the subject `orders` of the JetStream stream `ORDERS` as well
  JETSTREAM_URL=nats://127.0.0.1:4222 orderbox";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default)
    #[command(long_about = serve::ABOUT, after_help = serve::EXAMPLES)]
    Serve(Box<Settings>),

    /// Publish orders made from a seed, or files as they are
    #[command(long_about = publish::ABOUT, after_help = publish::EXAMPLES)]
    Publish(publish::Publish),

    /// Tell what each message would become; writes nothing
    #[command(long_about = check::ABOUT, after_help = check::EXAMPLES)]
    Check(check::CheckCommand),

    /// Tell whether every message received is accounted for: the ledger against the tables
    #[command(after_help = audit::EXAMPLES)]
    Audit(audit::AuditCommand),

    /// Copy a SQLite database to an empty PostgreSQL database, and compare them
    #[command(long_about = copy::ABOUT, after_help = copy::EXAMPLES)]
    Copy(copy::CopyCommand),

    /// See what was refused, and why
    #[command(after_help = dead_letters::EXAMPLES)]
    DeadLetters(dead_letters::DeadLetters),

    /// Ask the service on HTTP_ADDR whether all of it works; for containers
    #[command(after_help = healthcheck::EXAMPLES)]
    Healthcheck(healthcheck::Healthcheck),
}

/// Runs the command that the process was started with; `service` is what `serve` runs once its settings are sound.
pub fn main(service: fn(Settings) -> BoxFuture<'static, ExitCode>) -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(cause) => return output::failure(format_args!("the runtime can't start: {cause}")),
    };
    let code = runtime.block_on(async {
        match cli.command {
            Command::Serve(settings) => match serve::boot(&settings, &Cli::command()) {
                Ok(()) => service(*settings).await,
                Err(code) => code,
            },
            Command::Publish(command) => command.run().await,
            Command::Check(command) => command.run(),
            Command::Audit(command) => command.run().await,
            Command::Copy(command) => command.run().await,
            Command::DeadLetters(command) => command.run().await,
            Command::Healthcheck(command) => command.run().await,
        }
    });
    // Dropping the runtime would wait for blocking calls, such as a DNS look-up that nobody needs any more.
    runtime.shutdown_background();
    code
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let command = config::empty_is_unset(Cli::command(), |name| std::env::var_os(name));
    let matches = command.try_get_matches_from(with_default_command(arguments.into_iter().collect()))?;
    Cli::from_arg_matches(&matches)
}

/// `orderbox` and `orderbox --flag …` mean `orderbox serve …`. Done here and not by flags of the program itself, so that
/// `orderbox --help` is a page and a wrong variable of `serve` does not stop `orderbox healthcheck`.
fn with_default_command(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let own = ["-h", "--help", "-V", "--version"];
    let serves = match arguments.get(1).map(|first| first.as_encoded_bytes()) {
        None => true,
        Some(first) => first.starts_with(b"-") && !own.iter().any(|flag| first == flag.as_bytes()),
    };
    if serves {
        arguments.insert(1.min(arguments.len()), "serve".into());
    }
    arguments
}

/// Prints help, the version or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    match error.print() {
        // 0 for help and version, 2 for a wrong command line.
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)),
        Err(_closed) => ExitCode::from(2),
    }
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn parsed(line: &str) -> Result<Cli, clap::Error> {
        parse(line.split(' ').map(OsString::from))
    }

    fn http_addr(line: &str) -> String {
        match parsed(line).expect("a sound command line").command {
            Command::Serve(settings) => settings.http.addr.to_string(),
            other => panic!("{line} is {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_a_command_it_serves_and_takes_the_flags_of_serve() {
        assert_eq!(http_addr("orderbox"), "127.0.0.1:8080");
        for line in ["orderbox --http-addr 127.0.0.1:1", "orderbox serve --http-addr=127.0.0.1:1"] {
            assert_eq!(http_addr(line), "127.0.0.1:1", "{line}");
        }
    }

    #[test]
    fn help_and_version_are_those_of_the_program() {
        for flag in ["-h", "--help", "help"] {
            let text = parsed(&format!("orderbox {flag}")).expect_err("help").to_string();
            assert!(text.contains("healthcheck"), "{text}");
            assert!(!text.contains("--cache-bytes"), "{text}");
        }
        let error = parsed("orderbox --version").expect_err("version");
        assert_eq!(error.to_string(), format!("orderbox {}\n", env!("CARGO_PKG_VERSION")));
        assert_eq!(error.exit_code(), 0);
    }

    #[test]
    fn an_unknown_flag_or_command_is_an_error() {
        for (line, kind) in [
            ("orderbox --cash-bytes 1", ErrorKind::UnknownArgument),
            ("orderbox serve --cash-bytes 1", ErrorKind::UnknownArgument),
            ("orderbox healthcheck --cache-bytes 1", ErrorKind::UnknownArgument),
            ("orderbox sevre", ErrorKind::InvalidSubcommand),
            ("orderbox serve extra", ErrorKind::UnknownArgument),
        ] {
            let error = parsed(line).expect_err("must be refused");
            assert_eq!(error.kind(), kind, "{line}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_value_that_can_not_be_read_is_named_with_its_setting_and_the_fix() {
        let text = parsed("orderbox --cache-bytes 12XB").expect_err("must be refused").to_string();
        for part in ["CACHE_BYTES", "12XB", "512MiB"] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn the_help_of_serve_names_every_variable_and_shows_no_secret() {
        let text = parsed("orderbox serve --help").expect_err("help").to_string();
        let command = Cli::command();
        let serve = command.find_subcommand("serve").expect("serve");
        for name in serve.get_arguments().filter_map(|arg| arg.get_env()) {
            assert!(text.contains(&format!("[env: {}", name.display())), "{name:?} is missing in:\n{text}");
        }
        for secret in ["DATABASE_URL", "STAN_URL", "ADMIN_TOKEN", "PUBLISH_TOKEN"] {
            assert!(text.contains(&format!("[env: {secret}]")), "the value of {secret} would be shown");
        }
    }
}
