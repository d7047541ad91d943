//! The `orderbox` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    orderbox::cli::main(orderbox::app::run)
}
