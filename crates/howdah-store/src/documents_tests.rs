//! Changes that meet: what another writer does between the look of a change and its commit.

use std::sync::Mutex;

use howdah_core::known::ClusterState;
use howdah_core::wanted::{Goal, OperationKind};
use howdah_testkit::sample::{key, operation, record};

use super::*;
use crate::MemoryStore;

/// What the other writer does.
type Other = Box<dyn for<'a> Fn(&'a MemoryStore) -> BoxFuture<'a, Remote<()>> + Send + Sync>;

/// A memory before whose next commits another writer is faster.
struct Raced {
    inner: MemoryStore,
    others: Mutex<Vec<Other>>,
}

type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

#[async_trait]
impl Backend for Raced {
    async fn clusters(&self, query: Query<'_>, states: bool) -> Result<Vec<Found>, StoreError> {
        self.inner.backend.clusters(query, states).await
    }
    async fn documents(
        &self,
        owner: &str,
        kind: &str,
        name: Option<&str>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.inner.backend.documents(owner, kind, name).await
    }
    async fn events(&self, key: &ClusterKey, after: u64, limit: usize) -> Result<Vec<(u64, String)>, StoreError> {
        self.inner.backend.events(key, after, limit).await
    }
    async fn usage_beside(&self, key: &ClusterKey) -> Result<Usage, StoreError> {
        self.inner.backend.usage_beside(key).await
    }
    async fn commit(&self, batch: &Batch) -> Result<Outcome, StoreError> {
        let other = self.others.lock().unwrap().pop();
        if let Some(other) = other {
            other(&self.inner).await.unwrap();
        }
        self.inner.backend.commit(batch).await
    }
}

/// A store with cluster 1, and the one of the other writer.
async fn raced(others: Vec<Other>) -> Documents<Raced> {
    let inner = MemoryStore::new();
    inner.insert(&record(1, "one"), &Secrets::default(), &[]).await.unwrap();
    let epoch = inner.epoch;
    Documents::over(Raced { inner, others: Mutex::new(others) }, "a test".to_owned(), epoch, Sealer::in_memory())
}

/// A state in which the newest operation of the record has failed and nothing was asked of the manager.
fn failed(record: &ClusterRecord) -> ClusterState {
    let operation = serde_json::json!({
        "id": record.operation.id, "kind": "create", "state": "failed", "started": "2026-01-01T00:00:00Z",
    });
    serde_json::from_value(serde_json::json!({ "operation": operation })).unwrap()
}

fn create_again() -> Other {
    Box::new(|store| {
        Box::pin(async {
            let again = operation(200, OperationKind::Create);
            store.want(&key(1), &record(1, "one").operation.id, Goal::Running, &again).await
        })
    })
}

#[tokio::test]
async fn a_save_that_meets_a_request_keeps_both() {
    let store = raced(vec![create_again()]).await;
    store.save(&key(1), &failed(&record(1, "one")), &[]).await.unwrap();
    let (wanted, known) = store.load(&key(1)).await.unwrap().unwrap().cluster().unwrap();
    assert_eq!(wanted.operation, operation(200, OperationKind::Create));
    assert_eq!(known, failed(&record(1, "one")));
    // It did not free the name: what failed is no longer the newest operation.
    let other = store.insert(&record(2, "one"), &Secrets::default(), &[]).await.unwrap_err();
    assert_eq!(other.code, "cluster_name_taken");
    assert_eq!(store.usage_beside(&key(9)).await.unwrap().creates, 1);
}

#[tokio::test]
async fn a_request_that_meets_another_is_refused() {
    let store = raced(vec![create_again()]).await;
    let stop = operation(201, OperationKind::Stop);
    let late = store.want(&key(1), &record(1, "one").operation.id, Goal::Stopped, &stop).await.unwrap_err();
    assert_eq!(late.code, "cluster_changed");
    assert_eq!(store.wanted(&key(1)).await.unwrap().unwrap().operation.id, operation(200, OperationKind::Create).id);
}

#[tokio::test]
async fn a_request_that_meets_a_save_is_kept() {
    let save: Other = Box::new(|store| {
        Box::pin(async {
            let state = ClusterState { progress: 0.5, ..ClusterState::default() };
            store.save(&key(1), &state, &[]).await
        })
    });
    let store = raced(vec![save]).await;
    let stop = operation(201, OperationKind::Stop);
    store.want(&key(1), &record(1, "one").operation.id, Goal::Stopped, &stop).await.unwrap();
    let (wanted, known) = store.load(&key(1)).await.unwrap().unwrap().cluster().unwrap();
    assert_eq!((wanted.operation, known.progress), (stop, 0.5));
}

#[tokio::test]
async fn what_is_used_again_is_not_pruned() {
    let again: Other =
        Box::new(|store| Box::pin(async { store.insert(&record(1, "again"), &Secrets::default(), &[]).await }));
    let store = raced(vec![]).await;
    store.remove(&key(1), &[]).await.unwrap();
    store.backend.others.lock().unwrap().push(again);
    assert_eq!(store.prune(Timestamp::MAX).await.unwrap(), 0);
    assert_eq!(store.wanted(&key(1)).await.unwrap().unwrap().name.as_str(), "again");
}

#[tokio::test]
async fn a_change_that_always_comes_late_ends() {
    let busy =
        || -> Other { Box::new(|store| Box::pin(async { store.save(&key(1), &ClusterState::default(), &[]).await })) };
    let store = raced((0..=TRIES).map(|_| busy()).collect()).await;
    let e = store.save(&key(1), &ClusterState::default(), &[]).await.unwrap_err();
    assert_eq!(e.code, "store_busy");
}
