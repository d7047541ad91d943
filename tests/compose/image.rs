//! The image without an engine: the build's own commands in an empty folder that holds only what an engine would be sent, then
//! the image's own entry point and health check as its user.
//!
//! Left out, since only an engine can do it: the root file system of the base. The compiler is the one that runs the tests, and
//! the last stage's RUN is checked by hand: it makes the working folder and gives it to the user.

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, SystemTime},
};

use super::{
    dockerfile::{Stage, exec_form, health_check, image_environment_on, service, stages},
    port_of, read, root,
};
use crate::support::{client::Client, process::Process, stan_server::eventually};

/// Where the builder works inside the image.
const BUILDER: &str = "/src";

#[tokio::test]
#[ignore = "long: a release build"]
async fn the_image_builds_from_what_is_sent_and_serves_the_sample_order_as_its_user() {
    let binary = build();
    // Nothing but what the C library and the compiler's runtime bring, which every Debian has.
    let linked = run(Command::new("ldd").arg(&binary));
    for library in String::from_utf8(linked.stdout).unwrap().lines() {
        let known = ["linux-vdso.so", "libgcc_s.so", "libm.so", "libc.so", "ld-linux"];
        assert!(known.iter().any(|name| library.contains(name)), "{library} is not in the image");
    }

    let container = Container::of(&binary);
    let service = service();
    let mut command = exec_form(service.last("ENTRYPOINT").unwrap());
    command.extend(exec_form(service.last("CMD").unwrap()));
    let log = container.folder.path().join("log");
    let mut process = Process::start("image", container.command(&command, 0), log);
    let port = port_of(&process).await;
    eventually("the health check of the image succeeds", || async {
        let check = container.command(&health_check(), port).output();
        check.expect("run the health check").status.success()
    })
    .await;
    let client = Client::of(port);
    assert_eq!(client.get("/healthz").await.status, 200);
    eventually("the sample order is there", || async {
        client.get("/order?order_uid=b563feb7b2b84b6test").await.body == orderbox::sample::MODEL
    })
    .await;
    let signal = service.last("STOPSIGNAL").unwrap().strip_prefix("SIG").unwrap();
    process.signal(signal);
    let ended = process.wait(Duration::from_secs(25)).await;
    assert!(ended.success(), "{ended}: {}", process.output());
    for file in fs::read_dir(container.work()).unwrap().flatten() {
        assert!(
            file.file_name().to_string_lossy().starts_with("orderbox.db"),
            "{file:?} was written as well"
        );
    }
}

/// Runs the stage `builder` and returns the binary that the last stage copies from it. `target/image` keeps what cargo made, as
/// the cache of an engine does.
fn build() -> PathBuf {
    let place = root().join("target/image");
    let [context, folder, kept] = ["context", "builder", "target"].map(|name| place.join(name));
    for emptied in [&context, &folder] {
        drop(fs::remove_dir_all(emptied));
        fs::create_dir_all(emptied).unwrap();
    }
    fs::create_dir_all(&kept).unwrap();
    symlink(&kept, folder.join("target")).unwrap();
    send(&context);

    let stages = stages();
    let builder = stages.iter().find(|stage| stage.name.as_deref() == Some("builder")).expect("a builder");
    let mut last_run = None;
    for (keyword, arguments) in &builder.instructions {
        match keyword.as_str() {
            "WORKDIR" => assert_eq!(arguments, BUILDER),
            "COPY" => copy(arguments, &context, &folder),
            "RUN" => last_run = Some(run(shell(arguments).current_dir(&folder))),
            other => panic!("{other} is not known here"),
        }
    }
    let compiled = String::from_utf8(last_run.expect("a RUN").stderr).unwrap();
    let compiled: Vec<&str> =
        compiled.lines().filter_map(|line| line.trim().strip_prefix("Compiling ")).collect();
    let [ours] = compiled[..] else {
        panic!("orderbox alone is left to compile after its dependencies, not {compiled:?}")
    };
    assert!(ours.starts_with("orderbox "), "{ours}");
    folder.join(copied_from_builder(stages.last().unwrap()))
}

