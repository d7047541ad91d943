//! The `orderbox` binary.

use std::process::ExitCode;

use orderbox::app::Ended;

fn main() -> ExitCode {
    orderbox::cli::main(async |settings| match orderbox::app::serve(&settings).await {
        Ok(Ended::Drained) => ExitCode::SUCCESS,
        Ok(Ended::Unfinished) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    })
}
