//! The SOAP methods, one by one: a request that has passed the checks in, the children of the answer
//! out. What a method needs of the world it asks the world; it keeps nothing but session objects.

use std::sync::Arc;
use std::time::Duration;

use howdah_core::ids::VmRef;
use howdah_vsphere::xml::Element;

use super::collect::{Spec, View, content, read_ref, withheld};
use super::collector::Collector;
use super::fault::Fault;
use super::session::{DEFAULT_COLLECTOR, Session, Sessions};
use super::value::{Ref, Value, boolean, string, time};
use super::{objects, reconfigure};
use crate::world::World;

/// More objects than this are never in one answer.
const PAGE: usize = 1000;

/// Everything that a method can need.
pub(super) struct Call<'a> {
    pub(super) world: &'a World,
    pub(super) sessions: &'a Sessions,
    pub(super) request: &'a Element,
    /// The API version that both sides can speak.
    pub(super) version: (u32, u32),
}

/// What a method answers.
pub(super) struct Reply {
    pub(super) children: Vec<Element>,
    /// A new session's cookie.
    pub(super) cookie: Option<String>,
}

impl From<Vec<Element>> for Reply {
    fn from(children: Vec<Element>) -> Self {
        Self { children, cookie: None }
    }
}

type Answer = Result<Reply, Fault>;

