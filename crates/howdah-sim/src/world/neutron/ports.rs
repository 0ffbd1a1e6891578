//! What Neutron does with requests for ports, and what each backend makes of them.
//!
//! A port's `binding` is the moment from which DHCP answers for it; the rules for it stand in
//! one place, [`State::binds`].

use std::collections::BTreeSet;
use std::time::Duration;

use howdah_core::ids::Mac;

use crate::world::World;
use crate::world::neutron::{Caller, NeutronError, NeutronPort, PortBody, PortUpdate};
use crate::world::settings::NetworkBackend;
use crate::world::state::State;

type Answer<T> = Result<T, NeutronError>;

impl World {
    /// `POST /ports`, one or many: all of them are made, or none.
    ///
    /// # Errors
    /// As Neutron's: `MacAddressInUse`, `OverQuota`, `NetworkNotFound`, ...
    pub async fn create_ports(&self, bodies: Vec<PortBody>, caller: &Caller) -> Answer<Vec<NeutronPort>> {
        let (took, twice) = self.write(|s| {
            let mut seen = BTreeSet::new();
            let mut twice = false;
            for body in &bodies {
                let Some(mac) = body.mac else { continue };
                twice |= !seen.insert((body.network.clone(), mac));
                let now = s.now;
                s.journal.posted.entry(mac).or_insert(now);
            }
            (s.ports_take(&bodies), twice)
        });
        if twice {
            // Neutron takes the collision for a transient conflict and retries it to the end.
            self.sleep(Duration::from_secs(96)).await;
            let says = "Request Failed: internal server error while processing your request.";
            return Err(NeutronError::new("HTTPInternalServerError", 500, says));
        }
        self.sleep(took).await;
        self.write(|s| {
            let made = s.add_ports(&bodies, caller)?;
            for port in &made {
                *s.journal.ports_made.entry((port.network.clone(), port.mac)).or_default() += 1;
            }
            Ok(made)
        })
    }

    /// `PUT /ports/{id}`.
    ///
    /// # Errors
    /// As Neutron's.
    pub fn update_port(&self, id: &str, update: &PortUpdate, caller: &Caller) -> Answer<NeutronPort> {
        self.write(|s| s.change_port(id, update, caller))
    }

    /// `DELETE /ports/{id}`.
    ///
    /// # Errors
    /// 404 if it is not there.
    pub fn delete_port(&self, id: &str, caller: &Caller) -> Answer<()> {
        self.write(|s| {
            s.visible_port(id, caller)?;
            s.drop_port(id);
            Ok(())
        })
    }
}

impl State {
    /// Whether a project may see a port.
    pub fn sees_port(&self, port: &NeutronPort, caller: &Caller) -> bool {
        caller.admin
            || port.project == caller.project
            || self.neutron.networks.get(&port.network).is_some_and(|n| n.project == caller.project)
    }

    /// A port that the caller may see.
    ///
    /// # Errors
    /// 404 otherwise.
    pub fn visible_port(&self, id: &str, caller: &Caller) -> Answer<&NeutronPort> {
        let found = self.neutron.ports.get(id).filter(|p| self.sees_port(p, caller));
        found.ok_or_else(|| NeutronError::not_found("Port", id))
    }

    /// Whether DHCP will answer for a port.
    ///
    /// * NSX-v: a static binding is made only for owners that begin with `compute`; there is no
    ///   dynamic pool.
    /// * NSX-T: for any owner but the network's own services.
    /// * ML2: for every port.
    pub fn binds(&self, owner: &str) -> bool {
        match self.settings.backend {
            NetworkBackend::NsxV => owner.starts_with("compute"),
            NetworkBackend::NsxT => !owner.is_empty() && !owner.starts_with("network:"),
            NetworkBackend::Ml2 => true,
        }
    }

    /// Adds all of these ports or none.
    pub(crate) fn add_ports(&mut self, bodies: &[PortBody], caller: &Caller) -> Answer<Vec<NeutronPort>> {
        let mut made: Vec<NeutronPort> = Vec::new();
        for (place, body) in bodies.iter().enumerate() {
            match self.add_port(body, caller, place) {
                Ok(port) => made.push(port),
                Err(e) => {
                    for port in made {
                        self.drop_port(&port.id);
                    }
                    return Err(e);
                }
            }
        }
        Ok(made)
    }

