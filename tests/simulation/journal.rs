//! What happened in one run: a hash of every line, the lines themselves when asked for, counts, and the first broken promise.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
    sync::{Mutex, MutexGuard},
};

use tokio::time::Instant;

/// How often each thing happened, by its name.
pub(crate) type Counts = BTreeMap<&'static str, u64>;

#[derive(Debug)]
pub(crate) struct Journal {
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    hash: Fnv,
    lines: Option<Vec<String>>,
    counts: Counts,
    violation: Option<String>,
}

/// FNV-1a: the same on every machine, which std's hashers do not promise.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Write for Fnv {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

impl Journal {
    /// A journal that begins now; `keep` keeps its lines for a person.
    pub(crate) fn new(keep: bool) -> Self {
        let inner = Inner { lines: keep.then(Vec::new), ..Inner::default() };
        Self { began: Instant::now(), inner: Mutex::new(inner) }
    }

    /// Counts `name` and writes a line that begins with it.
    pub(crate) fn note(&self, name: &'static str, more: fmt::Arguments<'_>) {
        let ms = self.began.elapsed().as_millis();
        let mut inner = self.lock();
        *inner.counts.entry(name).or_default() += 1;
        writeln!(inner.hash, "{ms} {name} {more}").expect("hashing cannot fail");
        if let Some(lines) = &mut inner.lines {
            lines.push(format!("{ms:>8} ms  {name}: {more}"));
        }
    }

    /// A promise is broken. The first one is kept: what follows may only follow from it.
    pub(crate) fn violated(&self, promise: String) {
        self.note("VIOLATED", format_args!("{promise}"));
        self.lock().violation.get_or_insert(promise);
    }

    pub(crate) fn violation(&self) -> Option<String> {
        self.lock().violation.clone()
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.lock().violation.is_none()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.lock().hash.0
    }

    pub(crate) fn counts(&self) -> Counts {
        self.lock().counts.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().lines.clone().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}