impl Call<'_> {
    fn this(&self) -> &str {
        self.request.text_of("_this").unwrap_or_default()
    }

    fn reference(&self, name: &'static str) -> Result<Ref, Fault> {
        read_ref(self.request.child(name).ok_or_else(|| Fault::invalid_argument(name))?)
    }

    /// Methods that need no session.
    pub(super) fn open(&self) -> Option<Answer> {
        match self.request.name.as_str() {
            "RetrieveServiceContent" => Some(Ok(self.service_content().plain("returnval").into())),
            "Fetch" if self.this() == "ServiceInstance" && self.request.text_of("prop") == Some("content") => {
                Some(Ok(self.service_content().plain("returnval").into()))
            }
            "Login" => Some(self.login()),
            _ => None,
        }
    }

    /// Methods of a session.
    pub(super) async fn within(&self, session: &Arc<Session>) -> Answer {
        let nothing = || Ok(Vec::new().into());
        match self.request.name.as_str() {
            "Logout" => {
                self.sessions.close(session);
                nothing()
            }
            "CurrentTime" => Ok(time(self.world.now()).plain("returnval").into()),
            "Fetch" => self.fetch(session),
            "CreateContainerView" => self.create_view(session),
            "DestroyView" => match session.objects().views.remove(self.this()) {
                Some(_) => nothing(),
                None => Err(Fault::not_found("ContainerView", self.this())),
            },
            "CreatePropertyCollector" => {
                let id = session.objects().add_collector(&session.cookie);
                Ok(vec![Element::reference("returnval", "PropertyCollector", &id)].into())
            }
            "DestroyPropertyCollector" => self.destroy_collector(session),
            "CreateFilter" => self.create_filter(session),
            "DestroyPropertyFilter" => self.destroy_filter(session),
            "WaitForUpdates" | "WaitForUpdatesEx" => self.wait_for_updates(session).await,
            "CancelWaitForUpdates" => {
                session.collector(self.this())?.cancel();
                nothing()
            }
            "RetrievePropertiesEx" => self.retrieve(session),
            "RetrieveProperties" => {
                Ok(self.retrieve_all(session)?.into_iter().map(as_returnval).collect::<Vec<_>>().into())
            }
            "ContinueRetrievePropertiesEx" => self.continue_retrieve(session),
            "CancelRetrievePropertiesEx" => {
                let token = self.request.text_of("token").unwrap_or_default();
                session.objects().rest(token).map(|_| Vec::new().into()).ok_or_else(|| Fault::invalid_property("token"))
            }
            "PowerOnVM_Task" => self.task(|w, vm| w.power_on_task(vm).map_err(Fault::from)),
            "PowerOffVM_Task" => self.task(|w, vm| w.power_off_task(vm).map_err(Fault::from)),
            "ResetVM_Task" => self.task(|w, vm| w.reset_task(vm).map_err(Fault::from)),
            "RebootGuest" => {
                self.world.reboot_guest(&VmRef::new(self.this()))?;
                nothing()
            }
            "ReconfigVM_Task" => self.task(|world, vm| {
                let spec = self.request.child("spec").ok_or_else(|| Fault::invalid_argument("spec"))?;
                let change = world.read(|s| reconfigure::read(s, spec))?;
                Ok(world.reconfigure_task(vm, change)?)
            }),
            other => Err(Fault::new("NotSupported", format!("{other} is not simulated."))),
        }
    }

    fn service_content(&self) -> Value {
        let (root, uuid) = self.world.read(|s| (s.vc.root.clone(), s.vc.uuid.to_string()));
        let (api, product) = self.world.read(|s| (s.settings.vcenter_version.clone(), s.settings.vcenter_product()));
        let about = Value::Object(
            "AboutInfo",
            vec![
                ("name", string("VMware vCenter Server")),
                ("fullName", string(product)),
                ("vendor", string("Howdah")),
                ("version", string(format!("{api}.0"))),
                ("build", string("0")),
                ("localeVersion", string("INTL")),
                ("localeBuild", string("000")),
                ("osType", string("linux-x64")),
                ("productLineId", string("vpx")),
                ("apiType", string("VirtualCenter")),
                ("apiVersion", string(&api)),
                ("instanceUuid", string(uuid)),
                ("licenseProductName", string("VMware VirtualCenter Server")),
                ("licenseProductVersion", string(format!("{api}.0"))),
            ],
        );
        let singleton = |ty: &'static str, value: &str| Value::Ref(Ref::new(ty, value));
        Value::Object(
            "ServiceContent",
            vec![
                ("rootFolder", singleton("Folder", &root)),
                ("propertyCollector", singleton("PropertyCollector", DEFAULT_COLLECTOR)),
                ("viewManager", singleton("ViewManager", "ViewManager")),
                ("about", about),
                ("sessionManager", singleton("SessionManager", "SessionManager")),
            ],
        )
    }

    fn login(&self) -> Answer {
        let field = |name: &str| self.request.text_of(name).unwrap_or_default();
        let good = self.world.write(|s| s.signs_on(field("userName"), field("password")));
        if !good {
            return Err(Fault::invalid_login());
        }
        let cookie = uuid::Uuid::new_v4().to_string();
        let session = self.sessions.open(cookie.clone(), field("userName"));
        Ok(Reply { children: self.user_session(&session).plain("returnval"), cookie: Some(cookie) })
    }

    fn user_session(&self, session: &Session) -> Value {
        let now = time(self.world.now());
        Value::Object(
            "UserSession",
            vec![
                ("key", string(session.cookie.get(..8).unwrap_or_default())),
                ("userName", string(&session.user)),
                ("fullName", string(&session.user)),
                ("loginTime", now.clone()),
                ("lastActiveTime", now),
                ("locale", string("en")),
                ("messageLocale", string("en")),
                ("extensionSession", boolean(false)),
            ],
        )
    }

    /// A single property, as older clients read them.
    fn fetch(&self, session: &Session) -> Answer {
        let (this, path) = (self.reference("_this")?, self.request.text_of("prop").unwrap_or_default());
        let value = match (this.ty, path) {
            ("SessionManager", "currentSession") => self.user_session(session),
            ("ServiceInstance", "serverClock") => time(self.world.now()),
            ("ContainerView", "view") => {
                let objects = session.objects();
                let view = objects.views.get(&this.value).ok_or_else(|| Fault::not_found(this.ty, &this.value))?;
                let found = self.world.read(|s| objects::view(s, &view.container, &view.types, view.recursive));
                super::value::refs(found)
            }
            _ => self.world.read(|s| {
                if !objects::exists(s, &this) {
                    return Err(Fault::not_found(this.ty, &this.value));
                }
                if !objects::has(this.ty, path, self.version) {
                    return Err(Fault::invalid_property(path));
                }
                objects::property(s, &this, path).map_err(|()| Fault::invalid_property(path))
            })?,
        };
        Ok(value.property("returnval").into_iter().collect::<Vec<_>>().into())
    }

    fn create_view(&self, session: &Session) -> Answer {
        let container = self.reference("container")?;
        if !self.world.read(|s| objects::exists(s, &container)) {
            return Err(Fault::not_found(container.ty, &container.value));
        }
        let types: Vec<_> = self.request.all("type").map(|t| t.text.clone()).collect();
        if types.iter().any(|t| !objects::is_type(t)) {
            return Err(Fault::invalid_argument("type"));
        }
        let recursive = self.request.child("recursive").is_some_and(Element::is_true);
        let id = session.objects().add_view(&session.cookie, View { container, types, recursive });
        Ok(vec![Element::reference("returnval", "ContainerView", &id)].into())
    }

    fn destroy_collector(&self, session: &Session) -> Answer {
        if self.this() == DEFAULT_COLLECTOR {
            return Err(Fault::new("NotSupported", "The session's own collector stays."));
        }
        let removed = session.objects().remove_collector(self.this());
        let collector = removed.ok_or_else(|| Fault::not_found("PropertyCollector", self.this()))?;
        collector.cancel();
        Ok(Vec::new().into())
    }

    fn create_filter(&self, session: &Session) -> Answer {
        let spec = Spec::read(self.request.child("spec").ok_or_else(|| Fault::invalid_argument("spec"))?)?;
        let collector = session.collector(self.this())?;
        let mut objects = session.objects();
        // What it selects must be there now, and its properties must be known.
        self.world.read(|s| {
            let selected = spec.select(s, &objects.views)?;
            selected.objects.first().map_or(Ok(()), |o| spec.values(s, o, self.version).map(drop))
        })?;
        let id = objects.add_filter(&session.cookie, self.this());
        drop(objects);
        collector.add(id.clone(), spec);
        Ok(vec![Element::reference("returnval", "PropertyFilter", &id)].into())
    }

    fn destroy_filter(&self, session: &Session) -> Answer {
        let removed = session.objects().filters.remove(self.this());
        let collector = removed.ok_or_else(|| Fault::not_found("PropertyFilter", self.this()))?;
        session.collector(&collector)?.remove(self.this());
        Ok(Vec::new().into())
    }

    async fn wait_for_updates(&self, session: &Arc<Session>) -> Answer {
        let collector = session.collector(self.this())?;
        let number = |name: &str| -> Option<u64> { self.request.at(&["options", name])?.text.trim().parse().ok() };
        let longest = number("maxWaitSeconds");
        let most = number("maxObjectUpdates").and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
        // Subscribe before the first read, so that no change is missed.
        let mut world = self.world.subscribe();
        let mut filters = collector.filters.subscribe();
        let mut cancelled = collector.cancelled.subscribe();
        let mut ended = session.ended.subscribe();
        if let Some(again) = collector.begin(self.request.text_of("version").unwrap_or_default())? {
            return Ok(vec![again].into());
        }
        let deadline = longest.map(|s| tokio::time::Instant::now() + Duration::from_secs(s));
        loop {
            world.borrow_and_update();
            filters.borrow_and_update();
            if let Some(set) = self.look(session, &collector, most)? {
                return Ok(vec![set].into());
            }
            let until = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            let outcome = tokio::select! {
                biased;
                _ = ended.wait_for(|e| *e) => Err(Fault::not_authenticated()),
                _ = cancelled.changed() => Err(Fault::new("RequestCanceled", "The request was canceled by a user.")),
                () = until => Ok(true),
                _ = filters.changed() => Ok(false),
                _ = world.changed() => Ok(false),
            };
            // Waiting counts as use.
            session.touch();
            if outcome? {
                return Ok(Vec::new().into());
            }
            // Changes come in bursts; a few milliseconds spare most of the looks.
            if longest != Some(0) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    fn look(&self, session: &Session, collector: &Collector, most: usize) -> Result<Option<Element>, Fault> {
        let objects = session.objects();
        self.world.read(|s| collector.collect(s, &objects.views, self.version, most))
    }

    fn retrieve_all(&self, session: &Session) -> Result<Vec<Element>, Fault> {
        session.collector(self.this())?;
        let objects = session.objects();
        let mut all = Vec::new();
        for spec in self.request.all("specSet") {
            let spec = Spec::read(spec)?;
            self.world.read(|s| {
                for obj in spec.select(s, &objects.views)?.objects {
                    let values = spec.values(s, &obj, self.version)?;
                    all.push(match s.vc.withheld.get(&obj.value) {
                        Some(fault) => withheld(&obj, values, &Fault::new(fault, "The property cannot be read.")),
                        None => content(&obj, values),
                    });
                }
                Ok::<_, Fault>(())
            })?;
        }
        Ok(all)
    }

    fn retrieve(&self, session: &Session) -> Answer {
        let most = self.request.at(&["options", "maxObjects"]).and_then(|m| m.text.trim().parse().ok());
        let all = self.retrieve_all(session)?;
        Ok(page(session, all, most.filter(|m| *m > 0).unwrap_or(PAGE).min(PAGE)))
    }

    fn continue_retrieve(&self, session: &Session) -> Answer {
        let token = self.request.text_of("token").unwrap_or_default();
        let rest = session.objects().rest(token);
        let (size, rest) = rest.ok_or_else(|| Fault::invalid_property("token"))?;
        Ok(page(session, rest, size))
    }

    fn task(&self, start: impl FnOnce(&World, &VmRef) -> Result<String, Fault>) -> Answer {
        let vm = self.reference("_this")?;
        if !self.world.read(|s| objects::exists(s, &vm)) {
            return Err(Fault::not_found(vm.ty, &vm.value));
        }
        let task = start(self.world, &VmRef::new(vm.value))?;
        Ok(vec![Element::reference("returnval", "Task", &task)].into())
    }
}

fn page(session: &Session, all: Vec<Element>, size: usize) -> Reply {
    let (objects, token) = session.objects().page(&session.cookie, all, size);
    if objects.is_empty() {
        return Vec::new().into();
    }
    let token = token.map(|t| Element::leaf("token", t));
    vec![Element::new("returnval").typed("RetrieveResult").with_all(token).with_all(objects)].into()
}

fn as_returnval(content: Element) -> Element {
    Element { name: "returnval".to_owned(), ..content }
}
