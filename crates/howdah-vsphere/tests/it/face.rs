//! The simulated vCenter as a raw client sees it: what it refuses, and what a wait may ask again.

use howdah_transport::{Deadlines, Http, Trust};
use howdah_vsphere::xml::Element;
use reqwest::Method;

use crate::site::Site;

/// A client without manners.
struct Raw<'a> {
    site: &'a Site,
    http: Http,
    cookie: Option<String>,
}

impl<'a> Raw<'a> {
    fn new(site: &'a Site) -> Self {
        Self { site, http: Http::new(&Trust::System, Deadlines::default()).unwrap(), cookie: None }
    }

    async fn logged_in(site: &'a Site) -> Self {
        let mut raw = Self::new(site);
        let login = site.world.read(|s| s.settings.vcenter_login.clone());
        let request = method("Login", "SessionManager", "SessionManager")
            .with_leaf("userName", login.user)
            .with_leaf("password", login.password);
        raw.call("6.5", &request).await;
        raw
    }

    /// The answer's first child, or the fault in words.
    async fn call(&mut self, version: &str, request: &Element) -> Element {
        let url = format!("{}/sdk", self.site.url);
        let mut post = self.http.request(Method::POST, &url).header("SOAPAction", format!("urn:vim25/{version}"));
        if let Some(cookie) = &self.cookie {
            post = post.header("Cookie", cookie);
        }
        let answer = self.http.send(post.body(request.envelope(None))).await.unwrap();
        if let Some(cookie) = answer.headers().get("set-cookie") {
            self.cookie = Some(cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
        }
        let body = self.http.body(answer).await.unwrap();
        Element::parse(&body).unwrap().child("Body").unwrap().children[0].clone()
    }

    async fn refused(&mut self, version: &str, request: &Element) -> String {
        let fault = self.call(version, request).await;
        assert_eq!(fault.name, "Fault", "{fault:?}");
        let name = fault.child("detail").unwrap().children[0].xsi_type.clone().unwrap();
        format!("{name}: {}", fault.text_of("faultstring").unwrap().trim())
    }
}

fn method(name: &str, ty: &str, this: &str) -> Element {
    Element::new(name).with(Element::reference("_this", ty, this))
}

fn retrieve(moref: &str, paths: &[&str]) -> Element {
    let set = Element::new("propSet")
        .with_leaf("type", "VirtualMachine")
        .with_all(paths.iter().map(|p| Element::leaf("pathSet", p)));
    let object = Element::new("objectSet").with(Element::reference("obj", "VirtualMachine", moref));
    method("RetrievePropertiesEx", "PropertyCollector", "propertyCollector")
        .with(Element::new("specSet").with(set).with(object))
        .with(Element::new("options"))
}

#[tokio::test]
async fn it_refuses_what_a_real_one_refuses() {
    let site = Site::start().await;
    let mut raw = Raw::new(&site);
    let time = method("CurrentTime", "ServiceInstance", "ServiceInstance");
    let mut said = vec![raw.refused("6.5", &time).await];
    let mut raw = Raw::logged_in(&site).await;
    said.push(raw.refused("7.0", &time).await);
    said.push(raw.refused("6.5", &method("FormatVmfs", "Folder", "group-d1")).await);
    let wrong = Element::new("DestroyView").with_leaf("view", 1).with_leaf("_this", "v");
    said.push(raw.refused("6.5", &wrong).await);
    let late = method("CreateContainerView", "ViewManager", "ViewManager")
        .with_leaf("recursive", true)
        .with(Element::reference("container", "Folder", "group-d1"));
    said.push(raw.refused("6.5", &late).await);
    said.push(raw.refused("6.5", &retrieve("vm-99999", &["name"])).await);
    let template = site.world.read(|s| s.vc.vm_named("hadoop-template").unwrap().moref.clone());
    said.push(raw.refused("6.5", &retrieve(template.as_str(), &["config.nonsense"])).await);
    said.push(raw.refused("6.5", &method("PowerOnVM_Task", "VirtualMachine", "vm-99999")).await);
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn a_wait_can_be_asked_again_with_the_version_before_but_not_with_any() {
    let site = Site::start().await;
    let mut raw = Raw::logged_in(&site).await;
    let folder = site.folder("c", "worker");
    let vm = site.make_vm("c-worker-0", &folder).await;
    let spec = retrieve(vm.as_str(), &["name", "runtime.powerState"]).child("specSet").unwrap().clone();
    let filter = method("CreateFilter", "PropertyCollector", "propertyCollector")
        .with(Element { name: "spec".to_owned(), ..spec })
        .with_leaf("partialUpdates", false);
    assert_eq!(raw.call("6.5", &filter).await.name, "CreateFilterResponse");
    let wait = |version: &str| {
        method("WaitForUpdatesEx", "PropertyCollector", "propertyCollector")
            .with_leaf("version", version)
            .with(Element::new("options").with_leaf("maxWaitSeconds", 0))
    };
    let first = raw.call("6.5", &wait("")).await;
    let version = first.at(&["returnval", "version"]).unwrap().text.clone();
    assert_eq!(first.at(&["returnval", "filterSet", "objectSet", "kind"]).unwrap().text, "enter");
    assert!(raw.call("6.5", &wait(&version)).await.children.is_empty(), "nothing new, no waiting");

    let task = site.world.power_on_task(&vm).unwrap();
    site.world.task_end(&task).await.unwrap();
    let second = raw.call("6.5", &wait(&version)).await;
    assert_eq!(second.at(&["returnval", "filterSet", "objectSet", "changeSet", "val"]).unwrap().text, "poweredOn");
    assert_eq!(raw.call("6.5", &wait(&version)).await, second, "its answer may have been lost");
    assert!(raw.refused("6.5", &wait("77")).await.starts_with("InvalidCollectorVersion"));
    assert!(raw.refused("6.5", &wait("x")).await.starts_with("InvalidCollectorVersion"));
}
