use std::{iter, time::Duration};

use clap::Args;

use crate::stan::{self, InvalidName, name};

use super::{
    Findings, NatsSettings, SecretUrl,
    nats::{check_name, check_urls},
    units,
};

/// The subscription to NATS Streaming.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "NATS Streaming (STAN)")]
pub struct StanSettings {
    /// `nats://` or `tls://[USER:PASSWORD@]HOST:4222`, comma-separated for several servers. Unset: no STAN
    #[arg(id = "STAN_URL", long = "stan-url", env = "STAN_URL", hide_env_values = true)]
    pub url: Option<SecretUrl>,

    /// The server's cluster id
    #[arg(id = "STAN_CLUSTER_ID", long = "stan-cluster-id", env = "STAN_CLUSTER_ID", default_value = CLUSTER_ID)]
    pub cluster_id: String,

    /// Unique among the cluster's clients: letters, digits, `-` and `_`. Default: orderbox, and with a queue group
    /// orderbox- and 8 random characters
    #[arg(id = "STAN_CLIENT_ID", long = "stan-client-id", env = "STAN_CLIENT_ID")]
    pub client_id: Option<String>,

    /// The channel that orders arrive on
    #[arg(id = "STAN_CHANNEL", long = "stan-channel", env = "STAN_CHANNEL", default_value = CHANNEL)]
    pub channel: String,

    /// The name under which the server keeps the position. A new one starts at the first message stored
    #[arg(id = "STAN_DURABLE", long = "stan-durable", env = "STAN_DURABLE", default_value = DURABLE)]
    pub durable: String,

    /// Share the channel among the instances that give the same group. Unset: this one reads all of it
    #[arg(id = "STAN_QUEUE_GROUP", long = "stan-queue-group", env = "STAN_QUEUE_GROUP")]
    pub queue_group: Option<String>,

    /// How long the server waits for an ack before it delivers a message again; whole seconds
    #[arg(
        id = "STAN_ACK_WAIT",
        long = "stan-ack-wait",
        env = "STAN_ACK_WAIT",
        default_value = "30s",
        value_parser = units::duration
    )]
    pub ack_wait: Duration,

    /// How many messages the server sends ahead of our acks
    #[arg(
        id = "STAN_MAX_IN_FLIGHT",
        long = "stan-max-in-flight",
        env = "STAN_MAX_IN_FLIGHT",
        default_value_t = MAX_IN_FLIGHT,
        value_parser = units::number::<u32>
    )]
    pub max_in_flight: u32,
}

const CLUSTER_ID: &str = "test-cluster";
const CLIENT_ID: &str = "orderbox";
const CHANNEL: &str = "orders";
const DURABLE: &str = "orderbox";
const ACK_WAIT: Duration = Duration::from_secs(30);
const MAX_IN_FLIGHT: u32 = 8192;

impl StanSettings {
    /// The client id to connect with. One made for a member of a queue group is new at every call: ask once.
    pub fn client_id(&self) -> String {
        match (&self.client_id, &self.queue_group) {
            (Some(id), _) => id.clone(),
            (None, None) => CLIENT_ID.to_owned(),
            (None, Some(_)) => {
                let random: String = iter::repeat_with(fastrand::alphanumeric).take(8).collect();
                format!("{CLIENT_ID}-{random}")
            }
        }
    }

    /// How to reach the server, or `None` without STAN_URL. Asks for the client id, so: once.
    ///
    /// # Errors
    /// When the settings can't work.
    pub fn options(&self, nats: &NatsSettings) -> Result<Option<stan::Options>, stan::OptionsError> {
        let Some(url) = &self.url else { return Ok(None) };
        Ok(Some(stan::Options::over(nats.options(url)?, &self.cluster_id, &self.client_id())?))
    }

    pub(crate) fn check(&self, findings: &mut Findings) {
        match &self.url {
            Some(url) => check_urls("STAN_URL", url, findings),
            None => self.warn_of_unused(findings),
        }
        self.check_names(findings);
        self.check_numbers(findings);
    }

