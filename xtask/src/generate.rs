//! The generated files in the repository: the API's description, the command-line reference, and the
//! picture of the crates.

use crate::picture;
use crate::run::{Done, command, must};

/// Writes them again, or checks that they are current.
pub fn run(check: bool) -> Done {
    let tests: [&[&str]; 2] = [
        &["test", "--quiet", "--package", "howdah-server", "openapi"],
        &["test", "--quiet", "--package", "howdah", "reference"],
    ];
    for args in tests {
        let mut test = command("cargo", args);
        if !check {
            test.env("HOWDAH_BLESS", "1");
        }
        must(&mut test).map_err(|e| format!("{e}; `cargo xtask generate` rewrites them"))?;
    }
    picture::run(check)
}
