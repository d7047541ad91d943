use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::{Limits, seats::Seat};

/// A stream that fails once its client is too slow: when the head of a request is not complete `HTTP_HEADER_TIMEOUT` after its
/// first byte, and when nothing of an answer got through for `HTTP_IDLE_TIMEOUT`, for which hyper itself waits for ever.
#[derive(Debug)]
pub(super) struct Paced<S> {
    stream: S,
    seat: Arc<Seat>,
    head_limit: Duration,
    stall_limit: Duration,
    /// The head that has begun to arrive, by the number of requests before it; its time runs while a read waits.
    head: Option<(u32, Option<Pin<Box<Sleep>>>)>,
    /// Runs while a write waits.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(super) fn new(stream: S, seat: Arc<Seat>, limits: &Limits) -> Self {
        let (head_limit, stall_limit) = (limits.header_timeout, limits.idle_timeout);
        Self { stream, seat, head_limit, stall_limit, head: None, stalled: None }
    }

    /// Hands on what a read said, or that the head has taken too long.
    fn judge_read(
        &mut self,
        context: &mut Context<'_>,
        bytes: usize,
        read: Poll<io::Result<()>>,
    ) -> Poll<io::Result<()>> {
        let requests = self.seat.requests();
        // What has become a request is a head no longer.
        self.head.take_if(|(before, _)| *before != requests);
        if read.is_ready() {
            if bytes > 0 && self.head.is_none() && self.seat.is_between_requests() {
                self.head = Some((requests, None));
            }
            return read;
        }
        let Some((_, limit)) = &mut self.head else { return Poll::Pending };
        ready!(limit.get_or_insert_with(|| Box::pin(sleep(self.head_limit))).as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the head of a request takes too long")))
    }

    /// Hands on what a write said, or the end of the patience with it.
    fn judge<T>(&mut self, context: &mut Context<'_>, write: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.stalled = None;
            self.seat.progressed();
            return write;
        }
        let limit = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.stall_limit)));
        ready!(limit.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read its answers")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let bytes = buffer.filled().len() - before;
        self.judge_read(context, bytes, read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, write)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let write = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, write)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::{Instant, timeout},
    };

    use super::*;

    const LIMITS: Limits = Limits {
        max_connections: 1,
        header_timeout: Duration::from_secs(10),
        body_timeout: Duration::from_secs(15),
        idle_timeout: Duration::from_secs(30),
        max_lookups: 1,
    };

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_is_given_up_and_one_that_reads_slowly_is_not() {
        let (mut peer, ours) = tokio::io::duplex(1);
        let mut ours = Paced::new(ours, Arc::new(Seat::new()), &LIMITS);
        let slowly = async {
            let mut byte = [0];
            for _ in 0..10 {
                sleep(LIMITS.idle_timeout - Duration::from_secs(1)).await;
                peer.read_exact(&mut byte).await.expect("a byte is there");
            }
        };
        let (written, ()) = tokio::join!(ours.write_all(&[b'x'; 10]), slowly);
        written.expect("each byte got through in time");

        let began = Instant::now();
        let error = timeout(LIMITS.idle_timeout * 10, ours.write_all(b"xx")).await.expect("it gives up");
        assert_eq!(error.expect_err("nobody reads").kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), LIMITS.idle_timeout);
    }
}
