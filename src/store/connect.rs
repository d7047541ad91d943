use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    str::{FromStr, Utf8Error},
    sync::Arc,
    time::Duration,
};

use percent_encoding::percent_decode_str;
use sqlx::postgres::PgConnectOptions;
use thiserror::Error;

use super::{Store, postgres::Postgres, sqlite::Sqlite};

/// How the store is used.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// `STORE_TIMEOUT`: every call ends within it.
    pub timeout: Duration,
    /// Sessions that read. Those of the pipeline are besides, so that no number of readers holds it up: five of PostgreSQL,
    /// the one writer of SQLite; and one more for a migration, an audit or a vacuum of PostgreSQL.
    pub max_connections: usize,
    /// Whether a SQLite file that is not there is made; only `serve` does.
    pub create: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), max_connections: 8, create: false }
    }
}

/// A `DATABASE_URL` that can't be used. No retry heals it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// It names neither of the two databases.
    #[error("DATABASE_URL begins with {scheme:?}: use sqlite://FILE or postgres://USER@HOST/DATABASE")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// It is not a URL of its scheme. The URL itself is not shown: it may hold a password.
    #[error("DATABASE_URL is not a valid {scheme} URL: {reason}")]
    Url {
        /// The scheme.
        scheme: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// There is no such SQLite file.
    #[error("{} does not exist: only `orderbox serve` makes a database; check DATABASE_URL", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It names a folder, a device or a socket.
    #[error("{} is not a file: DATABASE_URL names the file of the database, as in sqlite://{}/orderbox.db", path.display(), path.display())]
    NoFile {
        /// What it names.
        path: PathBuf,
    },
    /// There is no folder for the SQLite file.
    #[error("{} is not a folder, so {} cannot be made in it: make it, or change DATABASE_URL", folder.display(), path.display())]
    NoFolder {
        /// The folder.
        folder: PathBuf,
        /// The file.
        path: PathBuf,
    },
    /// The SQLite file has several names, and SQLite keeps its log beside the one it is given.
    #[error(
        "{} has {names} names (hard links): SQLite would keep a log for each, and lose what was written under another; leave it one",
        path.display()
    )]
    Names {
        /// The file.
        path: PathBuf,
        /// How many.
        names: u64,
    },
    /// Another `serve`, or a `copy`, uses the SQLite file.
    #[error(
        "another `orderbox serve`, or an `orderbox copy`, uses this database: it holds {}; stop it, or change DATABASE_URL",
        path.display()
    )]
    Served {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file can't be used.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Kept for as long as `serve` or `copy` runs: another one on the same SQLite file is refused meanwhile.
#[derive(Debug)]
pub struct ServeLock(#[expect(dead_code, reason = "holds the lock until it is dropped")] File);

/// What a URL names.
pub(super) enum Target {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

impl Target {
    pub(super) fn of(url: &str) -> Result<Self, ConnectError> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => sqlite_path(url).map(Self::Sqlite),
            "postgres" | "postgresql" => PgConnectOptions::from_str(url)
                .map(|options| Self::Postgres(Box::new(options)))
                .map_err(|error| ConnectError::Url { scheme: "postgres", reason: reason(&error) }),
            _ => Err(ConnectError::Scheme { scheme: scheme.chars().take(32).collect() }),
        }
    }
}

/// Opens the database of this URL. Nothing is sent yet: a server that is away is no error here, and every call tries
/// again. Reads the file system when the URL names a file.
///
/// # Errors
/// What no retry heals: a URL that is wrong, a SQLite file that is missing, a folder that is missing.
pub fn connect(url: &str, options: &Options) -> Result<Arc<dyn Store>, ConnectError> {
    match Target::of(url)? {
        Target::Sqlite(path) => {
            check_file(&path, options.create)?;
            Ok(Arc::new(Sqlite::new(&path, options)))
        }
        Target::Postgres(target) => Ok(Arc::new(Postgres::new(*target, options))),
    }
}

/// Makes sure that this is the only `serve` or `copy` on the database of this URL; PostgreSQL takes any number.
///
/// # Errors
/// When another one runs, when the lock file can't be made, and when the URL is wrong.
pub fn lock_for_serve(url: &str) -> Result<Option<ServeLock>, ConnectError> {
    let Target::Sqlite(database) = Target::of(url)? else { return Ok(None) };
    check_file(&database, true)?;
    // Two names of one file share its lock; SQLite resolves them the same way for its log.
    let database = database.canonicalize().unwrap_or(database);
    // A file of its own: closing any descriptor of the database would drop the locks that SQLite holds on it.
    let mut path = database.into_os_string();
    path.push(".lock");
    let path = PathBuf::from(path);
    let made = File::options().create(true).truncate(false).write(true).open(&path);
    // On a file system that is read-only for now an older lock file serves as well; a lock takes no writing.
    let file = match made.or_else(|refused| File::open(&path).map_err(|_| refused)) {
        Ok(file) => file,
        Err(source) => return Err(ConnectError::Lock { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(ServeLock(file))),
        Err(TryLockError::WouldBlock) => Err(ConnectError::Served { path }),
        Err(TryLockError::Error(source)) => Err(ConnectError::Lock { path, source }),
    }
}

/// The file that a sqlite: URL names; what it can't hold plainly is percent-encoded.
pub(crate) fn sqlite_file(url: &str) -> Result<PathBuf, Utf8Error> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let name = rest.strip_prefix("//").unwrap_or(rest);
    Ok(PathBuf::from(&*percent_decode_str(name).decode_utf8()?))
}

fn sqlite_path(url: &str) -> Result<PathBuf, ConnectError> {
    let wrong = |reason: &str| ConnectError::Url { scheme: "sqlite", reason: reason.to_owned() };
    if url.contains('?') {
        return Err(wrong(
            "it takes no parameters; leave out everything from the ? on (in a file name write %3F)",
        ));
    }
    let path = sqlite_file(url).map_err(|error| wrong(&error.to_string()))?;
    if path.as_os_str().is_empty() {
        return Err(wrong("it names no file; write sqlite://orderbox.db"));
    }
    if url.ends_with(":memory:") {
        return Err(wrong("a database in memory would lose what was acknowledged; name a file"));
    }
    Ok(path)
}

pub(super) fn check_file(path: &Path, create: bool) -> Result<(), ConnectError> {
    if path.is_file() {
        return match names(path) {
            0 | 1 => Ok(()),
            names => Err(ConnectError::Names { path: path.to_owned(), names }),
        };
    }
    if path.exists() {
        return Err(ConnectError::NoFile { path: path.to_owned() });
    }
    if !create {
        return Err(ConnectError::Missing { path: path.to_owned() });
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        Ok(())
    } else {
        Err(ConnectError::NoFolder { folder: folder.to_owned(), path: path.to_owned() })
    }
}

/// How many hard links a file has; 1 where that can't be told.
#[cfg(unix)]
fn names(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    path.metadata().map_or(1, |metadata| metadata.nlink())
}

/// How many hard links a file has; 1 where that can't be told.
#[cfg(not(unix))]
fn names(_: &Path) -> u64 {
    1
}

/// sqlx's text without its prefix.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Configuration(source) => source.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(url: &str) -> Result<PathBuf, String> {
        sqlite_path(url).map_err(|error| error.to_string())
    }

    #[test]
    fn a_sqlite_url_names_any_file() {
        for (url, name) in [
            ("sqlite://orderbox.db", "orderbox.db"),
            ("sqlite:orderbox.db", "orderbox.db"),
            ("sqlite://data/order box.db", "data/order box.db"),
            ("sqlite:///var/lib/orderbox.db", "/var/lib/orderbox.db"),
            ("sqlite:///tmp/a%20b%25c%3Fd.db", "/tmp/a b%c?d.db"),
        ] {
            assert_eq!(path(url), Ok(PathBuf::from(name)), "{url}");
        }
    }

    #[test]
    fn a_url_that_can_never_work_is_refused_with_the_way_out() {
        for (url, part) in [
            ("sqlite://", "names no file"),
            ("sqlite://:memory:", "would lose"),
            ("sqlite::memory:", "would lose"),
            ("sqlite://orderbox.db?mode=rwc", "leave out"),
            ("mysql://root@localhost/orders", "sqlite://FILE or postgres://"),
            ("orderbox.db", "sqlite://FILE or postgres://"),
            ("", "sqlite://FILE or postgres://"),
            ("postgres://user:secret@host:port/db", "not a valid postgres URL"),
            ("sqlite:///no/such/folder/orderbox.db", "does not exist: only `orderbox serve`"),
        ] {
            let error = connect(url, &Options::default()).expect_err(url).to_string();
            assert!(error.contains(part), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_file_of_two_names_is_refused_for_each_would_have_a_log_of_its_own() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let names = ["one.db", "two.db"].map(|name| folder.path().join(name));
        std::fs::write(&names[0], "").expect("write");
        std::fs::hard_link(&names[0], &names[1]).expect("link");
        for name in &names {
            let url = format!("sqlite://{}", name.display());
            let errors = [
                lock_for_serve(&url).expect_err("two names"),
                connect(&url, &Options::default()).expect_err("two names"),
            ];
            for error in errors {
                assert!(error.to_string().contains("has 2 names (hard links)"), "{error}");
            }
        }
        std::fs::remove_file(&names[1]).expect("remove");
        lock_for_serve(&format!("sqlite://{}", names[0].display())).expect("one name");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let options = Options { create: true, ..Options::default() };
        let error = connect("sqlite:///no/such/folder/orderbox.db", &options).expect_err("no folder");
        assert!(error.to_string().starts_with("/no/such/folder is not a folder"), "{error}");
    }
}
