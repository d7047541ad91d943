//! docs/GUARANTEES.md and docs/STAN.md name tests that exist.

use std::{fs, path::Path};

fn page(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name)).unwrap()
}

#[test]
fn each_test_that_a_guarantee_or_a_case_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, least) in [("GUARANTEES.md", 50), ("STAN.md", 40)] {
        let page = page(name);
        let named: Vec<&str> =
            page.split('`').skip(1).step_by(2).filter(|code| code.contains("::")).collect();
        assert!(named.len() > least, "docs/{name} names its tests as `file::name`");
        for test in named.into_iter().filter(|name| *name != "file::name") {
            let (module, function) = test.rsplit_once("::").unwrap();
            let file = module.replace("::", "/");
            let source = ["src", "tests"]
                .iter()
                .flat_map(|folder| [format!("{folder}/{file}.rs"), format!("{folder}/{file}/mod.rs")])
                .filter_map(|path| fs::read_to_string(root.join(path)).ok())
                .find(|source| source.contains(&format!("fn {function}(")));
            assert!(source.is_some(), "docs/{name} names {test}, which is not in the sources");
        }
    }
}

#[test]
fn each_promise_names_a_test() {
    let page = page("GUARANTEES.md");
    let promises = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| promise |"));
    let mut count = 0;
    for promise in promises {
        count += 1;
        assert!(promise.contains("::"), "no test would fail without this promise: {promise}");
    }
    assert!(count > 20, "{count} promises");
}
