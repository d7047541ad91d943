//! The log: one line an event, on standard error, so that standard output belongs to what a command answers.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt::MakeWriter};

use crate::{
    config::{LogFormat, LogSettings},
    panics,
};

/// A library that logs every connection and every loss of one; it is heard only when RUST_LOG names it.
const QUIET: &str = "async_nats";

/// Sends every event of this process to standard error as `settings` say, panics included, by their place. Only the first call of a process counts.
///
/// # Errors
/// The filter can't be read; [`Settings::check`](crate::config::Settings::check) says so in words.
pub fn init(settings: &LogSettings) -> Result<(), ParseError> {
    let wants_color = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let color = wants_color && io::stderr().is_terminal();
    let subscriber = subscriber(settings, color, io::stderr)?;
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        tracing::debug!("the log was set up already");
    }
    panics::log_by_place();
    Ok(())
}

fn subscriber<W>(
    settings: &LogSettings,
    color: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, ParseError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let mut filter = EnvFilter::builder().parse(&settings.filter)?;
    if !settings.filter.contains(QUIET) {
        // The health board says of a lost connection what there is to say, once.
        filter = filter.add_directive(format!("{QUIET}=off").parse()?);
    }
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(color)
        // On by default, and then a reader of the log that goes away ends the service: the failed write is reported to
        // the same standard error by `eprintln!`, which panics.
        .log_internal_errors(false);
    Ok(match settings.format {
        LogFormat::Text => Box::new(builder.finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What the log holds after `events`.
    fn logged(format: LogFormat, filter: &str, color: bool, events: impl FnOnce()) -> String {
        let settings = LogSettings { format, filter: filter.to_owned() };
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = subscriber(&settings, color, move || writer.clone()).expect("a sound filter");
        tracing::subscriber::with_default(subscriber, events);
        let bytes = buffer.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn a_text_line_has_its_level_sentence_and_fields_and_color_only_when_told() {
        let event = || tracing::warn!(uid = "u1", "the store is away");
        let plain = logged(LogFormat::Text, "info", false, event);
        assert!(
            plain.contains(" WARN orderbox::telemetry::logging::tests: the store is away uid=\"u1\""),
            "{plain}"
        );
        assert!(!plain.contains('\u{1b}'), "{plain:?}");
        assert!(logged(LogFormat::Text, "info", true, event).contains('\u{1b}'));
    }

    #[test]
    fn a_json_line_is_one_object_with_its_fields_at_the_top() {
        let line = logged(LogFormat::Json, "info", false, || tracing::warn!(rows = 3, "settled\nall"));
        let object: serde_json::Value = serde_json::from_str(line.trim_end()).expect("one JSON object");
        assert_eq!(object["level"], "WARN");
        assert_eq!(object["message"], "settled\nall");
        assert_eq!(object["rows"], 3);
        assert!(object["timestamp"].is_string());
    }

    #[test]
    fn the_filter_decides_what_is_written() {
        let event = || tracing::info!("hello");
        assert_eq!(logged(LogFormat::Text, "warn", false, event), "");
        assert_ne!(logged(LogFormat::Text, "warn,orderbox=info", false, event), "");
    }

    #[test]
    fn a_filter_that_can_not_be_read_is_an_error() {
        let settings = LogSettings { format: LogFormat::Text, filter: "orderbox=loud".to_owned() };
        assert!(init(&settings).is_err());
    }
}
