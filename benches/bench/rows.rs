use std::fmt;

use serde_json::{Value, json};

/// What a figure must be to meet its target.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// Measured for what it says about the others.
    None,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    Times,
    PerSecond,
    Micros,
    Millis,
    Seconds,
    Bytes,
    /// 10^6 bytes.
    Megabytes,
    /// 2^20 bytes.
    Mebibytes,
    Percent,
}

/// The two sides of a ratio: what they count, and what the other side is.
#[derive(Debug, Clone, Copy)]
struct Sides {
    unit: Unit,
    reference: &'static str,
}

/// One figure, measured in rounds.
#[derive(Debug)]
pub(crate) struct Row {
    /// `group/figure`.
    name: &'static str,
    unit: Unit,
    target: Target,
    sides: Option<Sides>,
    values: Vec<f64>,
    ours: Vec<f64>,
    references: Vec<f64>,
    error: Option<String>,
}

/// All rows of a run, in the order in which they were announced.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    /// Where the rows of the group begin that is being measured.
    group: usize,
}

/// Names a row of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key(usize);

/// How a row did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    NotMet,
    /// No target.
    Shown,
    Broken,
}

impl Rows {
    /// A group begins: what fails from now on is an error of its rows.
    pub(crate) fn begin(&mut self) {
        self.group = self.rows.len();
    }

    /// A figure of its own.
    pub(crate) fn figure(&mut self, name: &'static str, unit: Unit, target: Target) -> Key {
        self.add(name, unit, target, None)
    }

    /// Our figure over that of a reference in the same round; both count `unit`.
    pub(crate) fn ratio(
        &mut self,
        name: &'static str,
        unit: Unit,
        reference: &'static str,
        target: Target,
    ) -> Key {
        self.add(name, Unit::Times, target, Some(Sides { unit, reference }))
    }

    fn add(&mut self, name: &'static str, unit: Unit, target: Target, sides: Option<Sides>) -> Key {
        let (values, ours, references) = (Vec::new(), Vec::new(), Vec::new());
        self.rows.push(Row { name, unit, target, sides, values, ours, references, error: None });
        Key(self.rows.len() - 1)
    }

    /// A round of a figure.
    pub(crate) fn measured(&mut self, key: Key, value: f64) {
        let row = &mut self.rows[key.0];
        row.values.push(value);
        eprintln!("   {}: {}", row.name, row.unit.of(value));
    }

    /// A round of a ratio.
    pub(crate) fn compared(&mut self, key: Key, ours: f64, reference: f64) {
        let row = &mut self.rows[key.0];
        row.ours.push(ours);
        row.references.push(reference);
        row.values.push(ours / reference);
        let sides = row.sides.expect("only a ratio is compared");
        let [ours, theirs] = [ours, reference].map(|value| sides.unit.of(value));
        eprintln!(
            "   {}: {ours}, {} {theirs}: {:.2}",
            row.name,
            sides.reference,
            row.values[row.values.len() - 1]
        );
    }

    /// The group ended before its time. What it had measured until then is kept.
    pub(crate) fn failed(&mut self, group: &'static str, trouble: &str) {
        eprintln!("   {group} failed: {trouble}");
        if self.rows.len() == self.group {
            self.figure(group, Unit::Times, Target::None);
        }
        for row in self.rows.iter_mut().skip(self.group) {
            row.error = Some(trouble.to_owned());
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }
}

impl Row {
    pub(crate) fn verdict(&self) -> Verdict {
        let Some(value) = median(&self.values).filter(|_| self.error.is_none()) else {
            return Verdict::Broken;
        };
        match self.target {
            Target::AtLeast(least) if value >= least => Verdict::Met,
            Target::AtMost(most) if value <= most => Verdict::Met,
            Target::None => Verdict::Shown,
            Target::AtLeast(_) | Target::AtMost(_) => Verdict::NotMet,
        }
    }

    /// What the table says of it.
    pub(crate) fn cells(&self) -> [String; 7] {
        let side = |values: &[f64], name: &str| match (self.sides, median(values)) {
            (Some(sides), Some(value)) => format!("{name}{}", sides.unit.of(value)),
            _ => String::new(),
        };
        let reference = self.sides.map(|sides| format!("{} ", sides.reference)).unwrap_or_default();
        let range = range(&self.values);
        [
            self.name.to_owned(),
            side(&self.ours, ""),
            side(&self.references, &reference),
            median(&self.values).map(|value| self.unit.of(value)).unwrap_or_default(),
            range
                .map(|(least, most)| format!("{} – {}", self.unit.of(least), self.unit.of(most)))
                .unwrap_or_default(),
            match self.target {
                Target::AtLeast(value) => format!("≥ {}", self.unit.of(value)),
                Target::AtMost(value) => format!("≤ {}", self.unit.of(value)),
                Target::None => String::new(),
            },
            match (&self.error, self.verdict()) {
                (Some(error), _) => format!("error: {}", first_words(error)),
                (None, verdict) => verdict.to_string(),
            },
        ]
    }

    pub(crate) fn json(&self) -> Value {
        let range = range(&self.values);
        json!({
            "name": self.name,
            "unit": self.unit.name(),
            "median": median(&self.values),
            "least": range.map(|(least, _)| least),
            "most": range.map(|(_, most)| most),
            "rounds": self.values,
            "target": match self.target {
                Target::AtLeast(value) => json!({ "at_least": value }),
                Target::AtMost(value) => json!({ "at_most": value }),
                Target::None => Value::Null,
            },
            "sides": self.sides.map(|sides| json!({
                "unit": sides.unit.name(),
                "orderbox": self.ours,
                sides.reference: self.references,
            })),
            "verdict": self.verdict().to_string(),
            "error": self.error,
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::NotMet => "not met",
            Self::Shown => "",
            Self::Broken => "error",
        })
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Times => "times",
            Self::PerSecond => "1/s",
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::Seconds => "s",
            Self::Bytes => "B",
            Self::Megabytes => "MB",
            Self::Mebibytes => "MiB",
            Self::Percent => "%",
        }
    }

    fn of(self, value: f64) -> String {
        match self {
            Self::Times => format!("{value:.2}"),
            Self::PerSecond => format!("{}/s", grouped(value)),
            Self::Bytes => format!("{} B", grouped(value)),
            Self::Micros
            | Self::Millis
            | Self::Seconds
            | Self::Megabytes
            | Self::Mebibytes
            | Self::Percent => {
                format!("{} {}", three_digits(value), self.name())
            }
        }
    }
}

/// The middle one, or halfway between the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

fn range(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().min_by(f64::total_cmp)?;
    Some((least, values.iter().copied().max_by(f64::total_cmp)?))
}

/// What fits into a cell; the JSON has the rest.
fn first_words(error: &str) -> String {
    error.lines().next().unwrap_or_default().chars().filter(|&letter| letter != '|').take(100).collect()
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        100.0.. => grouped(value),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A whole number with a comma before every three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
