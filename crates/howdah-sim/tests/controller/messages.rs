//! What is refused before or during a create, as its author reads it.

use howdah_core::store::Store;
use howdah_core::wanted::{ClusterRecord, Secrets};
use howdah_sim::SiteSettings;
use howdah_sim::world::faults::{FaultRule, Inner};

use crate::site::Run;

async fn refused(settings: SiteSettings, bend: impl FnOnce(&Run, &mut ClusterRecord)) -> String {
    let run = Run::new(settings);
    let mut record = run.record("c1", 4).await;
    bend(&run, &mut record);
    run.store.insert(&record, &Secrets::default(), &[]).await.unwrap();
    let state = run.work(&record.key()).await.unwrap();
    assert_eq!(run.left().1, 0, "a VM was made before the refusal");
    let network = record.spec.network.id.to_string();
    let subnet = record.spec.subnet.id.to_string();
    run.failure(&state).replace(&network, "NETWORK-ID").replace(&subnet, "SUBNET-ID")
}

#[tokio::test(start_paused = true)]
async fn each_is_named_before_the_first_vm() {
    let site = SiteSettings::default;
    let mut said = vec![
        refused(site(), |_, r| r.spec.distro = "cdh5".into()).await,
        refused(site(), |_, r| r.spec.resource_pools = vec!["gold".into()]).await,
        refused(site(), |_, r| r.spec.datastores = vec!["fast".into()]).await,
        refused(site(), |_, r| r.shape.node_groups[0].count = 2000).await,
        refused(SiteSettings { port_quota: Some(3), ..site() }, |_, _| {}).await,
        refused(site(), |run, _| {
            run.world.write(|s| s.neutron.subnets.values_mut().for_each(|n| n.dhcp = false));
        })
        .await,
        refused(site(), |run, _| {
            run.world.write(|s| s.vc.port_groups.retain(|_, p| p.network.is_none()));
        })
        .await,
    ];
    said.push(refused(SiteSettings { switches: 2, ..site() }, |_, _| {}).await);
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_be_cloned_fails_the_create_by_name_and_a_second_request_finishes_it() {
    let run = Run::seeded(9);
    run.world.write(|s| s.faults.add(FaultRule::inner(Inner::Clone, "c1-worker-2").times(1)));
    let id = run.add("c1", 4).await;
    let state = run.work(&id).await.unwrap();
    insta::assert_snapshot!(run.failure(&state));
    run.want(&id, howdah_core::wanted::Goal::Running, howdah_core::wanted::OperationKind::Create).await;
    run.good(&run.work(&id).await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_bde_has_already_is_not_taken_over() {
    let run = Run::seeded(2);
    let first = run.add("c1", 2).await;
    run.work(&first).await.unwrap();
    // As if another Howdah had made it: our store does not know of it.
    run.store.remove(&first, &[]).await.unwrap();
    let id = run.add("c1", 2).await;
    let state = run.work(&id).await.unwrap();
    insta::assert_snapshot!(run.failure(&state));
    run.want(&id, howdah_core::wanted::Goal::Deleted, howdah_core::wanted::OperationKind::Delete).await;
    assert!(run.work(&id).await.is_none());
    assert_eq!(run.left().1, 2, "somebody else's VMs stay");
}
