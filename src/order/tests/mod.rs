//! Promises about any bytes.

#[cfg(test)]
mod generate;
pub(crate) mod holds;
#[cfg(test)]
mod hostile;
pub(crate) mod moments;
mod oracle;
#[cfg(test)]
mod properties;
mod rewrite;
