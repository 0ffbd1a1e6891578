//! When an operation has succeeded: the conditions on the nodes of every provisioner.

use std::sync::Arc;

use super::{Draft, Outcome};
use crate::action::Action;
use crate::condition::{ConditionKind, ConditionStatus};
use crate::known::NodeState;
use crate::policy::Networks;
use crate::seen::nic_on;
use crate::stage::{Stage, stage};
use crate::time::Stamp;

impl Draft<'_> {
    /// Ends the operation once this many nodes have their addresses.
    ///
    /// The watch may be late and others may have changed the ports, so a final query must confirm what the
    /// watch shows.
    pub fn finish_when_addressed(&mut self, count: usize) {
        let view = self.view;
        let nodes = &view.state.nodes;
        if nodes.len() < count || !nodes.values().all(|node| is_ready(node, view.networks)) {
            return;
        }
        let Some(ports) = view.ports_floor() else {
            self.again = self.again.min(view.policy.manager_poll);
            return;
        };
        let listed = view.seen.ports.whole_after(ports).is_some();
        if !listed {
            self.act(Action::ListPorts);
        }
        let since = view.floor().unwrap_or(Stamp::START).max(view.seen.status_since);
        match view.seen.checked.after(since) {
            Some(_) if listed && self.nodes_were_checked(since) => self.end(Outcome::Succeeded),
            Some(_) if view.seen.checked.age(view.now).is_some_and(|age| age < view.policy.manager_poll) => {
                self.again = self.again.min(view.policy.manager_poll);
            }
            _ => self.act(Action::LookAtVms(nodes.values().filter_map(|n| n.vm.clone()).collect())),
        }
    }

    /// Whether each VM, queried after this moment, is on and has its port's address.
    fn nodes_were_checked(&self, since: Stamp) -> bool {
        let view = self.view;
        let (Some(vms), Some(segment)) = (view.seen.checked.after(since), &view.state.segment) else {
            return false;
        };
        view.state.nodes.values().all(|node| {
            let vm = node.vm.as_ref().and_then(|vm| vms.get(vm)).map(Arc::as_ref);
            let nic = vm.and_then(|vm| nic_on(vm, &segment.key));
            stage(vm, nic, node.promised) == Stage::Addressed
        })
    }
}

fn is_ready(node: &NodeState, networks: &Networks) -> bool {
    let attached = node.conditions.iter().find(|c| c.kind == ConditionKind::Attached);
    let attached = !networks.require_attachment || attached.is_none_or(|c| c.status == ConditionStatus::True);
    node.stage == Stage::Addressed && node.port.is_some() && attached
}
