use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Api, Shared, feed, front::Front, head, pace::Paced, router::router, seats::Seats};

/// What hyper may buffer of one connection.
const MAX_BUFFER_BYTES: usize = 64 << 10;

/// After a failed accept that is not the peer's doing, as in "too many open files": time for connections to end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// How long requests that have begun may go on after the stop.
const FINISH: Duration = Duration::from_secs(5);

/// How long a client may then leave its request unfinished, or its answer unread: by then all that was received is settled,
/// and it must not hold up the end of the service.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// Serves until `stop`; then accepts no more, lets the requests that have begun finish, for 5 s at most, and returns.
pub async fn run(listener: TcpListener, api: Api, stop: CancellationToken) {
    let shared = Shared::new(api);
    let router = TowerToHyperService::new(router(Arc::clone(&shared)));
    let mut seats = Seats::new(shared.api.limits.max_connections);
    let connections = TaskTracker::new();
    let mut incoming = Incoming { listener, failing: false };
    let accepting = async {
        loop {
            let (stream, peer) = incoming.next().await;
            // After the accept: nobody has to leave before somebody has come.
            let place = seats.take().await;
            // Fails only on a socket that is closed already, which the first read will say.
            drop(stream.set_nodelay(true));
            let front = Front {
                shared: Arc::clone(&shared),
                router: router.clone(),
                peer,
                seat: Arc::clone(&place.seat),
            };
            let stop = stop.clone();
            connections.spawn(async move {
                serve(stream, front, &stop).await;
                drop(place);
            });
        }
    };
    let serving = async { tokio::join!(accepting, feed::run(&shared)) };
    let stopped: Option<(Infallible, Infallible)> = stop.run_until_cancelled(serving).await;
    debug_assert!(stopped.is_none(), "neither has an end");
    drop(incoming);
    connections.close();
    let finishing = async {
        connections.wait().await;
        shared.lookups.finish().await;
    };
    if timeout(FINISH, finishing).await.is_err() {
        tracing::warn!(
            connections = connections.len(),
            lookups = shared.lookups.running(),
            "giving up clients that have not sent their request, or read its answer, and look-ups that the database has not answered, {} s after the stop",
            FINISH.as_secs()
        );
        seats.dismiss();
        connections.wait().await;
    }
    shared.changes.close();
    shared.changes.wait().await;
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
    let (seat, limits) = (Arc::clone(&front.seat), front.shared.api.limits);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // From the answer before, so it is what ends idle connections; `Paced` has the time of a head that has begun.
        .header_read_timeout(limits.idle_timeout)
        .max_header_size(head::MAX_READ_BYTES)
        .max_buf_size(MAX_BUFFER_BYTES);
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(Paced::new(stream, Arc::clone(&seat), &limits)), front));
    let result = tokio::select! {
        biased;
        result = connection.as_mut() => result,
        () = seat.leave.cancelled() => Ok(()),
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                result = connection => result,
                () = seat.dawdles(LINGER) => Ok(()),
                () = seat.leave.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = result {
        // Clients that leave or send what is not HTTP are no concern of an operator.
        tracing::debug!(%error, "a connection has failed");
    }
}
