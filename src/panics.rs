//! What may be known of a panic: where it was, never what it says. The text of a panic may quote the message that was being
//! read, as that of a bad slice of a string does, and so hold personal data.

use std::{
    cell::RefCell,
    panic::{self, Location, PanicHookInfo, UnwindSafe},
    thread,
};

use tokio::task::JoinHandle;

thread_local! {
    /// Where this thread panicked last; the payload of a panic doesn't say it.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// From now on a panic of this process is a line of the log instead of its text on standard error.
pub(crate) fn log_by_place() {
    panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let place = info.location().map(written);
    tracing::error!(
        place = place.as_deref(),
        thread = thread::current().name(),
        "a bug in orderbox: please report it with this line"
    );
    PLACE.set(place);
}

fn written(location: &Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

/// What `work` returns, or, when it panics, where (file and line), which is known after [`log_by_place`].
pub(crate) fn catch<T>(work: impl FnOnce() -> T + UnwindSafe) -> Result<T, Option<String>> {
    PLACE.take();
    panic::catch_unwind(work).map_err(|_text| PLACE.take())
}

/// What a task returns that nothing aborts; its panic goes on here.
pub(crate) async fn outcome<T>(task: JoinHandle<T>) -> T {
    match task.await {
        Ok(outcome) => outcome,
        Err(panicked) => panic::resume_unwind(panicked.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Runs `work` with [`report`] as the hook for panics of this thread; the tests beside it keep theirs.
    fn reported<T>(work: impl FnOnce() -> T) -> T {
        let others = Arc::new(panic::take_hook());
        let (own, beside) = (thread::current().id(), Arc::clone(&others));
        panic::set_hook(Box::new(
            move |info| {
                if thread::current().id() == own { report(info) } else { beside(info) }
            },
        ));
        let result = work();
        panic::set_hook(Box::new(move |info| others(info)));
        result
    }

    #[test]
    fn a_panic_is_known_by_its_place_and_never_by_its_text() {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let caught = tracing::subscriber::with_default(log, || {
            reported(|| catch(|| panic!("a phone number: {}", "+972")))
        });
        let place = caught.expect_err("it panics").expect("the hook has seen where");
        assert!(place.starts_with("src/panics.rs:"), "{place}");
        let log = String::from_utf8(buffer.0.lock().expect("not poisoned").clone()).expect("UTF-8");
        assert!(log.contains(&place) && !log.contains("+972"), "{log}");
    }

    #[test]
    fn without_a_panic_the_result_is_handed_on() {
        assert_eq!(catch(|| 7), Ok(7));
    }
}
