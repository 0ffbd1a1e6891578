//! The jobs that switch clusters on and off, shrink and remove them.

use futures::future::join_all;
use howdah_core::ids::VmRef;
use howdah_core::systems::vcenter::Power;

use crate::world::bde::NodeStatus;
use crate::world::bde::jobs::{Job, Step, Stopped};

impl Job {
    pub(super) async fn start(&self) -> Step {
        let vms = self.vms();
        let on = vms.iter().map(|(name, vm)| self.power_on_and_wait(name, vm));
        let ended: Vec<Step> = join_all(on).await;
        ended.into_iter().find(|e| *e == Err(Stopped::Dead)).unwrap_or(Ok(()))?;
        self.progress(1.0, 3.0)?;
        self.verify_nodes()?;
        self.pause(|t| t.services, "start").await?;
        self.progress(2.0, 3.0)?;
        for (name, _) in vms {
            self.node(&name, |n| n.status = NodeStatus::ServiceReady)?;
        }
        Ok(())
    }

    pub(super) async fn stop(&self) -> Step {
        self.pause(|t| t.services, "stop").await?;
        self.progress(1.0, 2.0)?;
        let off = self.vms().into_iter().map(|(name, vm)| async move {
            self.pause(|t| t.shutdown, &format!("{name}/shutdown")).await?;
            // It may be off already: somebody else was quicker.
            let _ = self.world.power_off_now(&vm);
            Ok(())
        });
        join_all(off).await.into_iter().collect::<Step>()
    }

    pub(super) async fn delete(&self) -> Step {
        self.pause(|t| t.services, "delete").await?;
        self.progress(1.0, 4.0)?;
        // Whatever is in the cluster's folder, VMs that no node knows of among them.
        let vms = self.look(|s, c| {
            let below = c.folder.as_deref().map(|f| s.vc.vms_below(f)).unwrap_or_default();
            below.into_iter().filter_map(|v| Some((s.vm(&v)?.name.clone(), v))).collect()
        });
        self.destroy(vms).await?;
        self.progress(3.0, 4.0)
    }

    /// Destroys VMs, those that are on after switching them off.
    pub(crate) async fn destroy(&self, vms: Vec<(String, VmRef)>) -> Step {
        let gone = vms.into_iter().map(|(name, vm)| async move {
            self.node(&name, |n| n.action = Some("Destroying VM".to_owned()))?;
            if self.world.read(|s| s.vm(&vm).is_some_and(|v| v.power == Power::On)) {
                self.pause(|t| t.power, &format!("{name}/off")).await?;
                let _ = self.world.power_off_now(&vm);
            }
            self.pause(|t| t.destroy, &format!("{name}/destroy")).await?;
            let _ = self.world.destroy_now(&vm);
            Ok(())
        });
        join_all(gone).await.into_iter().collect()
    }

    pub(super) async fn shrink(&self, group: &str) -> Step {
        let surplus: Vec<String> = self.look(|_, c| {
            let found = c.groups.iter().find(|g| g.request.name == group);
            let keep = found.map_or(0, |g| usize::try_from(g.request.count).unwrap_or(usize::MAX));
            found.into_iter().flat_map(|g| g.nodes.iter().skip(keep)).map(|n| n.name.clone()).collect()
        });
        for name in surplus.into_iter().rev() {
            self.pause(|t| t.services, &format!("{name}/decommission")).await?;
            let vm: Vec<_> = self.vms().into_iter().filter(|(n, _)| *n == name).collect();
            self.destroy(vm).await?;
            self.state(|s| {
                for group in s.bde.clusters.get_mut(&self.cluster).into_iter().flat_map(|c| &mut c.groups) {
                    group.nodes.retain(|n| n.name != name);
                }
            })?;
        }
        Ok(())
    }

    /// Resume begins by deleting the nodes whose VM is missing, off, or without an address.
    pub(super) async fn delete_bad_nodes(&self) -> Step {
        let bad = self.look(|s, c| {
            let is_bad = |vm: &VmRef| s.vm(vm).is_none_or(|v| v.power != Power::On || !v.has_reported_address());
            c.nodes()
                .filter_map(|n| Some((n.name.clone(), n.vm.clone()?)))
                .filter(|(_, vm)| is_bad(vm))
                .collect::<Vec<_>>()
        });
        self.destroy(bad).await
    }
}