    fn warn_of_unused(&self, findings: &mut Findings) {
        let given = [
            ("STAN_CLUSTER_ID", self.cluster_id.clone(), self.cluster_id != CLUSTER_ID),
            ("STAN_CLIENT_ID", self.client_id.clone().unwrap_or_default(), self.client_id.is_some()),
            ("STAN_CHANNEL", self.channel.clone(), self.channel != CHANNEL),
            ("STAN_DURABLE", self.durable.clone(), self.durable != DURABLE),
            ("STAN_QUEUE_GROUP", self.queue_group.clone().unwrap_or_default(), self.queue_group.is_some()),
            ("STAN_ACK_WAIT", format!("{:?}", self.ack_wait), self.ack_wait != ACK_WAIT),
            ("STAN_MAX_IN_FLIGHT", self.max_in_flight.to_string(), self.max_in_flight != MAX_IN_FLIGHT),
        ];
        for (setting, value, _) in given.into_iter().filter(|(_, _, given)| *given) {
            findings.warn(
                setting,
                value,
                "is without effect: STAN_URL is not set, so nothing is read from NATS Streaming",
                "Set STAN_URL, such as nats://127.0.0.1:4222",
            );
        }
    }

    fn check_names(&self, findings: &mut Findings) {
        let in_group = self.queue_group.is_some();
        let mut check = |setting, name: &str, checked: Result<(), InvalidName>| {
            check_name(setting, name, checked.err().map(|invalid| invalid.rule()), findings);
        };
        check("STAN_CLUSTER_ID", &self.cluster_id, name::cluster_id(&self.cluster_id));
        check("STAN_CHANNEL", &self.channel, name::channel(&self.channel));
        if let Some(id) = &self.client_id {
            check("STAN_CLIENT_ID", id, name::client_id(id));
        }
        check("STAN_DURABLE", &self.durable, name::durable(&self.durable, in_group));
        if let Some(group) = &self.queue_group {
            check("STAN_QUEUE_GROUP", group, name::queue_group(group));
        }
        if !in_group && self.durable.contains('-') {
            findings.warn(
                "STAN_DURABLE",
                &self.durable,
                "contains `-`: the server joins client id, channel and durable name by `-`, so two different \
                 subscriptions can end up sharing one position and each miss what the other read",
                "Use `_` instead, unless this durable exists already",
            );
        }
    }

    fn check_numbers(&self, findings: &mut Findings) {
        let seconds = self.ack_wait.as_secs();
        if seconds == 0 || self.ack_wait.subsec_nanos() != 0 || i32::try_from(seconds).is_err() {
            findings.error(
                "STAN_ACK_WAIT",
                format!("{:?}", self.ack_wait),
                "is no whole number of seconds from 1: the protocol knows no other",
                "Set STAN_ACK_WAIT to whole seconds, such as 30s",
            );
        }
        if self.max_in_flight == 0 || i32::try_from(self.max_in_flight).is_err() {
            findings.error(
                "STAN_MAX_IN_FLIGHT",
                self.max_in_flight,
                "is not between 1 and 2147483647: the server would refuse the subscription",
                "Set STAN_MAX_IN_FLIGHT to 1 or more, such as 8192",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{errors, expect_error, expect_fine, expect_warning, settings};

    const URL: [&str; 2] = ["--stan-url", "nats://127.0.0.1:4222"];

    fn with<'a>(args: &[&'a str]) -> Vec<&'a str> {
        URL.iter().chain(args).copied().collect()
    }

    #[test]
    fn the_client_id_is_random_only_in_a_queue_group_without_one() {
        assert_eq!(settings(&[]).stan.client_id(), "orderbox");
        let group = ["--stan-queue-group", "workers"];
        let (one, other) = (settings(&group).stan.client_id(), settings(&group).stan.client_id());
        assert_ne!(one, other);
        assert_eq!(one.strip_prefix("orderbox-").map(str::len), Some(8));
        expect_fine(&with(&["--stan-queue-group", "workers", "--stan-client-id", &one]));
        let given = ["--stan-queue-group", "workers", "--stan-client-id", "me"];
        assert_eq!(settings(&given).stan.client_id(), "me");
    }

    #[test]
    fn one_server_or_several_are_accepted() {
        for url in
            ["nats://h", "tls://u:p@h:4222", "h:4222", "nats://a:1,nats://b:2", "nats://[::1]:4222, nats://b"]
        {
            expect_fine(&["--stan-url", url]);
        }
    }

