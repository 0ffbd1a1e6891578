//! What a requester may do in a project, from the names of the roles there. Pure.
//!
//! Invariant: there is one rule, for the token of a request and for the look at somebody's rights
//! later, when a create that has waited begins.

/// What a requester may do in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Reader,
    /// Look and write.
    Member,
    /// The same, and look beyond the project.
    Admin,
}

impl Role {
    /// The most that these roles allow; `None` if nothing.
    pub fn of(names: &[String]) -> Option<Self> {
        let has = |role: &str| names.iter().any(|r| r.eq_ignore_ascii_case(role));
        match () {
            () if has("admin") => Some(Self::Admin),
            // The name of the member role before Keystone had one of its own.
            () if has("member") || has("_member_") => Some(Self::Member),
            () if has("reader") => Some(Self::Reader),
            () => None,
        }
    }

    /// Whether it allows writes.
    pub fn may_write(self) -> bool {
        self >= Self::Member
    }
}

/// Whether somebody still has the right that a request was accepted with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Good,
    /// No more; says why, as the end of a sentence.
    Lost(String),
    /// The service's own account may not ask.
    Hidden,
}

impl Standing {
    /// By the roles that somebody has in the project.
    pub fn by_roles(names: &[String]) -> Self {
        if Role::of(names).is_some_and(Role::may_write) {
            Self::Good
        } else {
            Self::Lost("the user no longer has the role member in the project".to_owned())
        }
    }

    /// Of a user that is gone or disabled.
    pub fn without_user() -> Self {
        Self::Lost("the user is disabled or deleted".to_owned())
    }

    /// Of a project that is gone or disabled.
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
