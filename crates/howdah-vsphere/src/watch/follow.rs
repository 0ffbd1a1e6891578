//! Following within one login: set up, wait, take what came, fetch what is missing, tell, again.
//! Any error ends it; the caller starts anew and compares.

use std::time::Duration;

use howdah_core::ids::VmRef;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::site::{Place, Site};
use super::{Command, Ended, RESYNC};
use crate::error::Error;
use crate::fault::FaultKind;
use crate::request::{self, Ref};
use crate::retrieve::{BULK, Wanted, retrieve_in};
use crate::session::{Live, Session};
use crate::update::{self, LONGEST_WAIT, UpdateSet};
use crate::vm::{DEVICES, LIGHT, nics};

/// How long a cancelled wait may take to end.
const CANCEL: Duration = Duration::from_secs(2);

/// The objects that live in a login.
struct Watch<'a> {
    session: &'a Session,
    live: &'a Live,
    collector: Ref,
    folder_view: Ref,
    folder_filter: Ref,
    version: String,
}

pub(super) async fn follow(
    session: &Session,
    site: &mut Site,
    commands: &mut mpsc::UnboundedReceiver<Command>,
    failures: &mut u32,
) -> Ended {
    let live = match session.live().await {
        Ok(live) => live,
        Err(e) => return Ended::Lost(e),
    };
    let result = async {
        let mut watch = Watch::start(session, &live).await?;
        let result = watch.run(site, commands, failures).await;
        if result.is_ok() {
            update::destroy_collector(session, &live, &watch.collector).await;
            update::destroy(session, &live, "DestroyView", &watch.folder_view).await;
        }
        result
    }
    .await;
    match result {
        Ok(ended) => ended,
        Err(e) => {
            // Whatever is left of it must not be met again.
            session.bury(&live).await;
            Ended::Lost(e)
        }
    }
}

impl<'a> Watch<'a> {
    async fn start(session: &'a Session, live: &'a Live) -> Result<Self, Error> {
        let collector = update::create_collector(session, live).await?;
        let folder_view = update::create_view(session, live, &live.content.root, &["Folder"]).await?;
        let wanted = folders(&folder_view);
        let folder_filter = update::create_filter(session, live, &collector, wanted.properties, wanted.objects).await?;
        Ok(Self { session, live, collector, folder_view, folder_filter, version: String::new() })
    }

    async fn run(
        &mut self,
        site: &mut Site,
        commands: &mut mpsc::UnboundedReceiver<Command>,
        failures: &mut u32,
    ) -> Result<Ended, Error> {
        // The folders that are there. The shortest wait: there may be none at all.
        loop {
            let set = update::wait(self.session, self.live, &self.collector, &self.version, Duration::ZERO).await?;
            let Some(set) = set else { break };
            self.take(site, &set);
            if !set.truncated {
                break;
            }
        }
        let mut resync_at = Instant::now() + RESYNC;
        loop {
            while let Ok(command) = commands.try_recv() {
                site.take(command);
            }
            if Instant::now() >= resync_at {
                self.resync(site).await?;
                resync_at = Instant::now() + RESYNC;
            }
            self.settle(site).await?;
            *failures = 0;
            if site.is_empty() {
                return Ok(if commands.is_closed() { Ended::Closed } else { Ended::Idle });
            }
            let longest = resync_at.saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
            if let Some(set) = self.wait(site, commands, longest).await? {
                self.take(site, &set);
            }
        }
    }

    /// Waits for an update, or for a command that needs calls of its own.
    async fn wait(
        &self,
        site: &mut Site,
        commands: &mut mpsc::UnboundedReceiver<Command>,
        longest: Duration,
    ) -> Result<Option<UpdateSet>, Error> {
        let wait = update::wait(self.session, self.live, &self.collector, &self.version, longest);
        tokio::pin!(wait);
        while !site.has_work() {
            tokio::select! {
                result = &mut wait => return result,
                command = commands.recv() => match command {
                    Some(command) => site.take(command),
                    None => break,
                },
            }
        }
        // The wait is ended rather than dropped: what it may have fetched must not be lost. It can
        // still be on its way to the server when the cancel arrives there, hence the repeats.
        for _ in 0..10 {
            update::destroy(self.session, self.live, "CancelWaitForUpdates", &self.collector).await;
            match tokio::time::timeout(CANCEL, &mut wait).await {
                Ok(Err(e)) if e.fault_kind() == Some(FaultKind::RequestCanceled) => {
                    return Ok(None);
                }
                Ok(result) => return result,
                Err(_) => {}
            }
        }
        Err(Error::Incomplete { method: "CancelWaitForUpdates".to_owned(), missing: "effect" })
    }

