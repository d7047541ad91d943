use std::{process::ExitCode, sync::Arc};

use super::output;
use crate::{
    config::StoreSettings,
    store::{self, Store},
};

/// The database for a command that reads it. A missing one is not made: whoever mistypes DATABASE_URL must not get an
/// empty database that balances.
pub(crate) fn open(settings: &StoreSettings) -> Result<Arc<dyn Store>, ExitCode> {
    let options = store::Options { timeout: settings.timeout, ..store::Options::default() };
    store::connect(settings.url.expose(), &options).map_err(output::failure)
}
