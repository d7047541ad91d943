//! One NATS connection: made once, never made again. The STAN client and JetStream stand on it.

mod address;
mod connect;
pub mod name;
mod options;

pub use address::{InvalidAddress, check_address};
pub use connect::{ConnectError, SUBSCRIPTION_CAPACITY, connect};
pub use options::{Options, OptionsError};
