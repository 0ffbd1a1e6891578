//! Sums up the results of test runners.

use std::fmt;

/// How many tests passed, failed and were skipped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Counts {
    /// Takes in a line, if it is the closing line of cargo's or pytest's runner, or a test that
    /// says that it skipped itself.
    pub fn read(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("test result: ") {
            for part in rest.split(['.', ';']) {
                self.part(part.trim());
            }
        } else {
            self.read_python(line);
        }
    }

    /// `===== 12 passed, 1 skipped in 3.21s =====`, `38 passed in 11.21s` (pytest), `5 passed, 0 failed`
    /// (the lab), or a test that says that it skipped itself.
    fn read_python(&mut self, line: &str) {
        let bare = line.trim_matches('=').trim();
        let closes = bare.contains(" passed") || bare.contains(" failed") || bare.contains(" error");
        if closes && bare.starts_with(|c: char| c.is_ascii_digit()) {
            for part in bare.split(" in ").next().unwrap_or_default().split(',') {
                self.part(part.trim());
            }
        } else if line.contains("SKIPPED") {
            self.skipped += 1;
        }
    }

    fn part(&mut self, part: &str) {
        let Some((n, word)) = part.split_once(' ') else { return };
        let Ok(n) = n.parse::<u64>() else { return };
        match word {
            "passed" => self.passed += n,
            "failed" | "error" | "errors" => self.failed += n,
            "ignored" | "skipped" | "xfailed" => self.skipped += n,
            _ => {}
        }
    }

    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_runners_are_understood() {
        let mut counts = Counts::default();
        for line in [
            "running 3 tests",
            "test result: ok. 36 passed; 1 failed; 2 ignored; 0 measured; 4 filtered out; finished in 0.03s",
            "============ 12 passed, 1 skipped, 2 warnings in 3.21s ============",
            "======= 1 failed, 2 errors in 1.00s =======",
            "SKIPPED vcsim: it is not there",
            "5 passed, 1 failed, 2 skipped",
            "7 passed, 0 failed",
            "38 passed in 11.21s",
            "2 passed, 1 warning in 3.00s",
        ] {
            counts.read(line);
        }
        assert_eq!(counts, Counts { passed: 100, failed: 5, skipped: 6 });
    }
}