    fn add_port(&mut self, body: &PortBody, caller: &Caller, place: usize) -> Answer<NeutronPort> {
        let network = self.visible_network(&body.network, caller)?.clone();
        let project = body.project.clone().unwrap_or_else(|| caller.project.clone());
        let owns = caller.admin || network.project == caller.project;
        if project != caller.project && !caller.admin {
            return Err(NeutronError::policy("create_port:tenant_id"));
        }
        if body.mac.is_some() && !owns {
            return Err(NeutronError::policy("(rule:create_port and rule:create_port:mac_address)"));
        }
        if body.host.as_deref().is_some_and(|h| !h.is_empty()) && !caller.admin {
            return Err(NeutronError::policy("(rule:create_port and rule:create_port:binding:host_id)"));
        }
        if network.external
            && self.settings.backend == NetworkBackend::NsxT
            && body.device_owner.starts_with("compute:")
        {
            let says = "Cannot attach a compute port to an external network.";
            return Err(NeutronError::new("InvalidInput", 400, says));
        }
        self.check_quota(&project)?;
        let mac = self.port_mac(&network.id, body.mac)?;
        let security_groups = self.port_groups_of(&project, body)?;
        let wishes = body.fixed_ips.clone().unwrap_or_else(|| self.any_subnet(&network.id));
        if wishes.len() > 1 && self.settings.backend == NetworkBackend::NsxV {
            return Err(NeutronError::bad_request("port", "Exceeded maximum amount of fixed ips per port."));
        }
        let id = self.new_uuid("port");
        let fixed_ips = self.allocate(&network.id, &id, &wishes)?;
        let binding = self.binds(&body.device_owner).then(|| self.binding_at(mac, place));
        let host = body.host.clone().unwrap_or_default();
        let nsx = self.settings.backend != NetworkBackend::Ml2;
        let port = NeutronPort {
            id: id.clone(),
            name: body.name.clone(),
            project,
            network: network.id,
            mac,
            fixed_ips,
            device_owner: body.device_owner.clone(),
            device_id: body.device_id.clone(),
            description: body.description.clone(),
            security_groups,
            admin_up: body.admin_up.unwrap_or(true),
            port_security: body.port_security.unwrap_or(true),
            status: if nsx || !host.is_empty() { "ACTIVE" } else { "DOWN" },
            host,
            vnic_index: None,
            binding,
            tags: Vec::new(),
            revision: 1,
            created: self.now,
            updated: self.now,
            origin: self.actor.origin,
        };
        self.neutron.by_mac.entry(mac).or_default().push(id.clone());
        self.neutron.ports.insert(id, port.clone());
        Ok(port)
    }

    /// When DHCP knows of a port that is made now: the agents are told one by one.
    pub(super) fn binding_at(&self, mac: Mac, place: usize) -> jiff::Timestamp {
        let each = self.dice.span(self.settings.timings.dhcp_binding, "dhcp_binding", &mac.to_string());
        let places = u32::try_from(place + 1).unwrap_or(u32::MAX);
        let all = if self.settings.backend == NetworkBackend::Ml2 { each.saturating_mul(places) } else { each };
        self.now + all
    }

    fn check_quota(&self, project: &str) -> Answer<()> {
        let Some(limit) = self.neutron.port_quota.get(project) else {
            return Ok(());
        };
        if self.ports_of(project) >= *limit {
            return Err(NeutronError::new("OverQuota", 409, "Quota exceeded for resources: ['port']."));
        }
        Ok(())
    }

    /// How many ports a project has.
    pub fn ports_of(&self, project: &str) -> u64 {
        self.neutron.ports.values().filter(|p| p.project == project).count() as u64
    }

    pub(super) fn port_mac(&self, network: &str, wish: Option<Mac>) -> Answer<Mac> {
        let Some(mac) = wish else {
            let draw = |n: u64| {
                self.dice.mac([0xfa, 0x16, 0x3e], 0, 0xff, "neutron-mac", &(self.neutron.next + n).to_string())
            };
            return (0..).map(draw).find(|m| !self.neutron.by_mac.contains_key(m)).ok_or_else(|| {
                NeutronError::new("MacAddressGenerationFailure", 503, "Unable to generate unique mac.")
            });
        };
        let anywhere = self.settings.backend == NetworkBackend::NsxV;
        let taken = self.neutron.by_mac.get(&mac).into_iter().flatten().filter_map(|p| self.neutron.ports.get(p));
        match taken.into_iter().find(|p| anywhere || p.network == network) {
            Some(_) => Err(NeutronError::mac_in_use(network, mac)),
            None => Ok(mac),
        }
    }

    fn port_groups_of(&self, project: &str, body: &PortBody) -> Answer<Vec<String>> {
        match &body.security_groups {
            Some(groups) => {
                let unknown = groups.iter().find(|g| !self.neutron.groups.contains_key(*g));
                unknown.map_or(Ok(groups.clone()), |g| Err(NeutronError::not_found("Security group", g)))
            }
            None if body.port_security == Some(false) => Ok(Vec::new()),
            None => {
                let default = self.neutron.groups.values().find(|g| g.project == project && g.name == "default");
                Ok(default.map(|g| g.id.clone()).into_iter().collect())
            }
        }
    }

    /// Removes a port, if it is there. A guest keeps the lease that it has.
    pub(crate) fn drop_port(&mut self, id: &str) {
        let Some(port) = self.neutron.ports.remove(id) else {
            return;
        };
        self.release(&port.fixed_ips);
        self.forget_mac(port.mac, id);
    }

    pub(super) fn forget_mac(&mut self, mac: Mac, port: &str) {
        if let Some(ids) = self.neutron.by_mac.get_mut(&mac) {
            ids.retain(|p| p != port);
            if ids.is_empty() {
                self.neutron.by_mac.remove(&mac);
            }
        }
    }

    /// How long a create of these ports takes.
    pub(crate) fn ports_take(&self, ports: &[PortBody]) -> Duration {
        let each = self.settings.timings.port_create;
        let draw =
            |p: &PortBody| self.dice.span(each, "port_create", &p.mac.map_or_else(String::new, |m| m.to_string()));
        ports.iter().map(draw).sum()
    }
}
