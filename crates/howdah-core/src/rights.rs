//! A requester's rights in a project, from the names of their roles. Pure.
//!
//! Invariant: the same rule applies to the token of a request and to the later check of the rights, when
//! a create that has waited starts.

/// A requester's rights in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Reader,
    /// Read and write.
    Member,
    /// Read and write, and read beyond the project.
    Admin,
}

impl Role {
    /// The strongest right of these roles; `None` if they have none.
    pub fn of(names: &[String]) -> Option<Self> {
        let has = |role: &str| names.iter().any(|r| r.eq_ignore_ascii_case(role));
        match () {
            () if has("admin") => Some(Self::Admin),
            // The usual name of the member role before Keystone defined one.
            () if has("member") || has("_member_") => Some(Self::Member),
            () if has("reader") => Some(Self::Reader),
            () => None,
        }
    }

    /// Whether it permits writes.
    pub fn may_write(self) -> bool {
        self >= Self::Member
    }
}

/// Whether a requester still has the right with which a request was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Good,
    /// No longer, with the reason as the end of a sentence.
    Lost(String),
    /// The service's account may not read role assignments.
    Hidden,
}

impl Standing {
    /// From the user's roles in the project.
    pub fn by_roles(names: &[String]) -> Self {
        if Role::of(names).is_some_and(Role::may_write) {
            Self::Good
        } else {
            Self::Lost("the user no longer has the role member in the project".to_owned())
        }
    }

    /// For a user that is deleted or disabled.
    pub fn without_user() -> Self {
        Self::Lost("the user is disabled or deleted".to_owned())
    }

    /// For a project that is deleted or disabled.
    pub fn without_project() -> Self {
        Self::Lost("the project is disabled or deleted".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_that_the_roles_allow_counts() {
        let of = |names: &[&str]| Role::of(&names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["reader", "Admin"]), Some(Role::Admin));
        assert_eq!((of(&["_member_"]), of(&["MEMBER", "reader"])), (Some(Role::Member), Some(Role::Member)));
        assert_eq!((of(&["reader"]), of(&["heat_stack_owner"]), of(&[])), (Some(Role::Reader), None, None));
        assert!(Role::Admin.may_write() && Role::Member.may_write() && !Role::Reader.may_write());
        assert_eq!(Standing::by_roles(&["member".to_owned()]), Standing::Good);
        assert!(matches!(Standing::by_roles(&["reader".to_owned()]), Standing::Lost(_)));
    }
}
