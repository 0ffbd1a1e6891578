//! Every request of the client, one function each. Invariant: each follows the order of
//! [`crate::schema`]; the test below checks all of them. No I/O.

use secrecy::{ExposeSecret, SecretString};

use crate::xml::Element;

/// A managed object reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Ref {
    pub(crate) ty: String,
    pub(crate) value: String,
}

impl Ref {
    pub(crate) fn new(ty: &str, value: &str) -> Self {
        Self { ty: ty.to_owned(), value: value.to_owned() }
    }

    /// The reference in an element.
    pub(crate) fn read(element: &Element) -> Option<Self> {
        Some(Self::new(element.ref_type.as_deref()?, &element.text))
    }

    fn element(&self, name: &str) -> Element {
        Element::reference(name, &self.ty, &self.value)
    }
}

/// A request without arguments: the method and its object.
pub(crate) fn plain(method: &str, this: &Ref) -> Element {
    Element::new(method).with(this.element("_this"))
}

pub(crate) fn service_content() -> Element {
    plain("RetrieveServiceContent", &Ref::new("ServiceInstance", "ServiceInstance"))
}

pub(crate) fn login(sessions: &Ref, user: &str, password: &SecretString) -> Element {
    plain("Login", sessions).with_leaf("userName", user).with_leaf("password", password.expose_secret())
}

pub(crate) fn logout(sessions: &Ref) -> Element {
    plain("Logout", sessions)
}

pub(crate) fn current_time() -> Element {
    plain("CurrentTime", &Ref::new("ServiceInstance", "ServiceInstance"))
}

pub(crate) fn container_view(views: &Ref, container: &Ref, types: &[&str]) -> Element {
    plain("CreateContainerView", views)
        .with(container.element("container"))
        .with_all(types.iter().map(|t| Element::leaf("type", t)))
        .with_leaf("recursive", true)
}

/// The properties to read, by type.
pub(crate) fn properties(ty: &str, paths: &[&str]) -> Element {
    Element::new("propSet")
        .with_leaf("type", ty)
        .with_leaf("all", false)
        .with_all(paths.iter().map(|p| Element::leaf("pathSet", p)))
}

/// These objects themselves.
pub(crate) fn objects<'a>(refs: impl IntoIterator<Item = &'a Ref>) -> Vec<Element> {
    refs.into_iter().map(|r| Element::new("objectSet").with(r.element("obj")).with_leaf("skip", false)).collect()
}

/// The objects of a container view, and the objects that `further` selects from there.
pub(crate) fn viewed(view: &Ref, further: Vec<Element>) -> Vec<Element> {
    let through = traversal("view", "ContainerView", "view", further);
    vec![Element::new("objectSet").with(view.element("obj")).with_leaf("skip", true).with(through)]
}

/// Everything in these folders, at any depth, except VMs inside a vApp.
pub(crate) fn below(folders: impl IntoIterator<Item = Ref>) -> Vec<Element> {
    let from = |(n, folder): (usize, Ref)| {
        // Each has its own name: names apply to the whole specification.
        let name = format!("below-{n}");
        let down = traversal(&name, "Folder", "childEntity", vec![selection(&name)]);
        Element::new("objectSet").with(folder.element("obj")).with_leaf("skip", true).with(down)
    };
    folders.into_iter().enumerate().map(from).collect()
}

/// Follow a property of a type.
pub(crate) fn traversal(name: &str, ty: &str, path: &str, further: Vec<Element>) -> Element {
    Element::new("selectSet")
        .typed("TraversalSpec")
        .with_leaf("name", name)
        .with_leaf("type", ty)
        .with_leaf("path", path)
        .with_leaf("skip", false)
        .with_all(further)
}

/// Continue with a named traversal.
pub(crate) fn selection(name: &str) -> Element {
    Element::new("selectSet").with_leaf("name", name)
}

/// A filter: missing objects are skipped and do not fail the call.
pub(crate) fn filter_spec(name: &str, properties: Vec<Element>, objects: Vec<Element>) -> Element {
    Element::new(name).with_all(properties).with_all(objects).with_leaf("reportMissingObjectsInResults", true)
}

pub(crate) fn retrieve(collector: &Ref, properties: Vec<Element>, objects: Vec<Element>) -> Element {
    plain("RetrievePropertiesEx", collector)
        .with(filter_spec("specSet", properties, objects))
        .with(Element::new("options"))
}

pub(crate) fn continue_retrieve(collector: &Ref, token: &str) -> Element {
    plain("ContinueRetrievePropertiesEx", collector).with_leaf("token", token)
}

pub(crate) fn create_filter(collector: &Ref, properties: Vec<Element>, objects: Vec<Element>) -> Element {
    plain("CreateFilter", collector).with(filter_spec("spec", properties, objects)).with_leaf("partialUpdates", false)
}

pub(crate) fn wait_for_updates(collector: &Ref, version: &str, max_wait_seconds: u64) -> Element {
    plain("WaitForUpdatesEx", collector)
        .with_leaf("version", version)
        .with(Element::new("options").with_leaf("maxWaitSeconds", max_wait_seconds))
}

/// Edits one device of a VM: the device as read, with the changed leaf.
pub(crate) fn edit_device(vm: &Ref, device: Element) -> Element {
    let change = Element::new("deviceChange")
        .typed("VirtualDeviceConfigSpec")
        .with_leaf("operation", "edit")
        .with(Element { name: "device".to_owned(), ..device });
    plain("ReconfigVM_Task", vm).with(Element::new("spec").with(change))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema;

    #[test]
    fn every_builder_keeps_the_order() {
        let r = Ref::new("Any", "any-1");
        let card = Element::new("VirtualDevice")
            .typed("VirtualVmxnet3")
            .with_leaf("key", 4000)
            .with(Element::new("deviceInfo").typed("Description").with_leaf("label", "a").with_leaf("summary", "b"))
            .with(
                Element::new("backing")
                    .typed("VirtualEthernetCardDistributedVirtualPortBackingInfo")
                    .with(Element::new("port").with_leaf("switchUuid", "s").with_leaf("portgroupKey", "k")),
            )
            .with(Element::new("connectable").with_leaf("startConnected", true).with_leaf("connected", true))
            .with_leaf("controllerKey", 100)
            .with_leaf("unitNumber", 7)
            .with_leaf("macAddress", "00:50:56:00:00:01")
            .with_leaf("externalId", "x");
        let nested = viewed(&r, vec![traversal("n", "Folder", "childEntity", vec![selection("n")])]);
        let all = [
            service_content(),
            login(&r, "u", &"p".to_owned().into()),
            logout(&r),
            current_time(),
            container_view(&r, &r, &["A", "B"]),
            plain("DestroyView", &r),
            plain("CreatePropertyCollector", &r),
            plain("DestroyPropertyCollector", &r),
            plain("DestroyPropertyFilter", &r),
            plain("CancelWaitForUpdates", &r),
            plain("PowerOnVM_Task", &r),
            plain("PowerOffVM_Task", &r),
            plain("ResetVM_Task", &r),
            retrieve(&r, vec![properties("A", &["a", "b"]), properties("B", &[])], objects([&r, &r])),
            retrieve(&r, vec![properties("A", &["a"])], nested.clone()),
            continue_retrieve(&r, "t"),
            create_filter(&r, vec![properties("A", &["a"])], nested),
            retrieve(&r, vec![properties("A", &["a"])], below([r.clone(), r.clone()])),
            wait_for_updates(&r, "1", 60),
            edit_device(&r, card),
        ];
        for request in &all {
            schema::check(request).unwrap_or_else(|e| panic!("{}: {e}", request.name));
        }
    }
}
