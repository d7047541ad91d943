use std::{str::FromStr, time::Duration};

use clap::Args;
use sqlx::postgres::PgConnectOptions;

use super::{Findings, SecretUrl, units};
use crate::store::sqlite_file;

/// Where the orders are kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Store")]
pub struct StoreSettings {
    /// sqlite://FILE (relative to the working folder), or postgres://USER:PASSWORD@HOST:5432/DATABASE
    /// [?sslmode=verify-full]. `serve` creates the file when it is missing
    #[arg(
        id = "DATABASE_URL",
        long = "database-url",
        env = "DATABASE_URL",
        default_value = "sqlite://orderbox.db",
        hide_env_values = true
    )]
    pub url: SecretUrl,

    /// How long one call to the store may take before its connection is given up and the call retried
    #[arg(
        id = "STORE_TIMEOUT",
        long = "store-timeout",
        env = "STORE_TIMEOUT",
        default_value = "10s",
        value_parser = units::duration
    )]
    pub timeout: Duration,
}

/// Below this a healthy store that merely commits to a slow disk looks like one that is down.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);

impl StoreSettings {
    pub(crate) fn check(&self, findings: &mut Findings) {
        self.check_url(findings);
        if self.timeout < SHORTEST_TIMEOUT {
            findings.error(
                "STORE_TIMEOUT",
                format!("{:?}", self.timeout),
                "is too short: a store that works would be given up in the middle of a commit, again and again",
                "Set STORE_TIMEOUT to 100ms or more, such as 10s",
            );
        }
    }

    fn check_url(&self, findings: &mut Findings) {
        let url = self.url.expose();
        let mut error = |problem: String, fix: &str| findings.error("DATABASE_URL", &self.url, problem, fix);
        let Some((scheme, rest)) = url.split_once(':') else {
            return error(
                "is no URL".into(),
                "Set DATABASE_URL to sqlite://orderbox.db or to postgres://USER:PASSWORD@HOST/DATABASE",
            );
        };
        match scheme {
            "postgres" | "postgresql" => {
                if let Err(cause) = PgConnectOptions::from_str(url) {
                    error(
                        format!("can't be read as a PostgreSQL URL ({cause})"),
                        "Set DATABASE_URL to postgres://USER:PASSWORD@HOST:5432/DATABASE, special characters of the \
                         password percent-encoded",
                    );
                }
            }
            "sqlite" => match sqlite_file(url) {
                _ if rest.contains('?') => error(
                    "has parameters, and the SQLite store takes none".into(),
                    "Leave out everything from the ? on (in the name of a file write %3F)",
                ),
                Err(cause) => error(
                    format!("can't be read as an SQLite URL ({cause})"),
                    "Set DATABASE_URL to sqlite:// and the path of a file, such as sqlite:///var/lib/orderbox/orderbox.db",
                ),
                Ok(_) if rest.ends_with(":memory:") => error(
                    "is a database in memory: every message that was acked would be lost with the process"
                        .into(),
                    "Set DATABASE_URL to sqlite:// and the path of a file",
                ),
                Ok(file) if file.as_os_str().is_empty() => error(
                    "names no file: SQLite would use a temporary one and lose it with the process".into(),
                    "Set DATABASE_URL to sqlite:// and the path of a file, such as sqlite://orderbox.db",
                ),
                Ok(_) => {}
            },
            _ => error(
                format!("names the store `{scheme}`, which does not exist"),
                "Set DATABASE_URL to a URL that begins with sqlite:// or postgres://",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{errors, expect_error, expect_fine};

    #[test]
    fn both_stores_are_accepted_in_their_usual_spellings() {
        for url in [
            "sqlite://orderbox.db",
            "sqlite:orderbox.db",
            "sqlite:///var/lib/orderbox/o.db",
            "postgres://u:p@127.0.0.1:5432/orders?sslmode=require",
            "postgresql:///orders?host=/var/run/postgresql",
        ] {
            expect_fine(&["--database-url", url]);
        }
    }

    #[test]
    fn an_unknown_scheme_is_refused() {
        expect_error(
            &["--database-url", "mysql://u:s3cret@h/db"],
            "DATABASE_URL=mysql://u:***@h/db names the store `mysql`",
        );
        expect_error(&["--database-url", "orderbox.db"], "is no URL");
    }

    #[test]
    fn a_malformed_url_is_refused_without_its_password() {
        let args = ["--database-url", "postgres://u:s3cret@h:notaport/db"];
        expect_error(&args, "can't be read as a PostgreSQL URL (");
        assert!(!errors(&args).join("\n").contains("s3cret"));
        expect_error(
            &["--database-url", "postgres://h/db?sslmode=maybe"],
            "can't be read as a PostgreSQL URL (",
        );
        expect_error(&["--database-url", "sqlite://%ff.db"], "can't be read as an SQLite URL (");
    }

    #[test]
    fn an_sqlite_database_that_keeps_nothing_or_is_given_parameters_is_refused() {
        for url in ["sqlite::memory:", "sqlite://:memory:"] {
            expect_error(&["--database-url", url], "is a database in memory");
        }
        for url in ["sqlite://a.db?mode=memory", "sqlite://a.db?mode=ro", "sqlite://a.db?mode=rwc"] {
            expect_error(&["--database-url", url], "has parameters, and the SQLite store takes none");
        }
        expect_error(&["--database-url", "sqlite://"], "names no file");
    }

    #[test]
    fn a_store_timeout_of_nothing_is_refused() {
        expect_error(&["--store-timeout", "0s"], "STORE_TIMEOUT=0ns is too short");
        expect_error(&["--store-timeout", "99ms"], "STORE_TIMEOUT=99ms is too short");
    }
}
