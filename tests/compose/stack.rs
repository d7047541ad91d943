//! docker-compose.yml as Docker Compose 1.29 reads it, which is in Debian. It is written for Docker Compose 2.

use std::{
    path::Path,
    process::{Command, Output},
};

use yaml_rust2::{Yaml, YamlLoader};

use super::{dockerfile, env, is_pinned, read, root, settings};
use crate::support::program;

/// Runs `docker-compose config` with these variables, or `None` where it is not installed.
fn config(env_file: &Path) -> Option<Output> {
    let docker_compose = program("docker-compose", &[])?;
    let output = Command::new(docker_compose)
        .current_dir(root())
        .args(["--profile", "loadtest", "--env-file", env_file.to_str().expect("UTF-8"), "config"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("run docker-compose");
    Some(output)
}

/// The services with everything resolved, by name, or `None` where Docker Compose is not installed.
fn services() -> Option<Vec<(String, Yaml)>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".env");
    env::write(&file);
    let output = config(&file)?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [config] = &yaml(std::str::from_utf8(&output.stdout).unwrap())[..] else { panic!("one document") };
    let services = config["services"].as_hash().expect("services");
    Some(
        services.iter().map(|(name, service)| (name.as_str().unwrap().to_owned(), service.clone())).collect(),
    )
}

fn yaml(text: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(text).expect("YAML")
}

/// The texts of a list; none where there is no list.
fn list(value: &Yaml) -> Vec<&str> {
    value.as_vec().into_iter().flatten().map(|text| text.as_str().expect("a text")).collect()
}

#[test]
fn without_one_of_its_secrets_nothing_starts_and_the_message_names_it_and_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, lacking] = [".env", "lacking.env"].map(|name| folder.path().join(name));
    env::write(&whole);
    let whole = std::fs::read_to_string(whole).unwrap();
    for line in whole.lines() {
        let rest: Vec<&str> = whole.lines().filter(|other| *other != line).collect();
        std::fs::write(&lacking, rest.join("\n")).unwrap();
        let Some(output) = config(&lacking) else { return };
        let (name, _) = line.split_once('=').unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "it would start without {name}");
        assert!(told.trim_end().ends_with(&format!("{name} is not set. Run: make env")), "{told}");
    }
}

/// The ports of a service as `ADDRESS:PORT`, without the address where all are meant, and the port inside. Docker Compose writes
/// the first as a text and the others as a map.
fn ports(service: &Yaml) -> Vec<(String, i64)> {
    let ports = service["ports"].as_vec().into_iter().flatten();
    ports
        .map(|port| match port {
            Yaml::String(text) => {
                let (published, inside) = text.strip_suffix("/tcp").unwrap().rsplit_once(':').unwrap();
                (published.to_owned(), inside.parse().unwrap())
            }
            map => (map["published"].as_i64().unwrap().to_string(), map["target"].as_i64().unwrap()),
        })
        .collect()
}

#[test]
fn only_the_page_answers_other_machines() {
    let Some(services) = services() else { return };
    let page = [("8080".to_owned(), 8080), ("3000".to_owned(), 8080)];
    for (name, service) in &services {
        for port in ports(service) {
            let own = name == "orderbox" && page.contains(&port);
            assert!(own || port.0.starts_with("127.0.0.1:"), "{name}: {port:?}");
        }
    }
    let all: Vec<(String, i64)> = services.iter().flat_map(|(_, service)| ports(service)).collect();
    let monitoring = [("127.0.0.1:3001".to_owned(), 3000), ("127.0.0.1:8222".to_owned(), 8222)];
    for promised in page.iter().chain(&monitoring) {
        assert!(all.contains(promised), "{promised:?} is missing in {all:?}");
    }
}

#[test]
fn every_image_is_of_one_version_and_ours_is_of_the_crates() {
    let Some(services) = services() else { return };
    for (name, service) in &services {
        let image = service["image"].as_str().expect("an image");
        assert!(is_pinned(image), "{name}: {image}");
        if service["build"] != Yaml::BadValue {
            assert_eq!(image.split_once(':').unwrap().1, env!("CARGO_PKG_VERSION"), "{name}");
        }
    }
}

