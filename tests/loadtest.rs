//! `loadtest/run.sh` as a process of its own: what it measures, what it leaves behind, what it refuses to begin with.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use axum::{Router, http::StatusCode, routing::get};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::support::{link::Link, orderbox::Orderbox, process::Process, program, stan_server::eventually};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/loadtest/run.sh");

/// The script with a folder of its own, against one service.
struct Run {
    vegeta: PathBuf,
    target: String,
    folder: TempDir,
}

impl Run {
    /// Against `127.0.0.1:port`. `None` when vegeta is not installed.
    fn against(port: u16) -> Option<Self> {
        let home = std::env::var("HOME").unwrap_or_default();
        let vegeta = program("vegeta", &[&format!("{home}/go/bin")])?;
        let folder = tempfile::tempdir().unwrap();
        Some(Self { vegeta, target: format!("http://127.0.0.1:{port}"), folder })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = script(args);
        command
            .args(["--target", &self.target, "--results"])
            .arg(self.folder.path().join("results"))
            .current_dir(self.folder.path())
            .env("VEGETA", &self.vegeta)
            .env("TMPDIR", self.folder.path());
        command
    }

    fn ended(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it and gives the folder that it made; panics unless it succeeds.
    fn ok(&self, args: &[&str]) -> PathBuf {
        let output = self.ended(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        self.results()
    }

    fn results(&self) -> PathBuf {
        let folders = fs::read_dir(self.folder.path().join("results")).unwrap();
        let folders: Vec<PathBuf> = folders.map(|entry| entry.unwrap().path()).collect();
        assert_eq!(folders.len(), 1, "{folders:?}");
        folders.into_iter().next().unwrap()
    }

    /// The command lines of the processes that work for it: each names the service or a file of its folder.
    fn workers(&self) -> Vec<String> {
        let folder = self.folder.path().to_str().unwrap();
        let commands = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let bytes = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
        });
        commands.filter(|command| command.contains(folder) || command.contains(&self.target)).collect()
    }
}

/// A service that has the sample order: it comes in as any message does, a moment after the service is ready.
async fn service(settings: &[(&str, &str)]) -> Orderbox {
    let service = Orderbox::start(settings).await;
    eventually("the sample order can be read", || async {
        service.order("b563feb7b2b84b6test").await.is_ok()
    })
    .await;
    service
}

/// The script, with nothing of the environment of the tests but where programs are, and with as few open files as most
/// machines allow.
fn script(args: &[&str]) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", "ulimit -Sn 1024; exec bash \"$0\" \"$@\"", SCRIPT])
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("ORDERBOX", env!("CARGO_BIN_EXE_orderbox"));
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn report(folder: &Path, run: &str) -> Value {
    serde_json::from_slice(&fs::read(folder.join(format!("{run}.json"))).unwrap()).unwrap()
}

