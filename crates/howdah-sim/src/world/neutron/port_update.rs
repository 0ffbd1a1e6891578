//! What a change of a port does, to the port and to its DHCP binding.

use uuid::Uuid;

use crate::world::neutron::{Caller, NeutronError, NeutronPort, PortUpdate};
use crate::world::settings::NetworkBackend;
use crate::world::state::State;

type Answer<T> = Result<T, NeutronError>;

impl State {
    pub(super) fn change_port(&mut self, id: &str, update: &PortUpdate, caller: &Caller) -> Answer<NeutronPort> {
        let before = self.visible_port(id, caller)?.clone();
        self.check_update(&before, update, caller)?;
        let mut port = before.clone();
        if let Some(mac) = update.mac.filter(|m| *m != before.mac) {
            port.mac = self.port_mac(&before.network, Some(mac))?;
            self.forget_mac(before.mac, id);
            self.neutron.by_mac.entry(mac).or_default().push(id.to_owned());
        }
        if let Some(wishes) = &update.fixed_ips {
            self.release(&before.fixed_ips);
            match self.allocate(&before.network, id, wishes) {
                Ok(got) => port.fixed_ips = got,
                Err(e) => {
                    for held in before.fixed_ips {
                        self.neutron.by_address.insert(held, id.to_owned());
                    }
                    return Err(e);
                }
            }
        }
        let set = |old: &mut String, new: &Option<String>| {
            if let Some(new) = new {
                new.clone_into(old);
            }
        };
        set(&mut port.name, &update.name);
        set(&mut port.device_owner, &update.device_owner);
        set(&mut port.device_id, &update.device_id);
        set(&mut port.description, &update.description);
        set(&mut port.host, &update.host);
        port.security_groups = update.security_groups.clone().unwrap_or(port.security_groups);
        port.port_security = update.port_security.unwrap_or(port.port_security);
        port.admin_up = update.admin_up.unwrap_or(port.admin_up);
        self.rebind(&before, &mut port, update);
        port.revision += 1;
        port.updated = self.now;
        self.neutron.ports.insert(id.to_owned(), port.clone());
        Ok(port)
    }

    fn check_update(&self, before: &NeutronPort, update: &PortUpdate, caller: &Caller) -> Answer<()> {
        if let Some(seen) = update.if_revision.filter(|r| *r != before.revision) {
            let says = format!("Constrained to {seen}, but current revision is {}", before.revision);
            return Err(NeutronError::new("RevisionNumberConstraintFailed", 412, says));
        }
        if (update.mac.is_some() || update.host.is_some()) && !caller.admin {
            return Err(NeutronError::policy("(rule:update_port and rule:update_port:mac_address)"));
        }
        let nsx_v = self.settings.backend == NetworkBackend::NsxV;
        if nsx_v && update.fixed_ips.is_some() && update.device_owner.is_some() {
            return Err(NeutronError::bad_request(
                "port",
                "Changing fixed ips and device owner together is not supported.",
            ));
        }
        let unknown = update.security_groups.iter().flatten().find(|g| !self.neutron.groups.contains_key(*g));
        unknown.map_or(Ok(()), |g| Err(NeutronError::not_found("Security group", g)))
    }

    /// What an update does to the DHCP binding and to NSX-v's index of the card.
    fn rebind(&self, before: &NeutronPort, port: &mut NeutronPort, update: &PortUpdate) {
        let moved = before.mac != port.mac || before.fixed_ips != port.fixed_ips;
        port.binding = match (self.binds(&port.device_owner), before.binding) {
            (false, _) => None,
            (true, Some(at)) if !moved => Some(at),
            (true, _) => Some(self.binding_at(port.mac, 0)),
        };
        if self.settings.backend != NetworkBackend::NsxV {
            return;
        }
        if before.device_id != port.device_id {
            port.vnic_index = None;
        }
        // Only what the port was *before* this call counts; otherwise nothing happens, with a 200.
        let compute = before.device_owner.starts_with("compute:") && before.device_id.parse::<Uuid>().is_ok();
        if let Some(index) = update.vnic_index
            && compute
        {
            port.vnic_index = index;
        }
    }
}
