mod address;
mod http;
mod jetstream;
mod messages;
mod pump;
mod report;
mod stan;
mod target;

use std::{path::PathBuf, process::ExitCode, str::FromStr};

use clap::{Args, CommandFactory, FromArgMatches, Parser};
use indicatif::{ProgressBar, ProgressStyle};

use self::{
    address::Address, http::HttpTarget, jetstream::JetStreamTarget, messages::Messages, report::Report,
    stan::StanTarget, target::Target,
};
use super::output;
use crate::{
    config::{
        self, Finding, Findings, HttpSettings, JetStreamSettings, NatsSettings, SecretUrl, StanSettings,
    },
    sample::{Generator, MAX_ITEMS, Options},
};

pub(crate) const ABOUT: &str = "\
Publish orders made from a seed, or files as they are

A message counts as published when it was acked. Without --to it goes where a service with the same settings reads: \
to JETSTREAM_SUBJECT when JETSTREAM_URL is set, else to STAN_CHANNEL when STAN_URL is set, else to the service on HTTP_ADDR. \
Over HTTP, PUBLISH_TOKEN or else ADMIN_TOKEN is sent along; to JetStream and STAN, NATS_CREDS and NATS_CA are used. Many messages are on their way at once, so over HTTP their \
order is not kept.";

pub(crate) const EXAMPLES: &str = "\
Exits 0 when every message was acked, 1 when one was not, 2 when the command line is wrong or a file can't be read. \
Ctrl-C stops publishing and waits for the acks still due.

Examples:
  # 1,000 orders to the service on this machine, every twentieth of them broken, each in another way
  orderbox publish --count 1000 --broken 0.05

  # 200 a second, each of three items, to a channel
  orderbox publish --to stan://127.0.0.1:4222/test-cluster/orders --count 20000 --rate 200 --items 3

  # to a stream
  orderbox publish --to jetstream://127.0.0.1:4222/ORDERS/orders

  # files as they are; .ndjson and .jsonl hold a message a line
  orderbox publish order.json orders.ndjson";

/// What to publish, and where to.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// `jetstream://[USER:PASSWORD@]HOST:4222/STREAM/SUBJECT`, `stan://[USER:PASSWORD@]HOST:4222/CLUSTER/CHANNEL` or
    /// `http://HOST:8080`
    #[arg(long, value_name = "URL")]
    to: Option<SecretUrl>,

    /// How many messages to make
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(conflicts_with = "files")]
    count: u64,

    /// Messages a second at most; unset: as fast as the acks come
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,

    /// Share of broken messages among those made, 0 to 1; every kind comes in turn
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, conflicts_with = "files")]
    broken: f64,

    /// Items in every order; unset: mostly one, sometimes many
    #[arg(long, value_name = "N", conflicts_with = "files")]
    #[arg(value_parser = clap::value_parser!(u16).range(..=MAX_ITEMS as i64))]
    items: Option<u16>,

    /// Makes the same messages again; unset: a random one, which is printed
    #[arg(long, value_name = "N", conflicts_with = "files")]
    seed: Option<u64>,

    /// Files to publish instead
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What a service with the same settings reads; from the environment only.
#[derive(Debug, Parser)]
struct Service {
    #[command(flatten)]
    jetstream: JetStreamSettings,
    #[command(flatten)]
    stan: StanSettings,
    #[command(flatten)]
    nats: NatsSettings,
    #[command(flatten)]
    http: HttpSettings,
}

/// Why nothing was published.
#[derive(Debug)]
enum Trouble {
    /// The command line or a file is wrong.
    Asked(String),
    /// Settings are wrong: all that are.
    Settings(Vec<Finding>),
    /// The target can't be reached.
    Target(String),
}

impl Service {
    fn from_environment() -> Result<Self, Trouble> {
        let command = config::empty_is_unset(Self::command(), |name| std::env::var_os(name));
        let matches = command.try_get_matches_from(["orderbox"]);
        matches
            .and_then(|matches| Self::from_arg_matches(&matches))
            .map_err(|error| Trouble::Asked(first_line(&error)))
    }
}

impl Publish {
    pub(crate) async fn run(self) -> ExitCode {
        let published = match Service::from_environment() {
            Ok(service) => self.publish(&service).await,
            Err(trouble) => Err(trouble),
        };
        match published {
            Ok(report) => output::answer(report.to_string(), report.exit_code()),
            Err(Trouble::Asked(text)) => output::failure(text),
            Err(Trouble::Settings(findings)) => {
                findings.iter().for_each(output::complain);
                ExitCode::from(output::COULD_NOT)
            }
            Err(Trouble::Target(text)) => {
                output::complain(text);
                ExitCode::FAILURE
            }
        }
    }

