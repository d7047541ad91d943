use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use bytes::Bytes;
use tempfile::TempDir;

use super::{
    Result,
    support::{client::Client, free_port, process::Process, program, stan_server::eventually},
    wrk::SERVER_CORE,
};

/// As fast as nginx serves a file; the load tests compare with it as well.
pub(crate) const TUNED: &str = include_str!("../../loadtest/nginx.conf");
/// As Debian sets nginx up, but for one worker and the two headers.
pub(crate) const AS_INSTALLED: &str = include_str!("nginx-as-installed.conf");

/// One nginx process on core 0 that serves the same bytes for every order.
#[derive(Debug)]
pub(crate) struct Nginx {
    process: Process,
    port: u16,
    // Last, so that a failing run can still print the log in it.
    _folder: TempDir,
}

impl Nginx {
    pub(crate) async fn start(configuration: &str, document: &Bytes) -> Result<Self> {
        let nginx: PathBuf = program("nginx", &["/usr/sbin"]).ok_or("nginx is not installed")?;
        let folder = tempfile::tempdir()?;
        // Started by root, a worker is another user.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let port = free_port();
        let configuration =
            configuration.replace("@PORT@", &port.to_string()).replace("@CONNECTIONS@", "128");
        fs::write(folder.path().join("nginx.conf"), configuration)?;
        fs::write(folder.path().join("order.json"), document)?;
        let mut command = Command::new(SERVER_CORE[0]);
        command.args(&SERVER_CORE[1..]).arg(nginx).arg("-p").arg(folder.path());
        // The master would only watch over its one worker, and leave it behind when it is killed.
        command.args(["-c", "nginx.conf", "-e", "nginx.log", "-g", "master_process off;"]);
        let process = Process::start("nginx", command, folder.path().join("output.log"));
        let client = Client::of(port);
        eventually("nginx serves the document", || async {
            let answer = client.try_send(axum::http::Method::GET, "/order", Bytes::new()).await;
            answer.is_some_and(|answer| answer.status == 200 && answer.body == *document)
        })
        .await;
        Ok(Self { process, port, _folder: folder })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}
