//! A TCP link that a test can cut, block and mend, put between a client and a server that goes on running.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// A simple query in PostgreSQL's protocol: the text of the statement ends in a NUL.
const COMMIT: &[u8] = b"COMMIT\0";

/// The bytes of that message, with the type and the length before its text, and those of its answer, which is CommandComplete
/// and ReadyForQuery: <https://www.postgresql.org/docs/current/protocol-message-formats.html>.
const COMMIT_BYTES: u64 = 12;
const ANSWER_BYTES: u64 = 18;

/// What happens to the connections through the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Bytes pass both ways.
    Open,
    /// Connections were closed, and new ones are closed at once.
    Cut,
    /// Connections stay, and not a byte passes: a black hole.
    Blocked,
}

/// The mode, and how often the connections were reset.
#[derive(Debug, Clone, Copy)]
struct State {
    mode: Mode,
    resets: u64,
    /// How many connections were accepted, those that were closed at once too.
    accepted: u64,
    /// Blocks by itself when a client sends this.
    blocks_at: Option<&'static str>,
}

/// What the link sees pass.
#[derive(Debug, Default)]
struct Traffic {
    /// The next request with this in it loses its answer.
    loses_answer_to: Mutex<Option<&'static [u8]>>,
    /// Bytes that came from the server.
    answered: AtomicU64,
    /// Where connections are still to be cut.
    scissors: Mutex<Scissors>,
}

/// Where a connection ends in the middle of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The next connection that says anything, after so many bytes, both ways together. A new one does, and a client that has
    /// connections enough opens none.
    After(u64),
    /// The next one that sends a COMMIT, after so many bytes from the start of it; these reach from before it over the middle of it to after its
    /// answer.
    AtCommit(u64),
}

/// Cuts that are to come, and what those did that came.
#[derive(Debug, Default)]
struct Scissors {
    left: Vec<Cut>,
    done: Cuts,
}

/// How many connections ended where.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cuts {
    /// Before a COMMIT had passed whole: its transaction was not made.
    pub(crate) before: usize,
    /// After a COMMIT had passed, and before its answer had: it was made, and nobody knows.
    pub(crate) unknown: usize,
    /// After the answer to the last COMMIT.
    pub(crate) after: usize,
}

impl Scissors {
    /// After how many bytes the connection ends that says this now, when the cut whose turn it is falls there.
    fn fall(&mut self, commit: Option<u64>) -> Option<u64> {
        let bytes = match (*self.left.last()?, commit) {
            (Cut::After(bytes), _) => bytes,
            (Cut::AtCommit(bytes), Some(start)) => start + bytes,
            (Cut::AtCommit(_), None) => return None,
        };
        self.left.pop();
        Some(bytes)
    }
}

/// What a connection may still pass until it is cut, if it is.
#[derive(Debug, Default)]
struct Fuse {
    left: Option<u64>,
    /// Bytes of the COMMIT and of its answer that have passed; none before the first.
    of_commit: Option<u64>,
}

impl Fuse {
    /// How many bytes of this chunk pass; fewer than it has when the connection is cut in the middle of it.
    fn burn(&mut self, chunk: &[u8], from_client: bool, scissors: &mut Scissors) -> usize {
        let length = chunk.len() as u64;
        let commit = (from_client && chunk.ends_with(COMMIT)).then(|| length.saturating_sub(COMMIT_BYTES));
        self.left = self.left.or_else(|| scissors.fall(commit));
        let passes = self.left.map_or(length, |left| left.min(length));
        self.left = self.left.map(|left| left - passes);
        self.of_commit = match self.of_commit {
            _ if let Some(start) = commit => Some(passes.saturating_sub(start)),
            Some(COMMIT_BYTES..) if from_client && length > 0 => None,
            Some(passed) => Some(passed + passes),
            None => None,
        };
        usize::try_from(passes).expect("no more than the chunk")
    }

    fn is_burnt(&self) -> bool {
        self.left == Some(0)
    }

    /// Counts where it ended.
    fn count(&self, cuts: &mut Cuts) {
        match self.of_commit {
            Some(passed) if passed >= COMMIT_BYTES + ANSWER_BYTES => cuts.after += 1,
            Some(COMMIT_BYTES..) => cuts.unknown += 1,
            _ => cuts.before += 1,
        }
    }
}

/// Listens on a free port of 127.0.0.1 and forwards to another; ends with the value.
#[derive(Debug)]
pub(crate) struct Link {
    port: u16,
    state: Arc<watch::Sender<State>>,
    traffic: Arc<Traffic>,
    _tasks: JoinSet<()>,
}