/// Fills the context as a fresh clone would: the files that git knows, without those that .dockerignore leaves out. All are old:
/// an engine keeps the times of files, and no build may depend on theirs.
fn send(context: &Path) {
    let files = run(Command::new("git").args(["ls-files", "-z"]).current_dir(root()));
    let files = String::from_utf8(files.stdout).unwrap();
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    for path in files.split_terminator('\0').filter(|path| goes_to_the_engine(path)) {
        let to = context.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(root().join(path), &to).unwrap_or_else(|error| panic!("{path}: {error}"));
        File::options().write(true).open(&to).unwrap().set_modified(old).unwrap();
    }
}

/// Whether .dockerignore lets a path through: the last line that matches decides. Of its patterns only `*` and plain paths,
/// which stand for all below them, are known here.
pub(super) fn goes_to_the_engine(path: &str) -> bool {
    let matches = |pattern: &str| {
        let plain = pattern.trim_end_matches('/');
        assert!(plain == "*" || !plain.contains(['*', '?', '[']), "{pattern} is not known here");
        plain == "*" || Path::new(path).starts_with(plain)
    };
    let lines = read(".dockerignore");
    let mut goes = true;
    for line in lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (kept, pattern) = line.strip_prefix('!').map_or((false, line), |pattern| (true, pattern));
        if matches(pattern) {
            goes = kept;
        }
    }
    goes
}

/// COPY from the context: a file into a folder, or what is in a folder into another.
fn copy(arguments: &str, context: &Path, folder: &Path) {
    let mut paths: Vec<&str> = arguments.split_whitespace().collect();
    let to = folder.join(paths.pop().expect("a destination"));
    fs::create_dir_all(&to).unwrap();
    for path in paths {
        let from = context.join(path);
        let from = if from.is_dir() { from.join(".") } else { from };
        run(Command::new("cp").arg("--archive").arg(from).arg(&to));
    }
}

/// What the last stage takes from the builder's own folder, relative to it.
fn copied_from_builder(service: &Stage) -> PathBuf {
    let copies = service.instructions.iter().filter(|(keyword, _)| keyword == "COPY");
    let from_builder = copies.filter_map(|(_, arguments)| arguments.strip_prefix("--from=builder "));
    let binary = from_builder.filter_map(|arguments| arguments.split(' ').next()?.strip_prefix(BUILDER));
    let [binary] = binary.collect::<Vec<_>>()[..] else { panic!("one binary") };
    PathBuf::from(binary.trim_start_matches('/'))
}

/// RUN: a shell without the variables by which whoever runs the tests steers their own cargo.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    for (name, _) in std::env::vars() {
        let steers = name.starts_with("CARGO") || name.starts_with("RUST");
        if steers && !["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&&*name) {
            command.env_remove(name);
        }
    }
    command
}

/// A folder in the place of the image's file system.
#[derive(Debug)]
struct Container {
    folder: tempfile::TempDir,
}

impl Container {
    fn of(binary: &Path) -> Self {
        let container = Self { folder: tempfile::tempdir().unwrap() };
        fs::set_permissions(container.folder.path(), Permissions::from_mode(0o755)).unwrap();
        let programs = container.programs();
        fs::create_dir(&programs).unwrap();
        fs::copy(binary, programs.join("orderbox")).unwrap();
        fs::create_dir(container.work()).unwrap();
        if is_root() {
            let (user, group) = ids();
            chown(container.work(), Some(user), Some(group)).unwrap();
        }
        container
    }

    /// /usr/local/bin
    fn programs(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    /// The WORKDIR.
    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A command as the engine starts it: the image's environment and nothing else, and the image's user where the tests may
    /// change theirs.
    fn command(&self, words: &[String], port: u16) -> Command {
        let program = self.programs().join(&words[0]);
        let mut command = if is_root() {
            let (user, group) = ids();
            let mut command = Command::new("setpriv");
            command.args(["--clear-groups", "--no-new-privs", "--bounding-set=-all"]);
            command.args([format!("--reuid={user}"), format!("--regid={group}")]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.args(&words[1..]).current_dir(self.work()).env_clear().envs(image_environment_on(port));
        command
    }
}

/// The numbers of USER.
fn ids() -> (u32, u32) {
    let service = service();
    let (user, group) = service.last("USER").unwrap().split_once(':').unwrap();
    (user.parse().unwrap(), group.parse().unwrap())
}

fn is_root() -> bool {
    run(Command::new("id").arg("-u")).stdout == b"0\n"
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
