//! The dashboards as files: what Grafana's provisioning needs, and what every panel owes to who looks at it.

use std::{collections::BTreeSet, process::Command};

use orderbox::telemetry::METRICS;
use rusty_promql_parser::Expr;
use serde_json::{Value, json};

use super::{
    expressions::{dashboards, list, of_dashboards, panels, project, read, string},
    promql,
};
use crate::support::program;

#[test]
fn the_dashboards_are_made_from_their_source() {
    let Some(jsonnet) = program("jsonnet", &[]) else { return };
    let made = tempfile::tempdir().unwrap();
    let status = Command::new(jsonnet)
        .args(["-m".as_ref(), made.path()])
        .arg(project("grafana/source/all.jsonnet"))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let names = |folder| -> BTreeSet<_> {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let committed = project("grafana/dashboards");
    assert_eq!(names(committed.as_path()), names(made.path()));
    for name in names(made.path()) {
        let [committed, made] =
            [committed.as_path(), made.path()].map(|folder| std::fs::read(folder.join(&name)));
        assert!(
            committed.unwrap() == made.unwrap(),
            "{} is not what `make dashboards` makes",
            name.display()
        );
    }
}

#[test]
fn the_source_is_formatted() {
    let Some(jsonnetfmt) = program("jsonnetfmt", &[]) else { return };
    let mut folders = vec![project("grafana/source")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let status = Command::new(&jsonnetfmt).arg("--test").arg(&path).status().unwrap();
                assert!(status.success(), "run jsonnetfmt -i {}", path.display());
            }
        }
    }
}

#[test]
fn a_dashboard_has_what_provisioning_needs() {
    let mut uids = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        let name = file.strip_suffix(".json").unwrap();
        assert_eq!(dashboard["uid"], format!("orderbox-{name}"), "links lead there");
        uids.insert(string(&dashboard["uid"]).to_owned());
        assert_eq!(dashboard["id"], Value::Null, "{file}: an id belongs to one Grafana");
        assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 39), "{file}");
        assert_eq!(dashboard["timezone"], "browser", "{file}");
        assert_eq!(dashboard["editable"], true, "{file}");
        assert_eq!(dashboard["tags"], json!(["orderbox"]), "{file}");
        for key in ["title", "description", "refresh"] {
            assert!(!string(&dashboard[key]).is_empty(), "{file}: {key}");
        }
        // They belong to dashboards that a person imports; provisioning asks nobody.
        for key in ["__inputs", "__requires", "__elements"] {
            assert!(dashboard.get(key).is_none(), "{file}: {key}");
        }
        let variables: Vec<_> =
            list(&dashboard["templating"]["list"]).iter().map(|one| [&one["name"], &one["type"]]).collect();
        assert_eq!(variables, [["datasource", "datasource"], ["instance", "query"]], "{file}");
    }
    for (file, dashboard) in dashboards() {
        for url in list(&dashboard["links"]).iter().map(|link| string(&link["url"])) {
            let known = url.strip_prefix("/d/").is_none_or(|uid| uids.contains(uid));
            assert!(known, "{file}: {url} leads nowhere");
        }
    }
}

#[test]
fn every_panel_explains_itself_and_asks_the_chosen_data_source() {
    let datasource = json!({ "type": "prometheus", "uid": "${datasource}" });
    for (file, dashboard) in dashboards() {
        let mut titles = BTreeSet::new();
        for panel in panels(&dashboard) {
            let title = string(&panel["title"]);
            assert!(!title.is_empty() && titles.insert(title), "{file}: two panels are named {title:?}");
            assert!(
                string(&panel["description"]).len() > 40,
                "{file}, {title}: what is normal, what is to be done?"
            );
            assert!(
                !string(&panel["fieldConfig"]["defaults"]["unit"]).is_empty(),
                "{file}, {title}: no unit"
            );
            let targets = list(&panel["targets"]);
            assert!(!targets.is_empty(), "{file}, {title}: nothing is asked");
            for asked in targets.iter().chain([panel]) {
                assert_eq!(asked["datasource"], datasource, "{file}, {title}");
            }
            for target in targets {
                assert!(!string(&target["legendFormat"]).is_empty(), "{file}, {title}: no legend");
                // The last figure of a range would be shown as today's while there is none.
                let one_figure = panel["type"] == "stat";
                assert_eq!(target["instant"], one_figure, "{file}, {title}");
                assert_eq!(target["range"], !one_figure, "{file}, {title}");
            }
        }
        let others = ["annotations", "templating"].map(|part| list(&dashboard[part]["list"]));
        for one in others.into_iter().flatten().filter(|one| one["type"] != "datasource") {
            assert_eq!(one["datasource"], datasource, "{file}, {}", one["name"]);
        }
    }
}

