use std::{fs, process::Command};

use axum::http::Method;
use bytes::Bytes;
use tempfile::TempDir;

use super::{assert_sound, on, received, start};
use crate::support::{
    client::Client,
    database::Database,
    free_port,
    orderbox::Orderbox,
    process::Process,
    program,
    stan_server::eventually,
    wire::{ask, statuses},
};

const TOKEN: &str = "the-token-of-a-publisher";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_pages_of_other_sites_and_proxies_cannot_publish() {
    let database = Database::sqlite().unwrap();
    let service = on(&database, &[]).await;
    let before = received(&database).await;
    let port = service.address().1;
    let host = format!("Host: localhost:{port}\r\n");
    let form = "Content-Type: text/plain\r\n";
    for (what, line, headers) in [
        ("a form of another site", "/order", format!("{host}Origin: http://other.example\r\n{form}")),
        ("a page of another port", "/order", format!("{host}Origin: http://localhost:3000\r\n")),
        ("a page in a sandbox", "/order", format!("{host}Origin: null\r\n{form}")),
        ("an image of another site", "/order", format!("{host}Sec-Fetch-Site: cross-site\r\n")),
        (
            "DNS rebinding",
            "/order",
            format!("Host: other.example:{port}\r\nOrigin: http://other.example:{port}\r\n"),
        ),
        ("DNS rebinding in the line", "http://other.example/order", host.clone()),
        ("a name that begins well", "/order", format!("Host: localhost.other.example:{port}\r\n")),
        ("no Host", "/order", String::new()),
        ("two Hosts", "/order", format!("{host}{host}")),
        ("X-Forwarded-For", "/order", format!("{host}X-Forwarded-For: 127.0.0.1\r\n")),
        ("X-Forwarded-Host", "/order", format!("{host}x-forwarded-host: localhost\r\n")),
        ("X-Real-IP", "/order", format!("{host}X-Real-IP: 127.0.0.1\r\n")),
        ("Forwarded", "/order", format!("{host}Forwarded: for=127.0.0.1;host=localhost\r\n")),
        ("Via", "/order", format!("{host}Via: 1.1 localhost\r\n")),
        ("an empty header of a proxy", "/order", format!("{host}Via:\r\n")),
    ] {
        // The body never comes: the head alone decides.
        let request =
            format!("POST {line} HTTP/1.1\r\nContent-Length: 9\r\nConnection: close\r\n{headers}\r\n");
        let said = ask(&service, request).await;
        assert_eq!(statuses(&said), [403], "{what}: {said}");
        assert!(said.contains("PUBLISH_TOKEN"), "{what}: {said}");
    }
    assert_eq!(received(&database).await, before);
    let own = format!("POST /order HTTP/1.1\r\nContent-Length: 1\r\nConnection: close\r\n{host}\r\nx");
    assert_eq!(statuses(&ask(&service, own).await), [202], "this machine may");
    assert_sound(&service).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_default_nginx_in_front_lets_others_read_and_publishes_only_with_a_token() {
    let Some(nginx) = program("nginx", &["/usr/sbin"]) else { return };
    let (open, closed) = (start(&[]).await, start(&[("PUBLISH_TOKEN", TOKEN)]).await);
    for (service, unnamed) in [(&open, 403), (&closed, 401)] {
        let folder = TempDir::new().unwrap();
        let (_nginx, client) = front(&nginx, service, &folder).await;
        assert_eq!(client.post("/order", "x").await.status, unnamed);
        let named = client.post_as(TOKEN, "/order", "x").await.status;
        assert_eq!(named, if unnamed == 401 { 202 } else { 403 });
        assert_sound(service).await;
    }
}

/// nginx with `proxy_pass` and nothing else said.
async fn front(nginx: &std::path::Path, service: &Orderbox, folder: &TempDir) -> (Process, Client) {
    let (port, (host, upstream)) = (free_port(), service.address());
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .concat();
    let config = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr; events {{}}
         http {{ access_log off; {paths}
           server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{host}:{upstream}; }} }} }}"
    );
    let file = folder.path().join("nginx.conf");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(nginx);
    command.arg("-p").arg(folder.path()).arg("-c").arg(&file);
    let process = Process::start("nginx", command, folder.path().join("nginx.log"));
    let client = Client::of(port);
    eventually("nginx passes reads on", || async {
        let answer = client.try_send(Method::GET, "/livez", Bytes::new()).await;
        answer.is_some_and(|answer| answer.status == 200)
    })
    .await;
    (process, client)
}
