//! What an expression of PromQL consists of. That Prometheus can read it, only Prometheus can say.

use std::collections::BTreeSet;

use orderbox::telemetry::{Kind, METRICS};
use rusty_promql_parser::{Expr, VectorSelector};

/// Metrics of others, and who exports them.
const FOREIGN: [(&str, &str); 3] = [
    ("up", "Prometheus"),
    ("node_filesystem_avail_bytes", "node exporter"),
    ("node_filesystem_size_bytes", "node exporter"),
];

/// Reads an expression to its end.
pub(crate) fn parse(text: &str) -> Expr {
    match rusty_promql_parser::expr(text) {
        Ok((rest, expression)) if rest.trim().is_empty() => expression,
        Ok((rest, _)) => panic!("{text}\nis not understood from here on: {rest}"),
        Err(error) => panic!("{text}\nis not understood: {error}"),
    }
}

/// Every name that an expression may use, given the names that rules record.
pub(crate) fn known_names(recorded: impl IntoIterator<Item = String>) -> BTreeSet<String> {
    let ours = METRICS.iter().flat_map(|metric| match metric.kind {
        Kind::Counter | Kind::Gauge => vec![metric.name.to_owned()],
        Kind::Histogram(_) => {
            ["bucket", "sum", "count"].map(|part| format!("{}_{part}", metric.name)).to_vec()
        }
    });
    ours.chain(FOREIGN.map(|(name, _)| name.to_owned())).chain(recorded).collect()
}

/// Whether somebody exports it whom the tests do not start.
pub(crate) fn is_of_another_exporter(name: &str) -> bool {
    FOREIGN.iter().any(|(known, exporter)| *known == name && *exporter != "Prometheus")
}

/// An expression and all its parts, from the outside in.
pub(crate) fn parts(expression: &Expr) -> Vec<&Expr> {
    let mut parts = vec![expression];
    parts.extend(children(expression).into_iter().flat_map(self::parts));
    parts
}

/// The selectors of an expression.
pub(crate) fn selectors(expression: &Expr) -> Vec<&VectorSelector> {
    let selectors = parts(expression).into_iter().filter_map(|part| match part {
        Expr::VectorSelector(selector) => Some(selector),
        Expr::MatrixSelector(matrix) => Some(&matrix.selector),
        _ => None,
    });
    selectors.collect()
}

/// The name that a selector selects by.
pub(crate) fn name(selector: &VectorSelector) -> &str {
    selector.name.as_deref().expect("every selector here begins with a name")
}

/// The labels that aggregations keep or drop and that operators match by, with the expression that must have them.
pub(crate) fn grouped_by(expression: &Expr) -> Vec<(&str, &Expr)> {
    let mut found = Vec::new();
    for part in parts(expression) {
        let labels = match part {
            Expr::Aggregation(aggregation) => {
                aggregation.grouping.iter().flat_map(|grouping| &grouping.labels).collect()
            }
            Expr::Binary(binary) => {
                let matching = binary.modifier.iter().filter_map(|modifier| modifier.matching.as_ref());
                matching.flat_map(|matching| &matching.labels).collect()
            }
            _ => Vec::new(),
        };
        found.extend(labels.into_iter().map(|label| (label.as_str(), part)));
    }
    found
}

/// The largest parts that filter nothing: what an alert compares. They have data whether it fires or not.
pub(crate) fn operands(expression: &Expr) -> Vec<&Expr> {
    if matches!(expression, Expr::Paren(_)) || parts(expression).into_iter().any(filters) {
        children(expression).into_iter().flat_map(operands).collect()
    } else if selectors(expression).is_empty() {
        Vec::new()
    } else {
        vec![expression]
    }
}

fn filters(expression: &Expr) -> bool {
    match expression {
        Expr::Binary(binary) => {
            let returns_bool = binary.modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
            binary.op.is_set_operator() || binary.op.is_comparison() && !returns_bool
        }
        Expr::Call(call) => call.name.starts_with("absent"),
        _ => false,
    }
}

fn children(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::Number(_) | Expr::String(_) | Expr::VectorSelector(_) | Expr::MatrixSelector(_) => Vec::new(),
        Expr::Call(call) => call.args.iter().collect(),
        Expr::Aggregation(aggregation) => aggregation.param.iter().chain([&aggregation.expr]).collect(),
        Expr::Binary(binary) => vec![&binary.lhs, &binary.rhs],
        Expr::Unary(unary) => vec![&unary.expr],
        Expr::Paren(inner) => vec![inner],
        Expr::Subquery(subquery) => vec![&subquery.expr],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn expect_operands(expression: &str, expected: &[&str]) {
        let expression = parse(expression);
        let found: Vec<_> = operands(&expression).into_iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_operands_of_an_alert_are_what_it_compares() {
        expect_operands("a > 1", &["a"]);
        expect_operands("rate(a[5m]) > on (job) 2 * b", &["rate(a[5m])", "2 * b"]);
        expect_operands("absent(up{job=\"x\"})", &["up{job=\"x\"}"]);
        expect_operands("(a > 1 or (b) == 0) and c unless d", &["a", "b", "c", "d"]);
        expect_operands("count without (instance) (up == 1 unless on (job) a) > 0", &["up", "a"]);
        expect_operands("a > bool 1", &["a > bool 1"]);
    }
}