    async fn publish(&self, service: &Service) -> Result<Report, Trouble> {
        let address = match &self.to {
            Some(url) => Address::from_str(url.expose())
                .map_err(|error| Trouble::Asked(format!("--to {url} names no place: {error}")))?,
            None => Address::of_service(&service.jetstream, &service.stan, service.http.addr),
        };
        let (messages, what, length) = self.messages(&address)?;
        let place = address.to_string();
        match address {
            Address::Http(authority) => {
                let token = service.http.publish_token.as_ref().or(service.http.admin_token.as_ref());
                let target = HttpTarget::connect(authority, token).await.map_err(Trouble::Target)?;
                output::complain(format_args!("publishing {what} to {place}"));
                Ok(publish_to(&target, messages, length, self.rate).await)
            }
            Address::Stan { servers, cluster_id, channel } => {
                self.check(service, |findings| service.stan.check(findings))?;
                let target = StanTarget::new(&servers, &cluster_id, channel, &service.nats)
                    .map_err(|error| Trouble::Asked(error.to_string()))?;
                target.connect().await.map_err(Trouble::Target)?;
                output::complain(format_args!("publishing {what} to {place}"));
                let report = publish_to(&target, messages, length, self.rate).await;
                target.close().await;
                Ok(report)
            }
            Address::JetStream { servers, stream, subject } => {
                self.check(service, |findings| service.jetstream.check(findings))?;
                let options =
                    service.nats.options(&servers).map_err(|error| Trouble::Asked(error.to_string()))?;
                let target =
                    JetStreamTarget::connect(options, stream, subject).await.map_err(Trouble::Target)?;
                output::complain(format_args!("publishing {what} to {place}"));
                Ok(publish_to(&target, messages, length, self.rate).await)
            }
        }
    }

    /// The settings of the connection, and those of the broker where it was not named by `--to`.
    fn check(&self, service: &Service, of_broker: impl FnOnce(&mut Findings)) -> Result<(), Trouble> {
        let mut findings = Findings::default();
        service.nats.check(&mut findings);
        if self.to.is_none() {
            of_broker(&mut findings);
        }
        if findings.errors.is_empty() { Ok(()) } else { Err(Trouble::Settings(findings.errors)) }
    }

    /// The messages, what they are in words, and their number where it is known.
    fn messages(&self, address: &Address) -> Result<(Messages, String, Option<u64>), Trouble> {
        if !self.files.is_empty() {
            let messages = messages::of_files(&self.files).map_err(Trouble::Asked)?;
            let files = self.files.len();
            let what = format!("{files} {}", if files == 1 { "file" } else { "files" });
            return Ok((messages, what, messages::known_length(&self.files)));
        }
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let options = Options {
            broken: self.broken,
            items: self.items.map(usize::from),
            // Over HTTP they are a 413 and no dead letter
            oversized: !matches!(address, Address::Http(_)),
        };
        let what = format!("{} messages of --seed {seed}", self.count);
        Ok((messages::generated(Generator::new(seed, options), self.count), what, Some(self.count)))
    }
}

/// What a parser says about a setting, without its hints at flags that are not ours.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

async fn publish_to(
    target: &impl Target,
    messages: Messages,
    length: Option<u64>,
    rate: Option<f64>,
) -> Report {
    let bar = length.map_or_else(ProgressBar::no_length, ProgressBar::new);
    bar.set_style(
        ProgressStyle::with_template("{wide_bar} {pos}/{len}  {per_sec}  {elapsed}")
            .expect("a sound template"),
    );
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Nobody can interrupt then, short of ending the process
            std::future::pending::<()>().await;
        }
    };
    let report = pump::pump(target, messages, rate, &bar, interrupted).await;
    bar.finish_and_clear();
    report
}

fn rate(text: &str) -> Result<f64, &'static str> {
    let sound = |rate: &f64| (1e-6..=1e9).contains(rate);
    text.parse().ok().filter(sound).ok_or("write a number above 0, such as 200 or 0.5")
}

fn share(text: &str) -> Result<f64, &'static str> {
    text.parse()
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or("write a number from 0 to 1, such as 0.05")
}
