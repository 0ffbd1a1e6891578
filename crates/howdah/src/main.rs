//! t
mod template;
fn main() {}
