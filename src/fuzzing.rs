//! The doors of the fuzz targets (`fuzz/`): what must hold for any input, and a panic where it does not. Built for the tests,
//! which try the corpus, and under `--cfg fuzzing`; no release has it.

/// A message: both paths of validation come to one verdict, whose errors point at what they are about, and an order written
/// out from its normalized model is the same order.
pub fn validate(payload: &[u8]) {
    drop(crate::order::tests::holds::holds(payload));
}

/// A date: it is read the same after it was written in RFC 3339, and `time` does not contradict.
pub fn date(text: &str) {
    crate::order::tests::moments::holds(text);
}

/// The payload of a STAN message: decoding does not panic, and what was decoded survives being written again.
pub fn stan(payload: &[u8]) {
    crate::stan::holds::holds(payload);
}

/// A URI: what is understood of its path and query is within the bounds that the routes promise.
pub fn query(uri: &str) {
    crate::http::holds::holds(uri);
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// What each file of the corpus of a target is tried with; how many there were.
    fn tried(target: &str, holds: impl Fn(&[u8])) -> usize {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let files = fs::read_dir(&folder).expect("the corpus is in the repository");
        files
            .map(|file| {
                let file = file.expect("a readable folder").path();
                holds(&fs::read(&file).expect("a readable file"));
            })
            .count()
    }

    fn text(bytes: &[u8]) -> &str {
        str::from_utf8(bytes).expect("this target takes text")
    }

    #[test]
    fn every_message_of_the_corpus_keeps_the_promises() {
        assert!(tried("validate", super::validate) > 40);
    }

    #[test]
    fn every_date_of_the_corpus_keeps_the_promises() {
        assert!(tried("date", |bytes| super::date(text(bytes))) > 15);
    }

    #[test]
    fn every_stan_payload_of_the_corpus_keeps_the_promises() {
        assert!(tried("stan", super::stan) > 15);
    }

    #[test]
    fn every_uri_of_the_corpus_keeps_the_promises() {
        assert!(tried("query", |bytes| super::query(text(bytes))) > 20);
    }
}
