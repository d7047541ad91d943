use std::process::{Command, Stdio};

use crate::support::{
    client::Client, orderbox::Orderbox, process::Process, program, stan_server::eventually,
};

/// What the service shows on a terminal, which `script` makes for it.
fn on_a_terminal(service: &Orderbox, settings: &[(&str, &str)]) -> Option<Process> {
    let script = program("script", &[])?;
    let mut command = Command::new(script);
    // `exec`, so that a signal to the shell's process reaches the service.
    let serve = format!("exec {} serve", env!("CARGO_BIN_EXE_orderbox"));
    command
        .args(["--quiet", "--flush", "--return", "--command", &serve, "/dev/null"])
        .current_dir(service.folder())
        .env_clear()
        .env("SHELL", "/bin/sh")
        .env("NO_COLOR", "1")
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    Some(Process::start("terminal", command, service.folder().join("terminal.log")))
}

/// The address and the token of the one link in a text.
fn link(text: &str) -> Option<(u16, String)> {
    let (before, after) = text.split_once("/#token=")?;
    let port = before.rsplit(':').next()?.parse().ok()?;
    let (token, _) = after.split_once(|character: char| !character.is_ascii_alphanumeric())?;
    Some((port, token.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_shows_a_link_once_whose_token_opens_what_is_for_administrators() {
    let folder = Orderbox::prepare(&[]);
    let Some(terminal) = on_a_terminal(&folder, &[("HTTP_ADDR", "0.0.0.0:0")]) else { return };
    eventually("the link is shown", || async { link(&terminal.output()).is_some() }).await;
    let shown = terminal.output();
    let (port, token) = link(&shown).unwrap();
    assert!(token.len() >= 32, "{shown}");
    assert!(
        shown.contains(&format!("http://127.0.0.1:{port}/#token={token}")),
        "an address to go to: {shown}"
    );
    let client = Client::of(port);
    eventually("the store is ready", || async {
        client.get_as(&token, "/api/dead-letters").await.status == 200
    })
    .await;
    assert_eq!(client.get("/api/dead-letters").await.status, 401);
    // The token is nobody's choice, so it changes nothing about who may publish.
    assert_eq!(client.post("/order", "x").await.status, 202);
    assert_eq!(client.get_as(&token, "/order/%20").await.status, 400);
    assert_eq!(terminal.output().matches(&token).count(), 1, "{}", terminal.output());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminal_shows_no_link_where_the_token_is_set() {
    let folder = Orderbox::prepare(&[]);
    let settings = [("HTTP_ADDR", "127.0.0.1:0"), ("ADMIN_TOKEN", super::ADMIN)];
    let Some(terminal) = on_a_terminal(&folder, &settings) else { return };
    eventually("it listens", || async { terminal.output().contains("listening on") }).await;
    eventually("it works", || async { terminal.output().contains("the cache holds") }).await;
    let shown = terminal.output();
    assert!(!shown.contains("token") && !shown.contains(super::ADMIN), "{shown}");
}