    fn take(&mut self, site: &mut Site, set: &UpdateSet) {
        self.version.clone_from(&set.version);
        for filter in &set.filters {
            if filter.filter == self.folder_filter.value {
                filter.objects.iter().for_each(|o| site.update_folder(o));
            } else {
                site.update_vms(&filter.filter, &filter.objects);
            }
        }
    }

    /// Looks into new folders, out of old ones, fetches device lists, tells.
    async fn settle(&self, site: &mut Site) -> Result<(), Error> {
        if std::mem::take(&mut site.folders_changed) {
            let (open, close) = site.moves();
            for (cluster, folder) in close {
                if let Some(place) = site.closed(&cluster, &folder) {
                    update::destroy(self.session, self.live, "DestroyPropertyFilter", &place.filter).await;
                    update::destroy(self.session, self.live, "DestroyView", &place.view).await;
                }
            }
            for (cluster, folder) in open {
                match self.open(site, &cluster, &folder).await {
                    // The folder has gone meanwhile, and its leaving will be told.
                    Err(e) if e.fault_kind() == Some(FaultKind::ManagedObjectNotFound) => {}
                    other => other?,
                }
            }
        }
        self.fetch_devices(site).await?;
        site.tell();
        Ok(())
    }

    /// Looks into a folder: the filter first, then its content, so that nothing falls between.
    async fn open(&self, site: &mut Site, cluster: &str, folder: &str) -> Result<(), Error> {
        let container = Ref::new("Folder", folder);
        let view = update::create_view(self.session, self.live, &container, &["VirtualMachine"]).await?;
        let wanted = vms(&view);
        let filter =
            update::create_filter(self.session, self.live, &self.collector, wanted.properties, wanted.objects).await?;
        site.opened(cluster, folder.to_owned(), Place { view: view.clone(), filter });
        let objects = retrieve_in(self.session, self.live, &vms(&view)).await?;
        site.replace_vms(cluster, folder, &objects);
        Ok(())
    }

    async fn fetch_devices(&self, site: &mut Site) -> Result<(), Error> {
        let stale: Vec<_> = site.stale().into_iter().collect();
        for chunk in stale.chunks(BULK) {
            let refs: Vec<_> = chunk.iter().map(|(vm, _)| Ref::new("VirtualMachine", vm.as_str())).collect();
            let wanted = Wanted {
                properties: vec![request::properties("VirtualMachine", &[DEVICES])],
                objects: request::objects(&refs),
            };
            for object in retrieve_in(self.session, self.live, &wanted).await? {
                let vm = VmRef::new(object.obj.value.as_str());
                let age = chunk.iter().find(|(v, _)| *v == vm).map(|(_, age)| age.clone());
                if let (Some(age), Some(devices)) = (age, object.properties.get(DEVICES)) {
                    site.set_devices(&vm, age, nics(devices));
                }
            }
        }
        Ok(())
    }

    /// Reads everything anew.
    async fn resync(&self, site: &mut Site) -> Result<(), Error> {
        let objects = retrieve_in(self.session, self.live, &folders(&self.folder_view)).await?;
        site.replace_folders(&objects);
        for (cluster, folder, view) in site.places() {
            match retrieve_in(self.session, self.live, &vms(&view)).await {
                Ok(objects) => site.replace_vms(&cluster, &folder, &objects),
                Err(e) if e.fault_kind() == Some(FaultKind::ManagedObjectNotFound) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

fn folders(view: &Ref) -> Wanted {
    Wanted {
        properties: vec![request::properties("Folder", &["name", "parent"])],
        objects: request::viewed(view, Vec::new()),
    }
}

fn vms(view: &Ref) -> Wanted {
    Wanted {
        properties: vec![request::properties("VirtualMachine", LIGHT)],
        objects: request::viewed(view, Vec::new()),
    }
}
