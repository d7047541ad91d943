//! Promises about any bytes.

mod generate;
mod hostile;
mod oracle;
mod properties;
