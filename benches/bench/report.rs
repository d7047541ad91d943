//! The table for a person, and the same as JSON.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde_json::{Value, json};

use super::{
    machine,
    rows::{Row, Rows},
    settings::Settings,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench");
const HEAD: [&str; 7] = ["row", "orderbox", "reference", "median", "range", "target", ""];

/// Writes target/bench/bench.json.
pub(crate) fn write(settings: &Settings, rows: &Rows) -> io::Result<()> {
    fs::create_dir_all(FOLDER)?;
    let report = json!({
        "date": machine::date(),
        "machine": machine::facts(),
        "settings": settings.named(),
        "rows": rows.iter().map(Row::json).collect::<Vec<Value>>(),
    });
    fs::write(Path::new(FOLDER).join("bench.json"), format!("{report:#}\n"))
}

/// Prints the table as Markdown, as it stands in docs/PERFORMANCE.md.
pub(crate) fn print(settings: &Settings, rows: &Rows) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "\n{}: {}. Rounds: {}.\n", machine::date(), machine::sentence(), settings.rounds)?;
    let lines: Vec<[String; 7]> = rows.iter().map(Row::cells).collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.chain([HEAD[column].len()]).max().unwrap_or_default()
        })
        .collect();
    writeln!(out, "{}", line(HEAD, &widths))?;
    let rule: Vec<String> = widths[..HEAD.len() - 1].iter().map(|width| "-".repeat(*width)).collect();
    writeln!(out, "|-{}-|---|", rule.join("-|-"))?;
    for cells in &lines {
        writeln!(out, "{}", line(cells.each_ref().map(String::as_str), &widths))?;
    }
    writeln!(out, "\nThe same with every round: {FOLDER}/bench.json")
}

/// The last cell may be long, and stands as it is.
fn line(cells: [&str; 7], widths: &[usize]) -> String {
    let [padded @ .., last] = cells;
    let padded: Vec<String> =
        padded.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}", width = *width)).collect();
    format!("| {} | {last} |", padded.join(" | "))
}
