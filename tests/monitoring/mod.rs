//! What watches the service: dashboards, rules and alerts.

mod dashboards;
mod expressions;
mod promql;
mod proof;
mod rules;
