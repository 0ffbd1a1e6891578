//! Verifies that a requester still has the right with which a request was accepted, with the service's
//! credentials: the token of the request may have expired long ago.
//!
//! Keystone's API reference: `GET /v3/role_assignments` with `user.id`, `scope.project.id` and
//! `effective` lists a user's roles in a project, including groups, inheritance and implied roles;
//! it does not show disabled users or projects, so both are read as well. By
//! default the role `admin` has access to all of these. Invariant: a refused query never counts as a lost
//! right.

use howdah_core::failure::System;
use howdah_core::ids::ProjectId;
use howdah_core::rights::Standing;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::session::{As, Call};
use crate::{Error, OpenStack};

/// For messages: "could not ...".
const STEP: &str = "verify the requester's role";

#[derive(Deserialize)]
struct Assignments {
    role_assignments: Vec<Assignment>,
}

#[derive(Deserialize)]
struct Assignment {
    role: RoleName,
}

#[derive(Deserialize)]
struct RoleName {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct UserBody {
    user: Enabled,
}

#[derive(Deserialize)]
struct ProjectBody {
    project: Enabled,
}

#[derive(Deserialize)]
struct Enabled {
    enabled: bool,
}

impl OpenStack {
    pub(crate) async fn standing(&self, user: &str, project: &ProjectId) -> Result<Standing, Error> {
        match self.ask_standing(user, project).await {
            Err(e) if e.is_status(403) => Ok(Standing::Hidden),
            asked => asked,
        }
    }

    async fn ask_standing(&self, user: &str, project: &ProjectId) -> Result<Standing, Error> {
        let filter = [
            ("user.id", user),
            ("scope.project.id", project.as_str()),
            ("effective", "true"),
            ("include_names", "true"),
        ];
        let Some(Assignments { role_assignments }) = self.keystone(&["role_assignments"], &filter).await? else {
            return Ok(Standing::by_roles(&[]));
        };
        let roles: Vec<_> = role_assignments.into_iter().map(|a| a.role.name).collect();
        let by_roles = Standing::by_roles(&roles);
        if by_roles != Standing::Good {
            return Ok(by_roles);
        }
        let body: Option<UserBody> = self.keystone(&["users", user], &[]).await?;
        if !body.is_some_and(|b| b.user.enabled) {
            return Ok(Standing::without_user());
        }
        let body: Option<ProjectBody> = self.keystone(&["projects", project.as_str()], &[]).await?;
        Ok(if body.is_some_and(|b| b.project.enabled) { Standing::Good } else { Standing::without_project() })
    }

    /// The object at this path; `None` if it does not exist.
    async fn keystone<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(&'static str, &str)],
    ) -> Result<Option<T>, Error> {
        let path: Vec<&str> = std::iter::once("v3").chain(path.iter().copied()).collect();
        let mut call = Call::new(System::Keystone, STEP, Method::GET, &path);
        call.query = query.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
        match self.call(As::Service, &call).await {
            Ok(answer) => answer.json().map(Some),
            Err(e) if e.is_status(404) => Ok(None),
            Err(e) => Err(e),
        }
    }
}