    #[test]
    fn what_is_no_nats_address_is_refused_without_its_password() {
        for url in [
            "http://u:s3cret@h",
            "stan://h:4222/c",
            "nats://",
            "nats://a:1,",
            "ws://h",
            "nats://u:s3cret@h:port",
            "nats://u:s3cret@h/x",
            "nats://h:4222?x",
            "nats://u:s3cret",
            "nats://u:a,s3cret,b",
            "u:s3cret",
        ] {
            expect_error(&["--stan-url", url], "is no list of NATS servers: address ");
            assert!(!errors(&["--stan-url", url]).join("\n").contains("s3cret"), "{url}");
        }
    }

    #[test]
    fn a_comma_in_a_password_makes_no_second_server() {
        for url in ["nats://user:pass,word@h", "nats://user:1234,word@h", "user:1,2,3@h"] {
            expect_fine(&["--stan-url", url]);
            let settings = settings(&["--stan-url", url]);
            let options = settings.stan.options(&settings.nats).expect("sound").expect("a server");
            assert!(format!("{options:?}").contains("servers: [nats://h:4222]"), "{options:?}");
        }
    }

    #[test]
    fn a_stan_setting_without_the_url_is_a_warning() {
        for (flag, value) in [
            ("--stan-cluster-id", "c"),
            ("--stan-client-id", "c"),
            ("--stan-channel", "c"),
            ("--stan-durable", "d"),
            ("--stan-queue-group", "g"),
            ("--stan-ack-wait", "31s"),
            ("--stan-max-in-flight", "5000"),
        ] {
            expect_warning(&[flag, value], "is without effect: STAN_URL is not set");
            expect_fine(&with(&[flag, value]));
        }
    }

    #[test]
    fn names_that_make_no_subject_are_refused() {
        for name in [".a", "a.", "a..b", "a*", ">", "a b", "a\tb"] {
            expect_error(&with(&["--stan-channel", name]), "STAN_CHANNEL=");
            expect_error(&with(&["--stan-cluster-id", name]), "STAN_CLUSTER_ID=");
        }
        expect_error(&with(&["--stan-channel", "a/b"]), "STAN_CHANNEL=a/b must not contain *, > or /");
        expect_error(&with(&["--stan-cluster-id", "a.b"]), "STAN_CLUSTER_ID=a.b may contain only letters");
        expect_fine(&with(&["--stan-channel", "orders.new", "--stan-cluster-id", "prod"]));
        expect_error(&with(&["--stan-channel", &"x".repeat(129)]), "is longer than 128 bytes");
    }

    #[test]
    fn a_client_id_of_other_characters_is_refused() {
        for id in ["a.b", "a b", "ä", "a:b"] {
            expect_error(&with(&["--stan-client-id", id]), "may contain only letters, digits, - and _");
        }
    }

    #[test]
    fn a_colon_is_refused_only_in_the_durable_of_a_queue_group() {
        expect_error(&with(&["--stan-durable", "a:b", "--stan-queue-group", "g"]), "must not contain :");
        expect_fine(&with(&["--stan-durable", "a:b"]));
    }

    #[test]
    fn a_dash_in_a_durable_of_its_own_is_a_warning() {
        expect_warning(&with(&["--stan-durable", "a-b"]), "contains `-`");
        expect_fine(&with(&["--stan-durable", "a-b", "--stan-queue-group", "g"]));
    }

    #[test]
    fn blank_and_unprintable_names_are_refused() {
        expect_error(&with(&["--stan-durable", " "]), "STAN_DURABLE=  must not be blank");
        expect_error(
            &with(&["--stan-queue-group", "a\u{7}"]),
            r"STAN_QUEUE_GROUP=a\u{7} must not contain control characters",
        );
    }

    #[test]
    fn an_ack_wait_that_the_protocol_can_not_say_is_refused() {
        for wait in ["0s", "999ms", "20500ms", "999999999s"] {
            let refused = super::super::units::duration(wait).is_err();
            assert!(refused || !errors(&with(&["--stan-ack-wait", wait])).is_empty(), "{wait}");
        }
        expect_error(
            &with(&["--stan-ack-wait", "20500ms"]),
            "STAN_ACK_WAIT=20.5s is no whole number of seconds",
        );
    }

    #[test]
    fn a_window_of_nothing_is_refused() {
        for window in ["0", "2147483648"] {
            expect_error(&with(&["--stan-max-in-flight", window]), "is not between 1 and 2147483647");
        }
    }
}
