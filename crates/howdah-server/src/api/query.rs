//! Queries are read strictly: a word that the route does not know is refused, and so is text that a terminal or
//! a log obeys.
//!
//! The words that belong together are a type; a route that takes more than one kind says so with [`And`].
//! [`Site`] is taken by every route. What a route knows is read off the same types as its description.

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
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

impl<T: Words> FromRequestParts<Routes> for Checked<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Routes) -> Result<Self, ApiError> {
        let known: Vec<_> = T::names().into_iter().chain(Site::names()).collect();
        for (name, value) in words(parts) {
            fit(&name, &name)?;
            fit(&value, &name)?;
            if !known.iter().any(|known| *known == name) {
                let says = format!("unknown field `{name}`, expected one of `{}`", known.join("`, `"));
                return Err(ApiError::InvalidQuery { says });
            }
        }
        Site::read(&parts.uri)?;
        T::read(&parts.uri).map(Self)
    }
}

/// The names and values of a request's query.
pub(super) fn words(parts: &Parts) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
}

/// Words of a query that belong together.
pub(super) trait Words: Sized {
    /// Their names.
    fn names() -> Vec<String>;
    /// Reads them; others are passed over.
    fn read(uri: &Uri) -> Result<Self, ApiError>;
}

impl<T: DeserializeOwned + IntoParams> Words for T {
    fn names() -> Vec<String> {
        T::into_params(|| None).into_iter().map(|param| param.name).collect()
    }

    fn read(uri: &Uri) -> Result<Self, ApiError> {
        Query::try_from_uri(uri)
            .map(|Query(words)| words)
            .map_err(|e| ApiError::InvalidQuery { says: howdah_core::failure::chain(&e) })
    }
}

/// The words of both.
pub(super) struct And<A, B>(pub(super) A, pub(super) B);

impl<A: Words, B: Words> Words for And<A, B> {
    fn names() -> Vec<String> {
        [A::names(), B::names()].concat()
    }

    fn read(uri: &Uri) -> Result<Self, ApiError> {
        Ok(Self(A::read(uri)?, B::read(uri)?))
    }
}

/// Whose clouds are meant.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Site {
    /// The site whose OpenStack the token is of; as the header `X-Howdah-Site`.
    #[serde(default)]
    #[allow(dead_code, reason = "read by `realm`, for every route")]
    site: Option<String>,
}

/// How far the requester wants to see.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct All {
    /// Admins only: clusters of every project.
    #[serde(default)]
    pub(super) all_projects: bool,
}

/// Where the cluster that is asked for belongs.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Place {
    /// The project, by id, that the requester takes for the cluster's; refused if the token is of another.
    #[serde(default)]
    pub(super) project: Option<String>,
}

/// Which cluster of an id is meant.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Scope {
    /// Admins only: clusters of every project.
    #[serde(default)]
    pub(super) all_projects: bool,
    /// The cluster's project, by id. Only who names it is told that it has no such cluster.
    #[serde(default)]
    pub(super) project: Option<String>,
}

/// Where a list or a stream of events begins.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Only events after this one. On a stream, the header `Last-Event-ID` counts instead.
    #[serde(default)]
    pub(super) after: u64,
}

/// Which page of a list of clusters, and how much of each.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// At most so many clusters; 100 if absent, never more than 1000.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<usize>,
    /// Only clusters after this one: the id of one that was listed, or `next` of the page before. With
    /// `all_projects` an id of another project is written `PROJECT/ID`.
    #[serde(default)]
    pub(super) marker: Option<String>,
    /// Whether to tell all of each cluster, its nodes included.
    #[serde(default)]
    pub(super) detail: bool,
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

fn named(project: Option<&str>) -> Option<ProjectId> {
    project.filter(|project| !project.is_empty()).map(ProjectId::from)
}
