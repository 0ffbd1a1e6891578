//! Strict parsing of queries: an unknown parameter is refused, and so is text that a terminal or a log obeys.
//!
//! Each group of parameters is a type; a route with more than one group combines them with [`And`]. Every route
//! accepts [`Site`]. The known parameters and the API's description come from the same types.

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

/// A strictly parsed query string.
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

/// A group of query parameters.
pub(super) trait Words: Sized {
    /// Their names.
    fn names() -> Vec<String>;
    /// Parses them and ignores others.
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

/// The parameters of both groups.
pub(super) struct And<A, B>(pub(super) A, pub(super) B);

impl<A: Words, B: Words> Words for And<A, B> {
    fn names() -> Vec<String> {
        [A::names(), B::names()].concat()
    }

    fn read(uri: &Uri) -> Result<Self, ApiError> {
        Ok(Self(A::read(uri)?, B::read(uri)?))
    }
}

/// The site of the token.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Site {
    /// The site whose OpenStack issued the token; like the header `X-Howdah-Site`.
    #[serde(default)]
    #[allow(dead_code, reason = "read by `realm`, for every route")]
    site: Option<String>,
}

/// The scope of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct All {
    /// Admins only: clusters of every project.
    #[serde(default)]
    pub(super) all_projects: bool,
}

/// The project of the requested cluster.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Place {
    /// The ID of the project to which the requester believes the cluster belongs; refused if the token is for
    /// another one.
    #[serde(default)]
    pub(super) project: Option<String>,
}

/// Selects a cluster among those with the same ID.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Scope {
    /// Admins only: clusters of every project.
    #[serde(default)]
    pub(super) all_projects: bool,
    /// The cluster's project (ID). Only requests that name it may learn that the cluster does not exist.
    #[serde(default)]
    pub(super) project: Option<String>,
}

/// The start of a list or a stream of events.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct After {
    /// Only events after this one. On a stream, the header `Last-Event-ID` has priority.
    #[serde(default)]
    pub(super) after: u64,
}

/// Selects a page of a list of clusters, and the form of its entries.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// The maximum number of clusters; default 100, limit 1000.
    #[serde(default)]
    #[param(minimum = 1, maximum = 1000)]
    pub(super) limit: Option<usize>,
    /// Only clusters after this one: the ID of a listed cluster, or `next` of the previous page. With
    /// `all_projects`, the ID of another project's cluster is written `PROJECT/ID`.
    #[serde(default)]
    pub(super) marker: Option<String>,
    /// Whether to return the long form of each cluster, with its nodes.
    #[serde(default)]
    pub(super) detail: bool,
}

impl Scope {
    /// A cluster of this project.
    pub(super) fn of(project: &ProjectId) -> Self {
        Self { project: Some(project.to_string()), ..Self::default() }
    }

    /// The named project.
    pub(super) fn named(&self) -> Option<ProjectId> {
        named(self.project.as_deref())
    }
}

impl Place {
    /// The named project.
    pub(super) fn named(&self) -> Option<ProjectId> {
        named(self.project.as_deref())
    }
}

fn named(project: Option<&str>) -> Option<ProjectId> {
    project.filter(|project| !project.is_empty()).map(ProjectId::from)
}
