//! The ID of a request, from the client that asked for an operation to the remote systems that take part in it.
//!
//! It has OpenStack's form (`req-` and a UUID; `oslo_middleware.request_id`), so that Heat's ID, Howdah's log,
//! Neutron's log and vCenter's tasks show the same text. It travels with the task: [`within`] sets it for a
//! future, [`current`] reads it where an adapter builds a call.
//!
//! Invariant: a call that clusters share, or that nobody requested, carries no ID: an ID never appears in the
//! calls of another request.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The header that carries the ID in OpenStack, in requests and answers.
pub const HEADER: &str = "x-openstack-request-id";

/// `req-` and a UUID.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// A new one.
    pub fn new(uuid: Uuid) -> Self {
        Self(format!("req-{}", uuid.hyphenated()).into())
    }

    /// The ID that a client sent, if it has OpenStack's form. Other text is ignored, as OpenStack does.
    pub fn parse(text: &str) -> Option<Self> {
        let uuid = Uuid::try_parse(text.strip_prefix("req-")?).ok()?;
        let id = Self::new(uuid);
        (*id.0 == *text).then_some(id)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

tokio::task_local! {
    static CURRENT: Option<RequestId>;
}

/// Runs a future as part of a request; `None` if it is part of none, even if another request polls it.
pub async fn within<F: Future>(id: Option<RequestId>, future: F) -> F::Output {
    CURRENT.scope(id, future).await
}

/// The ID of the request that the present call is part of.
pub fn current() -> Option<RequestId> {
    CURRENT.try_with(Clone::clone).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_openstacks_form_is_an_id() {
        let good = "req-3fa85f64-5717-4562-b3fc-2c963f66afa6";
        assert_eq!(RequestId::parse(good).map(|id| id.to_string()).as_deref(), Some(good));
        for bad in [
            "",
            "req-",
            "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "req-3fa85f6457174562b3fc2c963f66afa6",
            "req-3FA85F64-5717-4562-B3FC-2C963F66AFA6",
            "req-3fa85f64-5717-4562-b3fc-2c963f66afa6 ",
            "req-3fa85f64-5717-4562-b3fc-2c963f66afa6\n",
            "req-{3fa85f64-5717-4562-b3fc-2c963f66afa6}",
        ] {
            assert_eq!(RequestId::parse(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn an_id_ends_with_its_future_and_does_not_reach_shared_ones() {
        let id = RequestId::new(Uuid::from_u128(1));
        assert_eq!(current(), None);
        let (own, shared) =
            within(Some(id.clone()), async { (current(), within(None, async { current() }).await) }).await;
        assert_eq!((own, shared, current()), (Some(id), None, None));
    }
}
