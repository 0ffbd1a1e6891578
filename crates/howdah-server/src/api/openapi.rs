//! The OpenAPI document, generated from the routes and types. The repository has a copy, and a test
//! compares the two, so that a review shows each change of the API.

use axum::Json;
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::{auth, clusters, events, service, writes};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Howdah",
        description = "Big-data clusters on vSphere for OpenStack. Every write is idempotent; every error has a \
                       code that does not change. Where the service has sites of several clouds, the header \
                       X-Howdah-Site names the site whose OpenStack issued the token.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        clusters::list,
        clusters::show,
        writes::want,
        writes::want_state,
        writes::delete,
        events::follow,
        service::sites,
        service::health,
        service::ready,
        service::metrics,
    ),
    components(schemas(howdah_api::Event)),
    tags(
        (name = "clusters", description = "Clusters and their events"),
        (name = "service", description = "The service"),
    ),
    modifiers(&Headers),
)]
struct Api;

struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        for (name, header, says) in [
            ("token", auth::TOKEN, "A Keystone token."),
            ("capability", auth::CAPABILITY, "The capability of an accepted write: permits reading that cluster."),
        ] {
            let key = ApiKeyValue::with_description(header, says);
            components.add_security_scheme(name, SecurityScheme::ApiKey(ApiKey::Header(key)));
        }
    }
}

/// The document.
pub fn document() -> Document {
    Api::openapi()
}

/// Sends it.
pub(super) async fn serve() -> Json<Document> {
    Json(document())
}
