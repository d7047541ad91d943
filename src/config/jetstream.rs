use clap::Args;

use crate::nats::name;

use super::{
    Findings, SecretUrl,
    nats::{check_name, check_urls},
};

/// The consumer of NATS JetStream.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "NATS JetStream")]
pub struct JetStreamSettings {
    /// `nats://` or `tls://[USER:PASSWORD@]HOST:4222`, comma-separated for several servers: name each node of a cluster.
    /// Unset: no JetStream
    #[arg(id = "JETSTREAM_URL", long = "jetstream-url", env = "JETSTREAM_URL", hide_env_values = true)]
    pub url: Option<SecretUrl>,

    /// The stream that keeps the orders; it must be there
    #[arg(id = "JETSTREAM_STREAM", long = "jetstream-stream", env = "JETSTREAM_STREAM", default_value = STREAM)]
    pub stream: String,

    /// The subject of it that is read; `*` and `>` are wildcards
    #[arg(id = "JETSTREAM_SUBJECT", long = "jetstream-subject", env = "JETSTREAM_SUBJECT", default_value = SUBJECT)]
    pub subject: String,

    /// The durable consumer that keeps the position; made if it is not there, from the first message stored. Instances that
    /// give the same one share the messages
    #[arg(
        id = "JETSTREAM_CONSUMER",
        long = "jetstream-consumer",
        env = "JETSTREAM_CONSUMER",
        default_value = CONSUMER
    )]
    pub consumer: String,
}

const STREAM: &str = "ORDERS";
const SUBJECT: &str = "orders";
const CONSUMER: &str = "orderbox";

impl JetStreamSettings {
    pub(crate) fn check(&self, findings: &mut Findings) {
        match &self.url {
            Some(url) => check_urls("JETSTREAM_URL", url, findings),
            None => self.warn_of_unused(findings),
        }
        let mut check = |setting, value: &str, checked: Result<(), &'static str>| {
            check_name(setting, value, checked.err(), findings);
        };
        check("JETSTREAM_STREAM", &self.stream, name::of_stream(&self.stream));
        check("JETSTREAM_SUBJECT", &self.subject, name::filter(&self.subject));
        check("JETSTREAM_CONSUMER", &self.consumer, name::of_stream(&self.consumer));
    }

    fn warn_of_unused(&self, findings: &mut Findings) {
        let given = [
            ("JETSTREAM_STREAM", &self.stream, STREAM),
            ("JETSTREAM_SUBJECT", &self.subject, SUBJECT),
            ("JETSTREAM_CONSUMER", &self.consumer, CONSUMER),
        ];
        for (setting, value, _) in given.into_iter().filter(|(_, value, default)| value != default) {
            findings.warn(
                setting,
                value,
                "is without effect: JETSTREAM_URL is not set, so nothing is read from JetStream",
                "Set JETSTREAM_URL, such as nats://127.0.0.1:4222",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{errors, expect_error, expect_fine, expect_warning};

    const URL: [&str; 2] = ["--jetstream-url", "nats://127.0.0.1:4222"];

    fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
        URL.iter().chain(args).copied().collect()
    }

    #[test]
    fn one_server_or_several_are_accepted_and_what_is_none_is_refused_without_its_password() {
        expect_fine(&["--jetstream-url", "nats://u:p@a:1,tls://b"]);
        let url = ["--jetstream-url", "http://u:s3cret@h"];
        expect_error(&url, "JETSTREAM_URL=http://u:***@h is no list of NATS servers: address 1 ");
        assert!(!errors(&url).join("\n").contains("s3cret"));
    }

    #[test]
    fn a_jetstream_setting_without_the_url_is_a_warning() {
        for (flag, value) in
            [("--jetstream-stream", "S"), ("--jetstream-subject", "s"), ("--jetstream-consumer", "c")]
        {
            expect_warning(&[flag, value], "is without effect: JETSTREAM_URL is not set");
            expect_fine(&with(&[flag, value]));
        }
    }

    #[test]
    fn names_that_the_server_would_refuse_are_refused() {
        expect_error(&with(&["--jetstream-stream", "a.b"]), "JETSTREAM_STREAM=a.b must not contain ., *, >");
        expect_error(&with(&["--jetstream-consumer", "a b"]), "must not contain white space");
        expect_error(&with(&["--jetstream-subject", "a..b"]), "must not begin or end with a dot");
        expect_error(&with(&["--jetstream-stream", &"x".repeat(129)]), "is longer than 128 bytes");
        expect_fine(&with(&["--jetstream-subject", "orders.*.new", "--jetstream-stream", "ORDERS_2"]));
    }
}
