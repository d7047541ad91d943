//! The rules that hold between settings of different concerns.

use super::{Findings, Settings};

pub(crate) fn check(settings: &Settings, findings: &mut Findings) {
    let Settings { store, stan, jetstream, nats, limits, .. } = settings;
    if stan.url.is_some() && stan.ack_wait <= store.timeout {
        findings.error(
            "STAN_ACK_WAIT",
            format!("{:?}", stan.ack_wait),
            format!(
                "is not longer than STORE_TIMEOUT={:?}: the server would deliver messages again before their commit can end",
                store.timeout
            ),
            "Set STAN_ACK_WAIT to several times STORE_TIMEOUT, or lower STORE_TIMEOUT",
        );
    }
    // A warning: it costs speed and nothing else, and a window of 1 is the way to strict order.
    if stan.url.is_some()
        && usize::try_from(stan.max_in_flight).is_ok_and(|window| window < limits.batch_size)
    {
        findings.warn(
            "STAN_MAX_IN_FLIGHT",
            stan.max_in_flight,
            format!(
                "is less than BATCH_SIZE={}: batches never fill, and throughput is bounded by the window",
                limits.batch_size
            ),
            "Raise STAN_MAX_IN_FLIGHT to several times BATCH_SIZE, or lower BATCH_SIZE",
        );
    }
    if stan.url.is_none() && jetstream.url.is_none() {
        let files = [("NATS_CREDS", &nats.creds), ("NATS_CA", &nats.ca)];
        for (setting, file) in files.into_iter().filter_map(|(setting, file)| Some((setting, file.as_ref()?)))
        {
            findings.warn(
                setting,
                file.display(),
                "is without effect: neither STAN_URL nor JETSTREAM_URL is set, so there is no broker to connect to",
                format!("Set STAN_URL or JETSTREAM_URL, or unset {setting}"),
            );
        }
    }
    if limits.shutdown_timeout < store.timeout {
        findings.error(
            "SHUTDOWN_TIMEOUT",
            format!("{:?}", limits.shutdown_timeout),
            format!(
                "is shorter than STORE_TIMEOUT={:?}: a shutdown would give up while a last commit may still succeed, and \
                 every message of it would be delivered again",
                store.timeout
            ),
            format!(
                "Set SHUTDOWN_TIMEOUT to more than STORE_TIMEOUT, such as {:?}, and the supervisor's own limit above it",
                store.timeout * 5 / 2
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{expect_error, expect_fine, expect_warning};

    #[test]
    fn an_ack_wait_that_no_commit_can_meet_is_refused() {
        for wait in ["9s", "10s"] {
            expect_error(
                &["--stan-url", "nats://h", "--stan-ack-wait", wait],
                "is not longer than STORE_TIMEOUT=10s",
            );
        }
        expect_fine(&["--stan-url", "nats://h", "--stan-ack-wait", "11s"]);
        expect_fine(&["--store-timeout", "40s", "--shutdown-timeout", "1m"]);
    }

    #[test]
    fn a_window_smaller_than_a_batch_is_a_warning() {
        expect_warning(
            &["--stan-url", "nats://h", "--stan-max-in-flight", "999"],
            "is less than BATCH_SIZE=1000",
        );
        expect_fine(&["--stan-url", "nats://h", "--stan-max-in-flight", "1000"]);
    }

    #[test]
    fn a_shutdown_shorter_than_a_call_to_the_store_is_refused() {
        expect_error(&["--shutdown-timeout", "9s"], "SHUTDOWN_TIMEOUT=9s is shorter than STORE_TIMEOUT=10s");
        expect_fine(&["--shutdown-timeout", "10s"]);
    }

    #[test]
    fn credentials_without_a_broker_are_a_warning() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n").expect("write");
        let ca = file.to_str().expect("UTF-8");
        expect_warning(&["--nats-ca", ca], "is without effect: neither STAN_URL nor JETSTREAM_URL is set");
        expect_fine(&["--nats-ca", ca, "--jetstream-url", "tls://h"]);
    }
}
