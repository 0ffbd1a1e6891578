//! The files of 2015-style templates, and the operator's restrictions.
//!
//! The path in a template comes from a tenant. Invariant: only regular files are opened whose real path,
//! after all links, is below the operator's directory; and the message to the tenant does not reveal
//! whether other files exist.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// The size limit; real files are smaller.
const LIMIT: u64 = 64 * 1024;

/// Permissions for templates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    /// Whether the service uses a template's `username` and `password`.
    pub credentials: bool,
    /// The directory of files for 2015-style templates.
    pub files_below: Option<PathBuf>,
}

/// Why a file is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// No directory is configured.
    #[error("the operator does not allow files (templates.files_below is not set)")]
    NotAllowed,
    /// Missing, not a file, not readable, or elsewhere; the message does not say which.
    #[error("{path} is not a readable file below the directory templates.files_below")]
    NotBelow {
        /// The path in the template.
        path: String,
    },
    /// The file lacks a key.
    #[error("{path} does not set {key}")]
    Incomplete {
        /// The path in the template.
        path: String,
        /// The key.
        key: &'static str,
    },
}

impl Templates {
    /// User and password of a `bde_config` file: `KEY=value` lines with `BDE_USERNAME` and
    /// `BDE_PASSWORD` (or `username` and `password`).
    ///
    /// # Errors
    /// If reading the file is not permitted, or it lacks one of them.
    pub fn bde_credentials(&self, path: &str) -> Result<(String, SecretString), LegacyError> {
        let text = self.read(path)?;
        let value = |key: &'static str, words: [&str; 2]| {
            text.lines()
                .filter_map(|line| {
                    let line = line.trim();
                    let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
                    words.iter().any(|w| name.trim().eq_ignore_ascii_case(w)).then(|| unquoted(value.trim()))
                })
                .find(|value| !value.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| LegacyError::Incomplete { path: path.to_owned(), key })
        };
        let user = value("BDE_USERNAME", ["BDE_USERNAME", "username"])?;
        let password = value("BDE_PASSWORD", ["BDE_PASSWORD", "password"])?;
        Ok((user, SecretString::from(password)))
    }

    fn read(&self, path: &str) -> Result<String, LegacyError> {
        let folder = self.files_below.as_ref().ok_or(LegacyError::NotAllowed)?;
        let refused = || LegacyError::NotBelow { path: path.to_owned() };
        let folder = fs::canonicalize(folder).map_err(|_| refused())?;
        let real = fs::canonicalize(folder.join(Path::new(path))).map_err(|_| refused())?;
        if !real.starts_with(&folder) || !real.is_file() {
            return Err(refused());
        }
        let mut text = String::new();
        let file = fs::File::open(&real).map_err(|_| refused())?;
        file.take(LIMIT).read_to_string(&mut text).map_err(|_| refused())?;
        Ok(text)
    }
}

fn unquoted(value: &str) -> &str {
    ['"', '\''].iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn files_are_read_below_the_folder_only() {
        let all = tempfile::tempdir().unwrap();
        let below = all.path().join("allowed");
        fs::create_dir(&below).unwrap();
        let text = "# BDE\nexport BDE_USERNAME = \"admin\"\nBDE_PASSWORD=a=b\n";
        fs::write(below.join("good"), text).unwrap();
        fs::write(below.join("half"), "BDE_USERNAME=admin\nBDE_PASSWORD=\n").unwrap();
        fs::write(all.path().join("outside"), text).unwrap();
        symlink(all.path().join("outside"), below.join("link")).unwrap();
        symlink(below.join("good"), below.join("inner")).unwrap();
        let templates = Templates { credentials: true, files_below: Some(below.clone()) };

        let absolute = below.join("good").display().to_string();
        for good in ["good", "inner", "./good", "../allowed/good", &absolute] {
            let (user, password) = templates.bde_credentials(good).unwrap();
            assert_eq!((user.as_str(), password.expose_secret()), ("admin", "a=b"), "{good}");
        }
        let outside = all.path().join("outside").display().to_string();
        for bad in ["link", "../outside", &outside, "absent", "", ".", "/etc/passwd", "good\0"] {
            let refused = LegacyError::NotBelow { path: bad.to_owned() };
            assert_eq!(templates.bde_credentials(bad).unwrap_err(), refused, "{bad}");
        }
        assert_eq!(templates.bde_credentials("half").unwrap_err().to_string(), "half does not set BDE_PASSWORD");
        assert_eq!(Templates::default().bde_credentials("good").unwrap_err(), LegacyError::NotAllowed);
    }
}