#[test]
fn no_container_can_do_more_than_it_must() {
    let Some(services) = services() else { return };
    for (name, service) in &services {
        assert_eq!(service["read_only"].as_bool(), Some(true), "{name}: its file system");
        assert_eq!(list(&service["cap_drop"]), ["ALL"], "{name}: capabilities");
        assert_eq!(list(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        for more in ["privileged", "cap_add", "devices", "network_mode", "pid", "ipc", "userns_mode"] {
            assert_eq!(service[more], Yaml::BadValue, "{name}: {more}");
        }
        let restart = if service["profiles"] == Yaml::BadValue { "unless-stopped" } else { "no" };
        assert_eq!(service["restart"].as_str(), Some(restart), "{name}");
        assert!(service["mem_limit"].as_str().is_some(), "{name}: memory without bound");
        let log = &service["logging"]["options"];
        assert!(log["max-size"].as_str().is_some() && log["max-file"].as_str().is_some(), "{name}: its log");
    }
}

#[test]
fn what_is_mounted_from_here_is_there_and_read_only_but_for_the_results() {
    let Some(services) = services() else { return };
    for (name, service) in &services {
        for volume in list(&service["volumes"]) {
            let mut parts = volume.split(':');
            let (source, mode) = (parts.next().unwrap(), parts.nth(1).unwrap_or_default());
            if !source.starts_with('/') {
                continue;
            }
            assert!(
                Path::new(source).is_dir(),
                "{name}: {source} is not there, and the engine would make it as root"
            );
            let results = root().join("loadtest/results");
            assert!(
                mode.starts_with("ro") || Path::new(source) == results,
                "{name}: {volume} can be written to"
            );
        }
    }
}

#[test]
fn every_variable_of_the_service_is_one_of_its_settings() {
    let Some(services) = services() else { return };
    let settings = settings();
    let (_, service) = services.iter().find(|(name, _)| name == "orderbox").unwrap();
    let given =
        service["environment"].as_hash().unwrap().keys().map(|name| name.as_str().unwrap().to_owned());
    for name in given.chain(dockerfile::image_environment().into_iter().map(|(name, _)| name)) {
        assert!(settings.contains(&format!("[env: {name}")), "{name} is no setting of orderbox");
    }
}

#[test]
fn a_stop_waits_longer_than_the_service_takes_to_drain() {
    let Some(services) = services() else { return };
    let settings = settings();
    let (_, rest) = settings.split_once("[env: SHUTDOWN_TIMEOUT=]").unwrap();
    let (_, rest) = rest.split_once("[default: ").unwrap();
    let seconds = |text: &str| text.strip_suffix('s').unwrap().parse::<u64>().unwrap();
    let (_, service) = services.iter().find(|(name, _)| name == "orderbox").unwrap();
    let grace = seconds(service["stop_grace_period"].as_str().unwrap());
    assert!(grace > seconds(rest.split_once(']').unwrap().0), "{grace} s");
}

#[test]
fn prometheus_and_grafana_look_where_the_services_are() {
    let Some(services) = services() else { return };
    let is_service = |host: &str| services.iter().any(|(name, _)| name == host);
    let [prometheus] = &yaml(&read("prometheus/prometheus.yml"))[..] else { panic!("one document") };
    for job in prometheus["scrape_configs"].as_vec().unwrap() {
        let targets = job["static_configs"].as_vec().into_iter().flatten();
        for target in targets.flat_map(|group| list(&group["targets"])) {
            let (host, _) = target.split_once(':').unwrap();
            assert!(host == "localhost" || is_service(host), "{target} is no service of docker-compose.yml");
        }
    }
    let provisioning = |file| yaml(&read(&format!("grafana/provisioning/{file}"))).remove(0);
    for source in provisioning("datasources/prometheus.yml")["datasources"].as_vec().unwrap() {
        let url = source["url"].as_str().unwrap();
        assert!(
            url.strip_prefix("http://").unwrap().split_once(':').is_some_and(|(host, _)| is_service(host)),
            "{url}"
        );
    }
    let (_, grafana) = services.iter().find(|(name, _)| name == "grafana").unwrap();
    for provider in provisioning("dashboards/orderbox.yml")["providers"].as_vec().unwrap() {
        let folder = provider["options"]["path"].as_str().unwrap();
        let mounted =
            list(&grafana["volumes"]).iter().any(|volume| volume.ends_with(&format!(":{folder}:ro")));
        assert!(mounted, "{folder} is not in Grafana's container");
    }
}
