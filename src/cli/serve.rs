use std::process::ExitCode;

use clap::Command;

use super::output;
use crate::{
    config::{self, Findings, Settings},
    telemetry::logging,
};

pub(crate) const ABOUT: &str = "\
Run the service (the default).

Every setting is an environment variable and a flag; a flag wins. A variable that is set to nothing counts as unset. \
Sizes are written 512MiB or 64MB, durations 500ms, 30s or 2m. Settings are checked against each other before anything \
starts.";

pub(crate) const EXAMPLES: &str = "\
Examples:
  orderbox serve --database-url postgres://orderbox@127.0.0.1/orderbox --stan-url nats://127.0.0.1:4222
  orderbox serve --http-addr 0.0.0.0:8080 --publish-token \"$(openssl rand -hex 32)\"";

/// Everything between the command line and the service: judges the settings, starts the log, warns.
///
/// # Errors
/// The settings are wrong or contradict each other; all that is wrong has been printed to standard error.
pub(crate) fn boot(settings: &Settings, program: &Command) -> Result<(), ExitCode> {
    let Findings { errors, warnings } = settings.check();
    if !errors.is_empty() {
        for error in &errors {
            output::complain(error);
        }
        return Err(ExitCode::from(output::COULD_NOT));
    }
    logging::init(&settings.log).map_err(output::failure)?;
    for warning in &warnings {
        tracing::warn!(setting = warning.setting, "{warning}");
    }
    let serve = program.find_subcommand("serve").unwrap_or(program);
    for name in config::unknown_variables(serve, std::env::vars_os().map(|(name, _)| name)) {
        tracing::warn!(
            "{name} is no setting of orderbox and is ignored; see orderbox serve --help for those that are"
        );
    }
    Ok(())
}
