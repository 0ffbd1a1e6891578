//! Valid names and passwords, and the encoding of names in paths.
//!
//! The service decodes names in paths twice: first like every server, then as form data, where `+` is a
//! space. So a `%` must be escaped again. Invariant: decoding the result of [`in_path`] returns any
//! name unchanged.

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};

/// Characters of which a node password needs one.
pub const PASSWORD_SYMBOLS: &str = "_@#$%^&*";

/// The broken rule of a node password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRule {
    /// Too short or too long.
    #[error("it must have 8 to 20 characters")]
    Length,
    /// No digit.
    #[error("it must contain a digit")]
    Digit,
    /// No lower-case letter.
    #[error("it must contain a lower-case letter")]
    Lower,
    /// No upper-case letter.
    #[error("it must contain an upper-case letter")]
    Upper,
    /// No symbol.
    #[error("it must contain one of _ @ # $ % ^ & *")]
    Symbol,
}

/// Checks a node password. The service checks it only after the VMs exist.
///
/// # Errors
/// The first rule that the password breaks.
pub fn check_password(password: &SecretString) -> Result<(), PasswordRule> {
    let password = password.expose_secret();
    let any = |f: &dyn Fn(char) -> bool| password.chars().any(f);
    if !(8..=20).contains(&password.chars().count()) {
        Err(PasswordRule::Length)
    } else if !any(&|c| c.is_ascii_digit()) {
        Err(PasswordRule::Digit)
    } else if !any(&|c| c.is_ascii_lowercase()) {
        Err(PasswordRule::Lower)
    } else if !any(&|c| c.is_ascii_uppercase()) {
        Err(PasswordRule::Upper)
    } else if !any(&|c| PASSWORD_SYMBOLS.contains(c)) {
        Err(PasswordRule::Symbol)
    } else {
        Ok(())
    }
}

/// Whether a cluster may have this name.
pub fn is_cluster_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Whether a node group may have this name. The `+` is an accident of the service's expression.
pub fn is_group_name(name: &str) -> bool {
    (1..=80).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '+')
}

/// Whether a network, resource pool, datastore or application manager may have this name.
pub fn is_resource_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c.is_whitespace())
}

/// A name as one segment of a path, for the double decoding.
pub fn in_path(name: &str) -> String {
    let mut path = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => path.push(char::from(byte)),
            b' ' => path.push('+'),
            _ => path.push_str(&format!("%25{byte:02X}")),
        }
    }
    path
}

/// The name in a segment of a path, decoded once as a URL.
pub fn decode_once(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The name in a segment of a path, decoded as a URL and then as form data.
pub fn decode_twice(segment: &str) -> String {
    decode_once(&decode_once(segment).replace('+', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_escaped_twice() {
        assert_eq!(in_path("net-1"), "net-1");
        assert_eq!(in_path("my net"), "my+net");
        assert_eq!(in_path("größe+1"), "gr%25C3%25B6%25C3%259Fe%252B1");
        assert_eq!(in_path("../a?b"), "%252E%252E%252Fa%253Fb");
    }

    proptest! {
        #[test]
        fn what_is_escaped_comes_back(name in ".*") {
            prop_assert_eq!(decode_twice(&in_path(&name)), name);
        }
    }

    #[test]
    fn plain_escapes_are_understood_too() {
        assert_eq!(decode_twice("my%20net"), "my net");
        assert_eq!(decode_twice("gr%C3%B6%C3%9Fe"), "größe");
    }

    #[test]
    fn each_rule_of_the_password_is_named() {
        let check = |p: &str| check_password(&SecretString::from(p));
        assert_eq!(check("Passw0rd_"), Ok(()));
        for (password, rule) in [
            ("Pa0_", PasswordRule::Length),
            ("Passw0rd_Passw0rd_Pas", PasswordRule::Length),
            ("Password_", PasswordRule::Digit),
            ("PASSW0RD_", PasswordRule::Lower),
            ("passw0rd_", PasswordRule::Upper),
            ("Passw0rds", PasswordRule::Symbol),
        ] {
            assert_eq!(check(password), Err(rule), "{password}");
        }
    }

    #[test]
    fn names_keep_their_rules() {
        assert!(is_cluster_name("hadoop_1") && !is_cluster_name("a-b") && !is_cluster_name(""));
        assert!(is_group_name("a+b") && !is_group_name("a_b") && !is_group_name(&"x".repeat(81)));
        assert!(is_resource_name("größe - 1_x") && !is_resource_name("a.b") && !is_resource_name(""));
    }
}