/// The cells of a table's row that holds all these words.
fn row(summary: &str, words: &[&str]) -> Vec<String> {
    let line = summary.lines().find(|line| line.starts_with('|') && words.iter().all(|w| line.contains(w)));
    let line = line.unwrap_or_else(|| panic!("no row {words:?} in\n{summary}"));
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// Well-formed by the judgement of an XML parser.
fn assert_svg(files: &[PathBuf]) {
    let Some(python) = program("python3", &[]) else { return };
    let parse = "import sys, xml.dom.minidom as xml\n\
                 for file in sys.argv[1:]: assert xml.parse(file).documentElement.tagName == 'svg'";
    let output = Command::new(python).args(["-c", parse]).args(files).output().unwrap();
    assert!(output.status.success(), "{files:?}: {}", text(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_leaves_figures_reports_and_pictures_and_asks_only_the_address_given() {
    let token = "a-token-that-nobody-should-read";
    let service = service(&[("PUBLISH_TOKEN", token)]).await;
    let Some(run) = Run::against(service.address().1) else { return };
    // A proxy of the environment is another address, and so is the default when another one was given. Where that port
    // is taken, the first of them is proof enough.
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", elsewhere.local_addr().unwrap());
    let watched = [Some(elsewhere), TcpListener::bind("127.0.0.1:8080").ok()];

    let output = run
        .command(&["--only", "5,1000,mix", "--duration", "1"])
        .env("PUBLISH_TOKEN", token)
        .env("http_proxy", &proxy)
        .env("HTTP_PROXY", &proxy)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));

    for listener in watched.iter().flatten() {
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "{} was asked", listener.local_addr().unwrap());
    }
    let results = run.results();
    // A busy machine does not get to send them all in time.
    for (name, at_least) in [("5", 1), ("1000", 100)] {
        let report = report(&results, name);
        assert!(report["requests"].as_u64().unwrap() >= at_least, "{report}");
        assert_eq!(report["success"], 1);
        assert_eq!(report["errors"], Value::Array(vec![]));
    }
    let answers = &report(&results, "mix")["status_codes"];
    let [found, unknown] = ["200", "404"].map(|status| answers[status].as_f64().unwrap());
    assert!((unknown / (found + unknown) - 0.2).abs() < 0.05, "two of ten orders do not exist: {answers}");
    assert_eq!(answers.as_object().unwrap().len(), 2, "{answers}");
    for name in ["5", "1000", "mix", "mix-orders", "mix-unknown", "mix-page"] {
        let of = |ending: &str| fs::read_to_string(results.join(format!("{name}.{ending}"))).unwrap();
        assert!(of("txt").starts_with("Requests"), "{}", of("txt"));
        let last = of("hdr").lines().last().unwrap().to_owned();
        let milliseconds: f64 = last.split_whitespace().next().unwrap().parse().unwrap();
        assert!(milliseconds > 0.0, "{last}");
    }
    let summary = fs::read_to_string(results.join("summary.md")).unwrap();
    for (words, asked) in [
        (&["one order", "p50 1.43"][..], "5"),
        (&["one order", "not published"], "1,000"),
        (&["mix for 1 s"], "2,000"),
    ] {
        let cells = row(&summary, words);
        assert_eq!([&cells[2], &cells[4], &cells[9]], [asked, "100 %", "none"]);
        let published: u32 = cells[10].parse().unwrap();
        assert!(published > 0, "nothing was published beside the reads: {summary}");
    }
    assert!(!summary.contains("Cut short"), "{summary}");
    assert!(!text(&output).contains(token));
    for file in fs::read_dir(&results).unwrap() {
        let path = file.unwrap().path();
        assert!(!fs::read_to_string(&path).unwrap().contains(token), "{} holds the token", path.display());
    }

    if program("gnuplot", &[]).is_some() {
        assert_svg(&["latency-percentiles.svg", "latency-over-time.svg"].map(|name| results.join(name)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_are_opened_than_there_are_workers() {
    let service = service(&[]).await;
    let link = Link::to(service.address().1).await;
    let Some(run) = Run::against(link.port()) else { return };

    run.ok(&["--only", "10000-short", "--workers", "8", "--publish", "0"]);

    // Two more are the questions that the script asks before.
    assert!(link.accepted() <= 8 + 2, "{} connections", link.accepted());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_a_success_is_a_finding() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    async fn answer() -> StatusCode {
        if ASKED.fetch_add(1, Ordering::Relaxed) % 50 != 49 {
            return StatusCode::OK;
        }
        FAILED.fetch_add(1, Ordering::Relaxed);
        StatusCode::SERVICE_UNAVAILABLE
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let router = Router::new().route("/order", get(answer));
    TaskTracker::new().spawn(async { axum::serve(listener, router).await });
    let Some(run) = Run::against(port) else { return };

    let output = run.ended(&["--only", "1000", "--duration", "1", "--publish", "0"]);

    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let report = report(&run.results(), "1000");
    // A busy machine sends fewer than the 1,000, and the share of the failed ones is no round number then.
    let failed = FAILED.load(Ordering::Relaxed);
    assert_eq!(report["status_codes"]["503"], failed, "{report}");
    let requests = report["requests"].as_u64().unwrap();
    let thousandths = 100_000 * (requests - failed as u64) / requests;
    let summary = fs::read_to_string(run.results().join("summary.md")).unwrap();
    let cells = row(&summary, &["one order"]);
    assert_eq!(cells[4], format!("{}.{:03} %", thousandths / 1000, thousandths % 1000));
    assert!(cells[9].contains("503 Service Unavailable"), "{cells:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupt_leaves_no_process_and_keeps_what_was_measured() {
    let service = service(&[]).await;
    let Some(run) = Run::against(service.address().1) else { return };
    let command = run.command(&["--only", "10000-short,1000", "--duration", "600"]);
    let mut process = Process::start("run.sh", command, run.folder.path().join("log"));
    eventually("the second run has begun", || async {
        let workers = run.workers();
        workers.iter().any(|command| command.contains("-rate 1000 "))
            && workers.iter().any(|command| command.contains(" publish "))
    })
    .await;

    process.signal("INT");

    assert_eq!(process.wait(Duration::from_secs(20)).await.code(), Some(130));
    assert_eq!(run.workers(), Vec::<String>::new());
    let summary = fs::read_to_string(run.results().join("summary.md")).unwrap();
    assert!(summary.contains("Cut short"), "{summary}");
    assert_eq!(row(&summary, &["one order at 10000/s for 1 s"])[4], "100 %");
    // All that is left are the results, the log, and not the samples.
    assert_eq!(fs::read_dir(run.folder.path()).unwrap().count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: ten runs"]
async fn the_comparison_measures_both_servers_five_times_and_ends_its_nginx() {
    let service = service(&[]).await;
    let Some(run) = Run::against(service.address().1) else { return };
    if program("nginx", &["/usr/sbin"]).is_none() {
        return;
    }

    let results = run.ok(&["--only", "compare-nginx", "--duration", "1"]);

    for pair in 1..=5 {
        for server in ["orderbox", "nginx"] {
            let report = report(&results, &format!("compare-nginx/{server}-{pair}"));
            assert_eq!(report["success"], 1);
            assert_eq!(report["errors"], Value::Array(vec![]));
        }
    }
    let summary = fs::read_to_string(results.join("summary.md")).unwrap();
    assert!(summary.contains("Median of the ratios of p99: **"), "{summary}");
    assert_eq!(run.workers(), Vec::<String>::new());
    if program("gnuplot", &[]).is_some() {
        assert_svg(&[results.join("latency-beside-nginx.svg")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_token_that_the_service_wants_nothing_is_measured() {
    let service = service(&[("PUBLISH_TOKEN", "a-token-that-the-script-is-not-given")]).await;
    let Some(run) = Run::against(service.address().1) else { return };

    let output = run.ended(&["--only", "1000"]);

    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("PUBLISH_TOKEN"), "{}", text(&output));
    assert_eq!(fs::read_dir(run.folder.path()).unwrap().count(), 0, "something was left behind");
}

#[test]
fn help_is_for_whoever_asks_and_a_wrong_argument_is_named() {
    let help = script(&["--help"]).output().unwrap();
    assert!(help.status.success());
    assert!(text(&help).contains("--compare-nginx"), "{}", text(&help));
    for (args, said) in [
        (&["--rate", "5"][..], "unknown argument '--rate'"),
        (&["--target"], "--target needs a value"),
        (&["--uid", "--only"], "--uid needs a value"),
        (&["--only", "5,7"], "there is no run '7'"),
        (&["--target", "127.0.0.1"], "--target 127.0.0.1 is no http://HOST:PORT"),
        (&["--duration", "soon"], "--duration soon is no number of seconds"),
        (&["--only", ","], "--only names no run"),
        (&["--only", "10,*"], "--only names no run"),
        (&["--only", "5,5"], "--only names 5 twice"),
        (&["--target", "http://127.0.0.1:1?x"], "is no http://HOST:PORT"),
        (&["--target", "http://127.0.0.[1-3]:1"], "is no http://HOST:PORT"),
        (&["--publish", "08"], "--publish 08 is no number"),
    ] {
        let output = script(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output).contains(said), "{args:?}: {}", text(&output));
    }
}

#[test]
fn what_is_missing_is_named_with_the_command_that_gets_it() {
    let bash = program("bash", &["/bin"]).expect("bash is there");
    let without_vegeta = Command::new(bash).arg(SCRIPT).env_clear().env("PATH", "").output().unwrap();
    assert_eq!(without_vegeta.status.code(), Some(2));
    let said = text(&without_vegeta);
    assert!(said.contains("go install github.com/tsenart/vegeta/v12@v12.13.0"), "{said}");

    // Nobody listens on port 1.
    let Some(run) = Run::against(1) else { return };
    let without_service = run.ended(&[]);
    assert_eq!(without_service.status.code(), Some(2));
    let said = text(&without_service);
    assert!(said.contains("nobody answers at http://127.0.0.1:1") && said.contains("cargo run"), "{said}");
}