impl Link {
    /// A link to `127.0.0.1:target`.
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("bind a free port");
        let port = listener.local_addr().expect("local address").port();
        let state =
            Arc::new(watch::Sender::new(State { mode: Mode::Open, resets: 0, accepted: 0, blocks_at: None }));
        let mut tasks = JoinSet::new();
        let traffic = Arc::new(Traffic::default());
        tasks.spawn(accept(listener, target, Arc::clone(&state), Arc::clone(&traffic)));
        Self { port, state, traffic, _tasks: tasks }
    }

    /// The port to connect to instead of the server's.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has had, those that were closed at once too.
    pub(crate) fn accepted(&self) -> u64 {
        self.state.borrow().accepted
    }

    /// Closes every connection and refuses new ones.
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| state.mode = Mode::Cut);
    }

    /// Lets no byte pass and closes nothing.
    pub(crate) fn block(&self) {
        self.state.send_modify(|state| state.mode = Mode::Blocked);
    }

    /// Blocks as soon as a client sends `text`: what it sent before passes, the text itself waits for [`Link::mend`].
    pub(crate) fn block_at(&self, text: &'static str) {
        self.state.send_modify(|state| state.blocks_at = Some(text));
    }

    /// Waits until nothing passes.
    pub(crate) async fn is_blocked(&self) {
        let mut state = self.state.subscribe();
        drop(state.wait_for(|state| state.mode == Mode::Blocked).await.expect("the link is there"));
    }

    /// Lets bytes and new connections pass again.
    pub(crate) fn mend(&self) {
        self.state.send_modify(|state| state.mode = Mode::Open);
    }

    /// Closes every connection; new ones pass.
    pub(crate) fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }

    /// The next COMMIT reaches the server, and its connection is closed when the answer arrives.
    pub(crate) fn lose_the_next_commit(&self) {
        self.lose_the_answer_to(COMMIT);
    }

    /// The next request with `text` in it reaches the server, and its connection is closed when the answer arrives.
    pub(crate) fn lose_the_answer_to(&self, text: &'static [u8]) {
        *self.traffic.loses_answer_to() = Some(text);
    }

    /// `true` once that has happened.
    pub(crate) fn has_lost_it(&self) -> bool {
        self.traffic.loses_answer_to().is_none()
    }

    /// Connections are cut where these say, one after the other, the last of them first.
    pub(crate) fn cut_at(&self, cuts: Vec<Cut>) {
        self.traffic.scissors().left = cuts;
    }

    /// How many cuts are still to come, and what those did that came.
    pub(crate) fn cuts(&self) -> (usize, Cuts) {
        let scissors = self.traffic.scissors();
        (scissors.left.len(), scissors.done)
    }

    /// Bytes that the server has sent so far.
    pub(crate) fn answered(&self) -> u64 {
        self.traffic.answered.load(Ordering::SeqCst)
    }
}

impl Traffic {
    fn loses_answer_to(&self) -> MutexGuard<'_, Option<&'static [u8]>> {
        self.loses_answer_to.lock().expect("nothing panics under this lock")
    }

    fn scissors(&self) -> MutexGuard<'_, Scissors> {
        self.scissors.lock().expect("nothing panics under this lock")
    }
}

async fn accept(listener: TcpListener, target: u16, state: Arc<watch::Sender<State>>, traffic: Arc<Traffic>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        state.send_modify(|state| state.accepted += 1);
        if state.borrow().mode != Mode::Cut {
            connections.spawn(forward(client, target, Arc::clone(&state), Arc::clone(&traffic)));
        }
    }
}

async fn forward(client: TcpStream, target: u16, shared: Arc<watch::Sender<State>>, traffic: Arc<Traffic>) {
    let mut state = shared.subscribe();
    let resets = state.borrow().resets;
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    // One future for the whole connection, polled only while the link is open: blocking loses no byte.
    let mut relay = pin!(relay(client, server, &shared, &traffic));
    loop {
        let now = *state.borrow_and_update();
        if now.mode == Mode::Cut || now.resets != resets {
            return;
        }
        tokio::select! {
            () = &mut relay, if now.mode == Mode::Open => return,
            changed = state.changed() => if changed.is_err() { return },
        }
    }
}

/// Passes bytes both ways until either side ends, which ends the other.
async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    state: &watch::Sender<State>,
    traffic: &Traffic,
) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let loses_answer = AtomicBool::new(false);
    let fuse = Mutex::new(Fuse::default());
    let burn = |chunk: &[u8], from_client| {
        let mut fuse = fuse.lock().expect("nothing panics under this lock");
        (fuse.burn(chunk, from_client, &mut traffic.scissors()), fuse.is_burnt())
    };
    let requests = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            let loses = |text: &mut &[u8]| buffer[..length].windows(text.len()).any(|part| part == *text);
            if traffic.loses_answer_to().take_if(loses).is_some() {
                loses_answer.store(true, Ordering::SeqCst);
            }
            let (passes, waits) = buffer[..length].split_at(blocks_at(state, &buffer[..length]));
            let (whole, cut) = burn(passes, true);
            if to_server.write_all(&passes[..whole]).await.is_err() || cut {
                break;
            }
            if !waits.is_empty() {
                state.send_modify(|state| (state.mode, state.blocks_at) = (Mode::Blocked, None));
                let opened = state.subscribe().wait_for(|state| state.mode == Mode::Open).await.is_ok();
                if !opened || to_server.write_all(waits).await.is_err() {
                    break;
                }
            }
        }
    };
    let answers = async {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
            traffic.answered.fetch_add(length as u64, Ordering::SeqCst);
            let (passes, cut) = burn(&buffer[..length], false);
            if loses_answer.load(Ordering::SeqCst)
                || to_client.write_all(&buffer[..passes]).await.is_err()
                || cut
            {
                break;
            }
        }
    };
    tokio::select! { () = requests => {}, () = answers => {} }
    let fuse = fuse.into_inner().expect("nothing panics under this lock");
    if fuse.is_burnt() {
        fuse.count(&mut traffic.scissors().done);
    }
}

/// How many of these bytes may pass before the link blocks.
fn blocks_at(state: &watch::Sender<State>, bytes: &[u8]) -> usize {
    let found = state.borrow().blocks_at.and_then(|text| {
        let text = text.as_bytes();
        bytes.windows(text.len()).position(|part| part == text)
    });
    found.unwrap_or(bytes.len())
}
