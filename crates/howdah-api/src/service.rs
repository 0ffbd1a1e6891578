//! The service: its sites, and the health of their systems.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
#[cfg(feature = "openapi")]
use utoipa::ToSchema;

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct Site {
    /// Its name in the configuration.
    pub name: String,
    /// Whether requests without a site use it.
    pub default: bool,
    /// The network backend of its OpenStack.
    pub network_backend: String,
    /// Host name of its BDE.
    pub bde: String,
    /// Host name of its vCenter.
    pub vcenter: String,
    /// The health of its systems.
    pub systems: Vec<SystemHealth>,
}

/// The health of a remote system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(ToSchema))]
pub struct SystemHealth {
    /// `bde`, `vcenter`, `neutron` or `keystone`.
    pub system: String,
    /// `ok`, `failing`, or `unknown` before the first call.
    pub health: String,
    /// The code of the last failure.
    pub code: Option<String>,
    /// When the service saw this.
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
