//! Queries are read strictly: an unknown word is refused, and so is text that a terminal or a log obeys.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use howdah_core::ids::ProjectId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::form_urlencoded;
use utoipa::IntoParams;

use super::body::fit;
use super::{ApiError, Routes};

/// A query string, read strictly.
pub(super) struct Checked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Routes> for Checked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, routes: &Routes) -> Result<Self, ApiError> {
        for (name, value) in words(parts) {
            fit(&name, &name)?;
            fit(&value, &name)?;
        }
        Query::<T>::from_request_parts(parts, routes)
            .await
            .map(|Query(query)| Self(query))
            .map_err(|e| ApiError::InvalidQuery { says: howdah_core::failure::chain(&e) })
    }
}

/// The names and values of a request's query.
pub(super) fn words(parts: &Parts) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
}

/// How far the requester wants to see.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct All {
    /// Admins only: clusters of every project.
    #[serde(default)]
    pub(super) all_projects: bool,
    /// The site whose OpenStack the token is of; as the header `X-Howdah-Site`.
    #[serde(default)]
    #[allow(dead_code, reason = "read by `realm`, for every route")]
    site: Option<String>,
}

/// Where the cluster that is asked for belongs.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Place {
    /// The project, by id, that the requester takes for the cluster's; refused if the token is of another.
    #[serde(default)]
    pub(super) project: Option<String>,
    /// The site whose OpenStack the token is of; as the header `X-Howdah-Site`.
    #[serde(default)]
    #[allow(dead_code, reason = "read by `realm`, for every route")]
    site: Option<String>,
}

/// Which cluster of an id is meant.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Scope {
    /// Admins only: clusters of every project.
    #[serde(default)]
    pub(super) all_projects: bool,
    /// The cluster's project, by id. Only who names it is told that it has no such cluster.
    #[serde(default)]
    pub(super) project: Option<String>,
    /// The site whose OpenStack the token is of; as the header `X-Howdah-Site`.
    #[serde(default)]
    #[allow(dead_code, reason = "read by `realm`, for every route")]
    site: Option<String>,
}

/// Where a list or a stream of events begins, and of which cluster.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Only events after this one. On a stream, the header `Last-Event-ID` counts instead.
    #[serde(default)]
    pub(super) after: u64,
    /// Admins only: clusters of every project.
    #[serde(default)]
    all_projects: bool,
    /// The cluster's project, by id. Only who names it is told that it has no such cluster.
    #[serde(default)]
    project: Option<String>,
    /// The site whose OpenStack the token is of; as the header `X-Howdah-Site`.
    #[serde(default)]
    site: Option<String>,
}

impl Scope {
    /// A cluster of this project.
    pub(super) fn of(project: &ProjectId) -> Self {
        Self { project: Some(project.to_string()), ..Self::default() }
    }

    /// The project that is named.
    pub(super) fn named(&self) -> Option<ProjectId> {
        named(self.project.as_deref())
    }
}

impl Place {
    /// The project that is named.
    pub(super) fn named(&self) -> Option<ProjectId> {
        named(self.project.as_deref())
    }
}

impl After {
    /// Which cluster.
    pub(super) fn scope(self) -> Scope {
        Scope { all_projects: self.all_projects, project: self.project, site: self.site }
    }
}

fn named(project: Option<&str>) -> Option<ProjectId> {
    project.filter(|project| !project.is_empty()).map(ProjectId::from)
}