#[test]
fn panels_have_ids_and_places_of_their_own() {
    for (file, dashboard) in dashboards() {
        let (mut ids, mut cells) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&dashboard["panels"]) {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: {}", panel["id"]);
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
            assert!(x + w <= 24, "{file}, {}: is cut off", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(cells.insert(cell), "{file}, {}: lies on another panel", panel["title"]);
            }
        }
    }
}

#[test]
fn a_panel_looks_back_as_far_as_its_resolution_asks_and_names_only_known_metrics() {
    const INTERVAL: &str = "97s";
    let Expr::MatrixSelector(expected) = promql::parse(&format!("x[{INTERVAL}]")) else { unreachable!() };
    let rules = ["recording", "objectives"].map(|file| read(&format!("prometheus/rules/{file}.yml")));
    let records = rules.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once("- record: "));
    let known = promql::known_names(records.map(|(_, name)| name.to_owned()));
    let mut shown = BTreeSet::new();
    for expression in of_dashboards(INTERVAL) {
        let parsed = promql::parse(&expression.text);
        for part in promql::parts(&parsed) {
            match part {
                Expr::MatrixSelector(matrix) => {
                    assert_eq!(matrix.range, expected.range, "{}: not $__rate_interval", expression.place);
                }
                Expr::Subquery(_) => panic!("{}: a recording rule does that better", expression.place),
                _ => {}
            }
        }
        for name in promql::selectors(&parsed).into_iter().map(promql::name) {
            assert!(known.contains(name), "{}: there is no metric {name}", expression.place);
            shown.insert(name.to_owned());
        }
    }
    for metric in METRICS.iter().filter(|metric| metric.name.starts_with("orderbox_")) {
        assert!(shown.iter().any(|name| name.starts_with(metric.name)), "no panel shows {}", metric.name);
    }
}

#[test]
fn grafana_finds_what_compose_mounts_and_scrapes_as_often_as_it_believes() {
    let compose = read("docker-compose.yml");
    let provider = read("grafana/provisioning/dashboards/orderbox.yml");
    let source = read("grafana/provisioning/datasources/prometheus.yml");
    for mount in [
        "./grafana/provisioning/datasources:/etc/grafana/provisioning/datasources:ro".to_owned(),
        "./grafana/provisioning/dashboards:/etc/grafana/provisioning/dashboards:ro".to_owned(),
        format!("./grafana/dashboards:{}:ro", setting(&provider, "path")),
    ] {
        assert!(compose.contains(&mount), "docker-compose.yml does not mount {mount}");
    }
    let variable = &dashboards()[0].1["templating"]["list"][0];
    assert_eq!(variable["current"]["value"], setting(&source, "uid"));
    assert_eq!(setting(&source, "url"), "http://prometheus:9090");
    assert!(compose.contains("\n  prometheus:\n"), "docker-compose.yml has no service prometheus");
    assert_eq!(
        setting(&source, "timeInterval"),
        setting(&read("prometheus/prometheus.yml"), "scrape_interval")
    );
}

/// The value of the only line of a YAML text that sets this.
fn setting<'a>(text: &'a str, key: &str) -> &'a str {
    let values: Vec<_> =
        text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix(": ")).collect();
    assert_eq!(values.len(), 1, "{key} is set once");
    values[0]
}
