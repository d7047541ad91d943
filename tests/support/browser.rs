use std::{fs, panic::AssertUnwindSafe, path::Path, process::Command, time::Duration};

use fantoccini::{
    Client, ClientBuilder,
    error::CmdError,
    wd::{Capabilities, WebDriverCompatibleCommand},
};
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::{process::Process, program};

/// How long anything that a test waits for in the browser may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Where `make test-servers` puts the checker of accessibility.
const AXE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-tools/npm/axe-core@4.14.1/package/axe.min.js");

/// A headless Chromium with a profile of its own that reaches nothing but this machine.
#[derive(Debug, Clone)]
pub(crate) struct Browser {
    /// The WebDriver client, for what has no shorthand here.
    pub(crate) client: Client,
}

/// Runs `test` in a browser and ends the browser whatever becomes of the test. Does nothing when there is none.
pub(crate) async fn browse(test: impl AsyncFnOnce(Browser)) {
    let Some(program) = program("chromedriver", &["/usr/bin"]) else { return };
    let folder = tempfile::tempdir().expect("create a folder");
    let (_driver, port) = chromedriver(&program, folder.path()).await;
    let client = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
        .capabilities(capabilities(folder.path()))
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .expect("open a session");
    let limit = tokio::time::timeout(6 * PATIENCE, test(Browser { client: client.clone() }));
    // Closing the session is what ends Chromium; chromedriver alone would leave it behind.
    let outcome = AssertUnwindSafe(limit).catch_unwind().await;
    let closed = client.close().await;
    match outcome {
        // What went wrong in the test is the news, not what became of the browser by that.
        Err(panic) => std::panic::resume_unwind(panic),
        Ok(finished) => {
            finished.expect("the test takes no more than two minutes");
            closed.expect("close the session");
        }
    }
}

/// Starts chromedriver, and gives the port that it took; it says so once it listens.
///
/// Asked for any free port it takes one of IPv6 and then wants the same of IPv4, and ends when another program has that one.
async fn chromedriver(program: &Path, folder: &Path) -> (Process, u16) {
    let listening = async {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let mut command = Command::new(program);
            command.arg("--port=0");
            let log = folder.join(format!("chromedriver-{attempt}.log"));
            let mut driver = Process::start("chromedriver", command, log);
            loop {
                let ended = driver.exited().is_some();
                let output = driver.output();
                let port =
                    output.split_once("successfully on port ").and_then(|(_, rest)| rest.split_once('.'));
                if let Some((port, _)) = port {
                    return (driver, port.parse().expect("a port"));
                }
                if ended {
                    assert!(output.contains("port not available"), "chromedriver ended: {output}");
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("chromedriver listens")
}

fn capabilities(folder: &Path) -> Capabilities {
    let profile = folder.join("profile");
    fs::create_dir(&profile).expect("create the profile folder");
    let Value::Object(capabilities) = json!({
        "browserName": "chrome",
        "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        "timeouts": { "script": 20_000, "pageLoad": 20_000, "implicit": 0 },
        // A dialog that a test did not ask for is an error of that test.
        "unhandledPromptBehavior": "ignore",
        "goog:chromeOptions": { "args": [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            format!("--user-data-dir={}", profile.display()),
        ] },
    }) else {
        unreachable!("the literal above is an object");
    };
    capabilities
}

impl Browser {
    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("open {url}: {error}"));
    }

    /// Waits until an element matches `css`, and gives its text as a person sees it.
    pub(crate) async fn text(&self, css: &str) -> String {
        let element = format!("document.querySelector({})", json!(css));
        self.until(&element).await;
        let text = self.client.execute(&format!("return {element}.innerText"), vec![]).await;
        text.expect("read the text").as_str().expect("an element of the page").to_owned()
    }

    /// Waits until `expression`, in JavaScript, is true.
    pub(crate) async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        let mut last = Ok(Value::Null);
        let waiting = async {
            // While a page loads there is nothing to ask yet: an error too is "not yet".
            while !last.as_ref().is_ok_and(|answer| *answer == true) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                last = self.client.execute(&script, vec![]).await;
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let shown = self.run("return document.body.innerText").await;
            panic!("{expression} did not become true but {last:?} in:\n{shown}");
        }
    }

    /// Runs the body of a function in the page; a promise is waited for.
    pub(crate) async fn run(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[0]; (async () => {{ {body} }})().then(value => done({{ value }}), error => done({{ error: String(error) }}))"
        );
        let mut answer = self.client.execute_async(&script, vec![]).await.expect("run a script");
        assert_eq!(answer["error"], Value::Null, "in {body}");
        answer["value"].take()
    }

    /// Types into whatever has the focus, key by key as a keyboard would.
    pub(crate) async fn press(&self, keys: &str) {
        let element = self.client.active_element().await.expect("something has the focus");
        element.send_keys(keys).await.expect("type");
    }

    /// A command of the Chrome DevTools protocol.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.command("goog/cdp/execute", json!({ "cmd": command, "params": parameters })).await
    }

    /// The inner size of the window in CSS pixels.
    pub(crate) async fn size(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// What the reader prefers: `light` or `dark`.
    pub(crate) async fn color_scheme(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// The languages of the reader, the first preferred, as in `Accept-Language`.
    pub(crate) async fn languages(&self, languages: &str) {
        let agent = self.run("return navigator.userAgent").await;
        let parameters = json!({ "userAgent": agent, "acceptLanguage": languages });
        self.devtools("Emulation.setUserAgentOverride", parameters).await;
    }

    /// Every breach of the rules of axe, each as its name, its elements and how to mend it. Nothing, said loudly, when axe is not
    /// installed.
    pub(crate) async fn breaches(&self) -> Vec<String> {
        let Ok(axe) = fs::read_to_string(AXE) else {
            assert!(std::env::var_os("CI").is_none(), "axe-core is not installed: run `make test-servers`");
            eprintln!("SKIPPED: axe-core is not installed; run `make test-servers`");
            return Vec::new();
        };
        // As a script of the driver, which no policy of the page keeps out.
        self.client.execute(&axe, vec![]).await.expect("load axe");
        let found = self
            .run(
                "const { violations } = await axe.run();
                return violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html} ${node.failureSummary}`))",
            )
            .await;
        serde_json::from_value(found).expect("a list of texts")
    }

    /// A picture of the window as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("take a screenshot")
    }

    /// Everything that the console said since the last call.
    pub(crate) async fn console(&self) -> Vec<String> {
        let entries = self.log("browser").await;
        entries.iter().map(|entry| entry["message"].as_str().expect("a message").to_owned()).collect()
    }

    /// The address of every request since the last call, also of those that were blocked.
    pub(crate) async fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let events = entries.iter().map(|entry| -> Value {
            serde_json::from_str(entry["message"].as_str().expect("a message")).expect("an event")
        });
        events
            .map(|event| event["message"].clone())
            .filter(|message| message["method"] == "Network.requestWillBeSent")
            .map(|message| message["params"]["request"]["url"].as_str().expect("a url").to_owned())
            .collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let Value::Array(entries) = self.command("se/log", json!({ "type": kind })).await else {
            panic!("the log is no list");
        };
        entries
    }

    async fn command(&self, path: &'static str, body: Value) -> Value {
        let answer: Result<Value, CmdError> = self.client.issue_cmd(Extension { path, body }).await;
        answer.unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// A command of chromedriver beyond the WebDriver standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        let session = session.expect("a session is open");
        base.join(&format!("session/{session}/{}", self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (axum::http::Method, Option<String>) {
        (axum::http::Method::POST, Some(self.body.to_string()))
    }
}
