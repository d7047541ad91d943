use std::{collections::BTreeSet, process::Command};

use super::{ADMIN, order, publish, start};
use crate::support::{PYTHON_TOOLS, database::Database, orderbox::Orderbox, program};

/// Sends what the document at /openapi.json allows and what it does not, and holds every answer against it.
async fn conforms(database: &Database, token: Option<&str>) {
    let Some(schemathesis) = program("schemathesis", &[PYTHON_TOOLS]) else { return };
    let service = start(database).await;
    publish(&service, &[&order("b563feb7b2b84b6test", 1), &order("b563feb7b2b84b6test", 2), b"{", b"\xff"])
        .await;
    let (host, port) = service.address();
    let mut command = Command::new(schemathesis);
    command.current_dir(service.folder()).args(["run", &format!("http://{host}:{port}/openapi.json")]);
    command.args([
        "--checks",
        "all",
        "--phases",
        "examples,coverage,fuzzing,stateful",
        "--continue-on-failure",
    ]);
    command.args(["--seed", "1", "--max-examples", "40", "--generation-database", "none", "--no-color"]);
    // It reads each answer to its end, which a stream has only when the service stops; see `events`.
    command.args(["--exclude-path", "/api/events"]);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let output =
        tokio::task::spawn_blocking(move || command.output().expect("run schemathesis")).await.unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}\n{}", String::from_utf8_lossy(&output.stderr));
    for phase in ["Examples", "Coverage", "Fuzzing", "Stateful"] {
        assert!(report.contains(&format!("✅ {phase}")), "{phase} was left out:\n{report}");
    }
    service.until_settled().await;
    service.ok(&["audit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_does_what_its_document_says_to_an_administrator() {
    let Some(database) = Database::postgres().await else { return };
    conforms(&database, Some(ADMIN)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_does_what_its_document_says_to_anybody() {
    conforms(&Database::sqlite().unwrap(), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_name_of_the_document_is_one_name_and_every_operation_says_what_it_is() {
    let service = Orderbox::start(&[]).await;
    let answer = service.client().get("/openapi.json").await;
    assert_eq!(answer.headers["content-type"], "application/json");
    let document = answer.json();
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{name}");
            assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name}");
            assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{name}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let problem = response["content"]["application/problem+json"]["schema"]["$ref"].as_str();
                let probe = matches!(path.as_str(), "/healthz" | "/readyz");
                if status.parse::<u16>().unwrap() >= 400 && !(status == "503" && probe) {
                    assert_eq!(problem, Some("#/components/schemas/Problem"), "{name} {status}");
                }
            }
        }
    }
}
