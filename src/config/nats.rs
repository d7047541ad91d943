use std::path::{Path, PathBuf};

use clap::Args;

use crate::nats;

use super::{Findings, SecretUrl};

/// How to prove to a NATS server who we are, and how to know that it is the right one.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "NATS")]
pub struct NatsSettings {
    /// Credentials file (.creds: a JWT and the seed of its key)
    #[arg(id = "NATS_CREDS", long = "nats-creds", env = "NATS_CREDS", value_name = "FILE")]
    pub creds: Option<PathBuf>,

    /// Root certificates that the server's certificate must be signed by (PEM), instead of the system's. TLS is then required
    #[arg(id = "NATS_CA", long = "nats-ca", env = "NATS_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

impl NatsSettings {
    /// How to reach these servers.
    ///
    /// # Errors
    /// When the addresses can't work.
    pub fn options(&self, servers: &SecretUrl) -> Result<nats::Options, nats::OptionsError> {
        let addresses = servers.list();
        let mut options = nats::Options::new(addresses.iter().map(SecretUrl::expose))?;
        if let Some(file) = &self.creds {
            options = options.credentials(file);
        }
        if let Some(file) = &self.ca {
            options = options.root_certificates(file);
        }
        Ok(options)
    }

    pub(crate) fn check(&self, findings: &mut Findings) {
        if let Some(file) = &self.creds {
            check_file(
                findings,
                "NATS_CREDS",
                file,
                "-----BEGIN NATS USER JWT-----",
                "a credentials file, as `nsc generate creds` writes one",
            );
        }
        if let Some(file) = &self.ca {
            check_file(
                findings,
                "NATS_CA",
                file,
                "-----BEGIN CERTIFICATE-----",
                "a file of PEM certificates",
            );
        }
    }
}

/// The longest name of a broker that is part of messages' identities, which are stored: they must not grow without bound.
pub(super) const LONGEST_NAME: usize = 128;

/// What `setting` holds must be a list of NATS servers.
pub(super) fn check_urls(setting: &'static str, list: &SecretUrl, findings: &mut Findings) {
    for (url, number) in list.list().iter().zip(1..) {
        if let Err(reason) = nats::check_address(url.expose()) {
            findings.error(
                setting,
                list,
                format!("is no list of NATS servers: address {number} {reason}"),
                "Write nats://HOST:4222 or tls://USER:PASSWORD@HOST:4222 (special characters percent-encoded), \
                 comma-separated for several servers",
            );
        }
    }
}

/// Turns what is known of the rule that a name breaks into findings about the setting.
pub(super) fn check_name(
    setting: &'static str,
    name: &str,
    broken: Option<&'static str>,
    findings: &mut Findings,
) {
    if let Some(rule) = broken {
        findings.error(setting, name, rule, format!("Set {setting} to a name of letters, digits and `_`"));
    }
    if name.len() > LONGEST_NAME {
        findings.error(
            setting,
            name,
            format!("is longer than {LONGEST_NAME} bytes"),
            format!("Use at most {LONGEST_NAME} bytes"),
        );
    }
}

/// The file must be readable text that holds `marker`. Its content is never shown.
fn check_file(findings: &mut Findings, setting: &'static str, file: &Path, marker: &str, wanted: &str) {
    let fix = format!("Set {setting} to {wanted}, readable by the user who runs orderbox, or unset it");
    match std::fs::read_to_string(file) {
        Err(cause) => findings.error(
            setting,
            file.display(),
            format!("can't be read ({cause}): every connection to the broker would fail"),
            fix,
        ),
        Ok(text) if !text.contains(marker) => findings.error(
            setting,
            file.display(),
            format!("has no line `{marker}`: every connection to the broker would fail"),
            fix,
        ),
        Ok(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{expect_error, expect_fine};

    #[test]
    fn a_file_that_is_missing_or_a_folder_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let missing = folder.path().join("none.creds");
        let url = ["--stan-url", "nats://h:4222"];
        for flag in ["--nats-creds", "--nats-ca"] {
            for path in [missing.as_path(), folder.path()] {
                expect_error(&[url[0], url[1], flag, path.to_str().expect("UTF-8")], "can't be read (");
            }
        }
    }

    #[test]
    fn a_file_of_the_wrong_kind_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("ca.pem");
        let path = file.to_str().expect("UTF-8");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n").expect("write");
        expect_fine(&["--stan-url", "tls://h:4222", "--nats-ca", path]);
        expect_error(&["--stan-url", "tls://h:4222", "--nats-creds", path], "NATS USER JWT");
    }
}
