//! The `orderbox` binary.

fn main() {}
