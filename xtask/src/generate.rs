//! Files that are made from the code and kept in the tree: the API's description, the pages of the
//! command line, and the picture of the crates.

use crate::picture;
use crate::run::{Done, command, must};

/// Makes them anew, or checks that they are fresh.
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
        must(&mut test).map_err(|e| format!("{e}; `cargo xtask generate` writes them anew"))?;
    }
    picture::run(check)
}
