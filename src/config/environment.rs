use std::{collections::BTreeSet, ffi::OsString};

use clap::{Arg, Command};

/// `command` with every variable that `value` knows as empty taken for unset, in its subcommands too.
pub fn empty_is_unset(command: Command, value: impl Fn(&str) -> Option<OsString> + Copy) -> Command {
    let command = command.mut_args(|arg| {
        let empty = variable(&arg).and_then(&value).is_some_and(|value| value.is_empty());
        if empty { arg.env(None::<&'static str>) } else { arg }
    });
    let names: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    names
        .into_iter()
        .fold(command, |command, name| command.mut_subcommand(name, |command| empty_is_unset(command, value)))
}

/// Those of `names` that begin like a setting of a broker and are none of `command`, sorted. Orchestrators inject some
/// (`STAN_SERVICE_HOST`), so they are worth a warning and no more.
pub fn unknown_variables(command: &Command, names: impl Iterator<Item = OsString>) -> Vec<String> {
    let known: BTreeSet<&str> = command.get_arguments().filter_map(variable).collect();
    let unknown: BTreeSet<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("STAN_") || name.starts_with("JETSTREAM_"))
        .filter(|name| !known.contains(name.as_str()))
        .collect();
    unknown.into_iter().collect()
}

/// The environment variable of an argument; all of ours are ASCII.
fn variable(arg: &Arg) -> Option<&str> {
    arg.get_env()?.to_str()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::{Args, FromArgMatches};

    use super::{super::Settings, *};

    fn command() -> Command {
        Settings::augment_args(Command::new("serve"))
    }

    /// The environment of the test process is not touched: it is read when the command is built, and given here as a map.
    fn unset_by(variables: &[(&str, &str)]) -> Vec<String> {
        let variables: BTreeMap<String, OsString> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        let command = empty_is_unset(command(), |name| variables.get(name).cloned());
        let left: BTreeSet<&str> = command.get_arguments().filter_map(variable).collect();
        let before = self::command();
        before
            .get_arguments()
            .filter_map(variable)
            .filter(|name| !left.contains(name))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_variable_set_to_nothing_counts_as_unset() {
        let variables = [("STAN_URL", ""), ("CACHE_BYTES", ""), ("HTTP_ADDR", "127.0.0.1:1"), ("OTHER", "")];
        let mut unset = unset_by(&variables);
        unset.sort_unstable();
        assert_eq!(unset, ["CACHE_BYTES", "STAN_URL"]);
    }

    #[test]
    fn the_flag_of_a_variable_set_to_nothing_still_works() {
        let command = empty_is_unset(command(), |_| Some(OsString::new()));
        let matches = command.try_get_matches_from(["serve", "--stan-url", "nats://h"]).expect("parse");
        let settings = Settings::from_arg_matches(&matches).expect("settings");
        assert_eq!(settings.stan.url.expect("given").expose(), "nats://h");
    }

    #[test]
    fn variables_that_look_like_ours_and_are_not_are_found() {
        let names = ["STAN_URL", "STAN_SERVICE_HOST", "PATH", "JETSTREAM_PORT", "STAN_TOPIC", "MY_STAN_URL"];
        assert_eq!(
            unknown_variables(&command(), names.into_iter().map(OsString::from)),
            ["JETSTREAM_PORT", "STAN_SERVICE_HOST", "STAN_TOPIC"]
        );
    }
}
