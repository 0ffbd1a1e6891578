//! Selects the Keystone that verifies a request's token: exactly one, because a system that verifies a token
//! can use it.
//!
//! | the request has | Keystone |
//! |---|---|
//! | a site: header `X-Howdah-Site`, or `site` in the query | that site's |
//! | in the body of a PUT, a site, or a site's BDE or vCenter | that site's |
//! | the ID of a known cluster | the one of the cluster's site |
//! | none of these | the one of the default site; the only one |
//!
//! Invariant: if the result is ambiguous, no Keystone gets the token. A refusal here goes to an unknown
//! requester, so it reveals nothing about the sites; with a single cloud there is nothing to select.

use axum::http::request::Parts;
use howdah_core::ids::{ClusterId, SiteName};

use super::auth::{SITE, text_header};
use super::body::fit;
use super::{ApiError, Routes, query};
use crate::sites::{Choice, SiteHandles};

/// The site in the header or the query; this does not check that it exists.
pub(super) fn named(parts: &Parts) -> Result<Option<String>, ApiError> {
    let header = text_header(&parts.headers, SITE)?.map(str::to_owned);
    let word = query::words(parts).find(|(name, _)| name == "site").map(|(_, value)| value.into_owned());
    if let Some(word) = &word {
        fit(word, "site")?;
    }
    if let (Some(one), Some(other)) = (&header, &word)
        && one != other
    {
        let (one, other) = (one.clone(), other.clone());
        return Err(ApiError::SitesDiffer { first: "X-Howdah-Site", one, second: "site in the query", other });
    }
    Ok(header.or(word).filter(|name| !name.is_empty()))
}

/// The site whose Keystone verifies the token; `choice` holds the body's fields that select a site, and
/// `id` is the cluster in the path.
pub(super) async fn of<'r>(
    parts: &Parts,
    routes: &'r Routes,
    choice: Option<Choice<'_>>,
    id: Option<ClusterId>,
) -> Result<&'r SiteHandles, ApiError> {
    let named = named(parts)?;
    if let [(_, only)] = routes.sites.realms().as_slice() {
        return Ok(only);
    }
    if let Some(name) = named {
        return routes.sites.get(&SiteName::new(name.as_str())).ok_or_else(|| unknown(format!("named {name}")));
    }
    if let Some(choice) = choice.filter(Choice::says_something) {
        return routes.sites.choose(choice).map_err(|e| match e {
            ApiError::UnknownSite { asked, .. } => unknown(asked),
            e => e,
        });
    }
    let mut found: Option<&SiteHandles> = None;
    if let Some(id) = id {
        for site in routes.store.traces(&id).await?.iter().filter_map(|trace| routes.sites.get(&trace.site)) {
            if found.is_some_and(|other| other.realm != site.realm) {
                return Err(ApiError::TokenInvalid);
            }
            found = Some(site);
        }
    }
    found.map_or_else(|| routes.sites.choose(Choice::default()), Ok)
}

fn unknown(asked: String) -> ApiError {
    ApiError::UnknownSite { asked, known: vec![], described: vec![] }
}
