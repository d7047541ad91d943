use std::time::Duration;

use clap::Args;

use super::{Findings, units};
use crate::open_files;

/// What clients may take of the service, so that none takes it from the others.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP limits")]
pub struct HttpLimitSettings {
    /// Connections at once. When all are taken, the one that has waited longest for its client makes room for a new one
    #[arg(
        id = "HTTP_MAX_CONNECTIONS",
        long = "http-max-connections",
        env = "HTTP_MAX_CONNECTIONS",
        default_value = "1024",
        value_parser = units::number::<usize>
    )]
    pub max_connections: usize,

    /// How long the head of a request may take from its first byte
    #[arg(
        id = "HTTP_HEADER_TIMEOUT",
        long = "http-header-timeout",
        env = "HTTP_HEADER_TIMEOUT",
        default_value = "10s",
        value_parser = units::duration
    )]
    pub header_timeout: Duration,

    /// How long the body of a request may take. One of more than 16 KiB must also keep the pace at which the largest
    /// message takes so long
    #[arg(
        id = "HTTP_BODY_TIMEOUT",
        long = "http-body-timeout",
        env = "HTTP_BODY_TIMEOUT",
        default_value = "15s",
        value_parser = units::duration
    )]
    pub body_timeout: Duration,

    /// How long a connection may do nothing: ask nothing, or read nothing of its answer. Longer than a proxy in front
    /// keeps its connections, or it will use one that has just been closed
    #[arg(
        id = "HTTP_IDLE_TIMEOUT",
        long = "http-idle-timeout",
        env = "HTTP_IDLE_TIMEOUT",
        default_value = "75s",
        value_parser = units::duration
    )]
    pub idle_timeout: Duration,

    /// Orders that are looked up in the database at once because they are not in memory. Others wait for 1 s, then they
    /// are answered 503
    #[arg(
        id = "HTTP_MAX_LOOKUPS",
        long = "http-max-lookups",
        env = "HTTP_MAX_LOOKUPS",
        default_value = "4",
        value_parser = units::number::<usize>
    )]
    pub max_lookups: usize,
}

/// Streams of events may take 64 of them.
const FEWEST_CONNECTIONS: usize = 128;

/// Each look-up has a connection to the database; PostgreSQL allows 100 unless it is told otherwise.
const MOST_LOOKUPS: usize = 64;

impl HttpLimitSettings {
    pub(crate) fn check(&self, findings: &mut Findings) {
        self.check_against(open_files::room_for_connections(), findings);
    }

    fn check_against(&self, room: Option<u64>, findings: &mut Findings) {
        if self.max_connections < FEWEST_CONNECTIONS {
            findings.error(
                "HTTP_MAX_CONNECTIONS",
                self.max_connections,
                format!("is less than {FEWEST_CONNECTIONS}: streams of events alone may take 64, and readers would wait"),
                "Set HTTP_MAX_CONNECTIONS to a value such as 1024",
            );
        } else if let Some(room) = room
            && self.max_connections as u64 > room
        {
            findings.warn(
                "HTTP_MAX_CONNECTIONS",
                self.max_connections,
                format!("is more than the open files of this process allow: it will have {room} connections at most"),
                "Raise the hard limit of open files (LimitNOFILE, ulimit -Hn), or lower HTTP_MAX_CONNECTIONS",
            );
        }
        for (setting, limit) in [
            ("HTTP_HEADER_TIMEOUT", self.header_timeout),
            ("HTTP_BODY_TIMEOUT", self.body_timeout),
            ("HTTP_IDLE_TIMEOUT", self.idle_timeout),
        ] {
            if limit.is_zero() {
                findings.error(
                    setting,
                    format!("{limit:?}"),
                    "leaves clients no time: requests that do not arrive at once would be cut off",
                    format!("Set {setting} to a time such as 10s"),
                );
            }
        }
        if self.idle_timeout < self.header_timeout {
            findings.error(
                "HTTP_IDLE_TIMEOUT",
                format!("{:?}", self.idle_timeout),
                format!(
                    "is shorter than HTTP_HEADER_TIMEOUT={:?}: a head that is still allowed to arrive would be cut off as idle",
                    self.header_timeout
                ),
                "Set HTTP_IDLE_TIMEOUT to several times HTTP_HEADER_TIMEOUT, such as 75s",
            );
        }
        if !(1..=MOST_LOOKUPS).contains(&self.max_lookups) {
            findings.error(
                "HTTP_MAX_LOOKUPS",
                self.max_lookups,
                format!(
                    "is not between 1 and {MOST_LOOKUPS}: no order could be looked up, or the look-ups would take every \
                     connection that the database has"
                ),
                "Set HTTP_MAX_LOOKUPS to a value such as 4",
            );
        }
    }

    /// Connections at once, as far as the process may have them.
    pub(crate) fn connections(&self) -> usize {
        let room = open_files::room_for_connections().and_then(|room| usize::try_from(room).ok());
        room.map_or(self.max_connections, |room| self.max_connections.min(room.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Finding, Findings,
        testing::{expect_error, expect_fine, settings},
    };

    #[test]
    fn connections_that_streams_of_events_could_take_are_refused() {
        for connections in ["0", "127"] {
            expect_error(&["--http-max-connections", connections], "is less than 128");
        }
        expect_fine(&["--http-max-connections", "128"]);
    }

    #[test]
    fn more_connections_than_open_files_are_a_warning_that_says_how_many_there_will_be() {
        let limits = settings(&["--http-max-connections", "1024"]).http_limits;
        for (room, warned) in [(Some(1023), true), (Some(1024), false), (None, false)] {
            let mut findings = Findings::default();
            limits.check_against(room, &mut findings);
            let warnings: Vec<_> = findings.warnings.iter().map(Finding::to_string).collect();
            assert_eq!(
                warnings.iter().any(|text| text.contains("1023 connections at most")),
                warned,
                "{warnings:?}"
            );
            assert!(findings.errors.is_empty());
        }
    }

    #[test]
    fn a_time_limit_of_nothing_is_refused() {
        for flag in ["--http-header-timeout", "--http-body-timeout", "--http-idle-timeout"] {
            expect_error(&[flag, "0s"], "leaves clients no time");
        }
    }

    #[test]
    fn an_idle_limit_that_cuts_heads_off_is_refused() {
        expect_error(&["--http-idle-timeout", "9s"], "is shorter than HTTP_HEADER_TIMEOUT=10s");
        expect_fine(&["--http-idle-timeout", "10s"]);
    }

    #[test]
    fn look_ups_of_none_or_of_every_connection_are_refused() {
        for lookups in ["0", "65"] {
            expect_error(&["--http-max-lookups", lookups], "is not between 1 and 64");
        }
        expect_fine(&["--http-max-lookups", "1"]);
    }
}
