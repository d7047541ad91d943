//! Bytes on a connection as no HTTP client would send them.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{interval, timeout},
};

use super::orderbox::Orderbox;

/// How long a busy machine may take until the service has closed a connection.
const LIMIT: Duration = Duration::from_secs(60);

/// One connection to the service.
#[derive(Debug)]
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) async fn to(service: &Orderbox) -> Self {
        Self(TcpStream::connect(service.address()).await.expect("the service accepts connections"))
    }

    /// Sends as much as the service takes: it may close the connection at any byte.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.0.write_all(bytes.as_ref()).await);
    }

    /// Sends no more, and still reads.
    pub(crate) async fn end(&mut self) {
        drop(self.0.shutdown().await);
    }

    /// All that the service says until it closes the connection.
    pub(crate) async fn hear(mut self) -> String {
        let mut said = Vec::new();
        let reading = timeout(LIMIT, self.0.read_to_end(&mut said)).await;
        // A reset closes it as well.
        drop(reading.expect("the service closes the connection"));
        text(&said)
    }

    /// Sends `piece` again and again until the service closes the connection; all that it says.
    pub(crate) async fn trickle(self, piece: &str, every: Duration) -> String {
        let (mut reader, mut writer) = self.0.into_split();
        let mut said = Vec::new();
        let trickling = async {
            let mut ticks = interval(every);
            loop {
                ticks.tick().await;
                if writer.write_all(piece.as_bytes()).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            read = timeout(LIMIT, reader.read_to_end(&mut said)) => {
                drop(read.expect("the service closes the connection"));
            }
            () = trickling => {}
        }
        text(&said)
    }
}

/// Sends bytes on a connection of their own; all that the service says until it closes it.
pub(crate) async fn ask(service: &Orderbox, bytes: impl AsRef<[u8]>) -> String {
    let mut wire = Wire::to(service).await;
    wire.send(bytes).await;
    wire.hear().await
}

/// The statuses of all answers in what the service said.
pub(crate) fn statuses(said: &str) -> Vec<u16> {
    let lines = said.split("HTTP/1.").skip(1);
    lines.filter_map(|line| line.get(2..5)?.parse().ok()).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
