//! The service itself: its sites, and what their systems said.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Site {
    /// As the operator named it.
    pub name: String,
    /// Whether it is taken where none is named.
    pub default: bool,
    /// How its OpenStack implements networks.
    pub network_backend: String,
    /// Host name of its BDE.
    pub bde: String,
    /// Host name of its vCenter.
    pub vcenter: String,
    /// What each of its systems said last.
    pub systems: Vec<SystemHealth>,
}

/// What is known of a remote system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct SystemHealth {
    /// `bde`, `vcenter`, `neutron` or `keystone`.
    pub system: String,
    /// `ok`, `failing`, or `unknown` before the first call.
    pub health: String,
    /// The code of the last failure.
    pub code: Option<String>,
    /// When that was seen.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub at: Option<Timestamp>,
}

/// All sites.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct SiteList {
    /// In the order of the configuration.
    pub sites: Vec<Site>,
}
