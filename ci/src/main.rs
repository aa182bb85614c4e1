//! What CI runs, as code.
fn main() {}
