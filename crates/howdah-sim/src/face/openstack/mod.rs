//! Keystone and Neutron over HTTP, in front of the simulated world: enough of both for Howdah's
//! own client, the `openstack` command, and Heat's own resources of networks and subnets.
//!
//! The world decides what a request does; this module has only the protocol: paths, bodies, filters,
//! pages, error bodies, like the real services. Requests that neither Howdah nor these clients make are
//! 404.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use howdah_core::request::HEADER;

use crate::World;

mod body;
mod filter;
mod identity;
mod login;
mod network;
mod port;
mod quota;
mod reply;
mod show;
#[cfg(test)]
mod tests;

/// Keystone. Its catalogue is the world's.
pub fn keystone(world: World) -> Router {
    Router::new().fallback(identity::serve).with_state(world).layer(from_fn(log_id))
}

/// Neutron.
pub fn neutron(world: World) -> Router {
    neutron_with_pages(world, None)
}

/// Neutron with the operator's option `pagination_max_limit`: no answer lists more than this.
pub fn neutron_with_pages(world: World, most: Option<usize>) -> Router {
    Router::new().fallback(network::serve).with_state(network::Neutron { world, most }).layer(from_fn(log_id))
}

/// OpenStack's services log the ID of the request that a call is part of (`oslo_middleware.request_id`).
async fn log_id(request: Request, next: Next) -> Response {
    if let Some(id) = request.headers().get(HEADER).and_then(|v| v.to_str().ok()) {
        tracing::debug!(id, method = %request.method(), path = request.uri().path(), "a call to OpenStack");
    }
    next.run(request).await
}
