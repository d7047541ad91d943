use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Api, Shared, feed, front::Front, router::router, stall::StallLimit};

/// At most so many connections; more wait in the kernel's queue. Each may hold a read buffer of [`MAX_BUFFER_BYTES`].
const MAX_CONNECTIONS: usize = 1024;

/// A request's head must arrive within this time, counted from the response before it: it also ends idle connections.
pub(super) const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest head; a uid of 255 characters, percent-encoded, takes 3 KB.
pub(super) const MAX_HEADER_BYTES: usize = 16 << 10;

/// What hyper may buffer of one connection.
const MAX_BUFFER_BYTES: usize = 64 << 10;

/// After a failed accept that is not the peer's doing, as in "too many open files": time for connections to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// How long requests that have begun may go on after the stop: by then all that was received is settled, and a client that
/// sends half a request, or does not read its answer, must not hold up the end of the service.
const FINISH: Duration = Duration::from_secs(5);

/// Serves until `stop`; then accepts no more, lets the requests that have begun finish, for 5 s at most, and returns.
pub async fn run(listener: TcpListener, api: Api, stop: CancellationToken) {
    let shared = Shared::new(api);
    let router = TowerToHyperService::new(router(Arc::clone(&shared)));
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut incoming = Incoming { listener, failing: false };
    let accepting = async {
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
            let (stream, peer) = incoming.next().await;
            // Fails only on a socket that is closed already, which the first read will say.
            drop(stream.set_nodelay(true));
            let front = Front { shared: Arc::clone(&shared), router: router.clone(), peer };
            let (stop, cut) = (stop.clone(), cut.clone());
            connections.spawn(async move {
                cut.run_until_cancelled(serve(stream, front, &stop)).await;
                drop(slot);
            });
        }
    };
    let serving = async { tokio::join!(accepting, feed::run(&shared)) };
    let stopped: Option<(Infallible, Infallible)> = stop.run_until_cancelled(serving).await;
    debug_assert!(stopped.is_none(), "neither has an end");
    drop(incoming);
    connections.close();
    if timeout(FINISH, connections.wait()).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "closing connections whose clients have not sent their request, or read its answer, {} s after the stop",
            FINISH.as_secs()
        );
        cut.cancel();
        connections.wait().await;
    }
}

struct Incoming {
    listener: TcpListener,
    failing: bool,
}

impl Incoming {
    /// The next connection. A listener that fails is logged once and asked again after a pause.
    async fn next(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok(accepted) => {
                    self.failing = false;
                    return accepted;
                }
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        tracing::error!(%error, "no connection can be accepted; trying again until one can");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// The connection was gone before it was accepted.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

pub(super) async fn serve<S>(stream: S, front: Front, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(StallLimit::new(stream)), front));
    let result = tokio::select! {
        biased;
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        // Clients that leave or send what is not HTTP are no concern of an operator.
        tracing::debug!(%error, "a connection has failed");
    }
}
