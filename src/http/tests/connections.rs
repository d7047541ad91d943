use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper_util::service::TowerToHyperService;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{DOCUMENT, Doubles, LIMITS, Reply, UID, read_reply, start};
use crate::http::{front::Front, head, router::router, seats::Seat, server};

#[tokio::test]
async fn a_stop_lets_a_request_finish_and_ends_idle_connections() {
    let server = start().await;
    server.doubles.store.commit(UID, DOCUMENT);
    let mut idle = server.connect().await;
    let host = server.address;
    idle.write_all(format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.expect("written");
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.expect("an answer");
    server.doubles.store.pause();
    let finishing = async {
        server.doubles.store.reached().await;
        server.stop.cancel();
        read_reply(&mut (&first[..]).chain(&mut idle)).await;
        server.doubles.store.release();
        server.task.wait().await;
    };
    let path = format!("/order/{UID}");
    let (reply, ()) = tokio::join!(server.get(&path), finishing);
    assert_eq!((reply.status, reply.body.as_str()), (200, DOCUMENT));
    TcpStream::connect(host).await.expect_err("nobody listens any more");
}

#[tokio::test]
async fn a_stop_lets_a_look_up_end_whose_client_has_left() {
    let server = start().await;
    server.doubles.store.pause();
    let mut client = server.connect().await;
    let request = format!("GET /order/{UID} HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    client.write_all(request.as_bytes()).await.expect("written");
    server.doubles.store.reached().await;
    drop(client);
    server.stop.cancel();
    timeout(server::LINGER, server.task.wait()).await.expect_err("the store has not answered");
    server.doubles.store.release();
    server.task.wait().await;
}

#[tokio::test]
async fn a_stop_is_not_held_up_by_half_a_request_nor_by_a_client_that_does_not_read() {
    let server = start().await;
    let host = server.address;
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    // Far more than the kernel's buffers hold.
    server.doubles.store.commit("large", "x".repeat(1 << 20).leak());
    let mut unread = server.connect().await;
    unread.write_all(request("/order/large").repeat(100).as_bytes()).await.expect("written");
    let mut half = server.connect().await;
    half.write_all((request("/livez") + "GET /li").as_bytes()).await.expect("written");
    for client in [&mut unread, &mut half] {
        client.read_exact(&mut [0; 12]).await.expect("it is being served");
    }
    server.stop.cancel();
    let stopped = tokio::time::timeout(server::LINGER * 3, server.task.wait()).await;
    stopped.expect("it does not wait for what the clients may do");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_on_and_on_and_never_reads_is_cut_off() {
    let (doubles, stop) = (Doubles::new(), CancellationToken::new());
    let (client, server_side) = tokio::io::duplex(1 << 10);
    let (_unread, mut asking) = tokio::io::split(client);
    let began = Instant::now();
    let serving = async {
        let served = server::serve(server_side, front(&doubles), &stop);
        tokio::time::timeout(Duration::from_secs(3600), served).await.expect("it does not last for ever");
        began.elapsed()
    };
    let asking =
        async { while asking.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.is_ok() {} };
    let (after, ()) = tokio::join!(serving, asking);
    assert_eq!(after.as_secs(), LIMITS.idle_timeout.as_secs());
}

fn front(doubles: &Doubles) -> Front {
    let shared = doubles.shared();
    Front {
        router: TowerToHyperService::new(router(Arc::clone(&shared))),
        shared,
        seat: Arc::new(Seat::new()),
        peer: SocketAddr::from(([127, 0, 0, 1], 1)),
    }
}

/// A connection over a pipe in memory: with the clock stopped it moves on only when everybody waits.
async fn over_a_pipe(sent: &[u8]) -> (String, Duration) {
    let doubles = Doubles::new();
    let (mut client, server_side) = tokio::io::duplex(1 << 20);
    let began = Instant::now();
    let mut answer = Vec::new();
    tokio::join!(server::serve(server_side, front(&doubles), &doubles.stopping), async {
        client.write_all(sent).await.expect("the pipe has room");
        client.read_to_end(&mut answer).await.expect("the pipe is read to its end");
    });
    (String::from_utf8(answer).expect("answers are text"), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_and_an_idle_connection_are_cut_off() {
    let slack = Duration::from_secs(1);
    let (head, idle) = (LIMITS.header_timeout, LIMITS.idle_timeout);
    let (_, after) = over_a_pipe(b"GET /livez HTTP/1.1\r\nHost: loc").await;
    assert!((head..head + slack).contains(&after), "{after:?}");
    let (answer, after) = over_a_pipe(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!((idle..idle + slack).contains(&after), "{after:?}");
}

/// With the clock stopped the server has read before what was sent before.
const MOMENT: Duration = Duration::from_millis(1);

/// A client that sends the head of a POST, its body after each of these pauses, and then only reads.
async fn post_in_pieces(client: &mut (impl AsyncRead + AsyncWrite + Unpin), pauses: &[Duration]) -> Reply {
    let length = pauses.len();
    let head = format!("POST /order HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n");
    client.write_all(head.as_bytes()).await.expect("the pipe has room");
    for pause in pauses {
        sleep(*pause).await;
        client.write_all(b"x").await.expect("the connection is open");
    }
    read_reply(client).await
}

/// What is answered to a client that does so.
async fn answer_in_pieces(doubles: &Doubles, pauses: &[Duration]) -> Reply {
    let (mut client, server_side) = tokio::io::duplex(1 << 20);
    let serving = server::serve(server_side, front(doubles), &doubles.stopping);
    tokio::join!(post_in_pieces(&mut client, pauses), serving).0
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_head_does_not_run_while_a_body_arrives() {
    let pauses = [MOMENT, LIMITS.header_timeout + Duration::from_secs(1), MOMENT];
    let reply = answer_in_pieces(&Doubles::new(), &pauses).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_head_does_not_run_while_a_commit_is_waited_for() {
    let doubles = Doubles::new();
    doubles.intake.take(LIMITS.header_timeout * 3);
    let reply = answer_in_pieces(&doubles, &[MOMENT]).await;
    assert_eq!(reply.status, 202, "{}", reply.body);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_being_committed_at_the_stop_is_answered() {
    let doubles = Doubles::new();
    doubles.intake.take(server::LINGER * 4);
    let (mut client, server_side) = tokio::io::duplex(1 << 20);
    let stop = CancellationToken::new();
    let stopping = async {
        sleep(server::LINGER).await;
        stop.cancel();
    };
    let (reply, (), ()) = tokio::join!(
        post_in_pieces(&mut client, &[MOMENT]),
        server::serve(server_side, front(&doubles), &stop),
        stopping,
    );
    assert_eq!(reply.status, 202, "{}", reply.body);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_long_is_431() {
    for (length, told) in [(head::MAX_HEAD_BYTES, true), (head::MAX_READ_BYTES, false)] {
        let long = format!("GET /livez HTTP/1.1\r\nConnection: close\r\nX: {}\r\n\r\n", "x".repeat(length));
        let (answer, _) = over_a_pipe(long.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_eq!(answer.contains("application/problem+json"), told, "{answer}");
    }
}
