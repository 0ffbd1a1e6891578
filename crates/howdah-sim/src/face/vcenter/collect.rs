//! Property filter specifications: which objects one selects, and which of their properties.
//! Invariant: an object that is gone is a fault unless the specification asks for a report of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use howdah_vsphere::xml::Element;

use super::fault::Fault;
use super::objects;
use super::value::{Ref, Value};
use crate::world::state::State;

/// A container view.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub(super) container: Ref,
    pub(super) types: Vec<String>,
    pub(super) recursive: bool,
}

/// The views of a session.
pub(super) type Views = HashMap<String, View>;

/// A property filter specification.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    properties: Vec<(String, Vec<String>)>,
    objects: Vec<Start>,
    report_missing: bool,
    traversals: BTreeMap<String, Traversal>,
}

#[derive(Debug, Clone)]
struct Start {
    obj: Ref,
    skip: bool,
    go_on: Vec<Step>,
}

/// A traversal, or the name of one.
#[derive(Debug, Clone)]
enum Step {
    Named(String),
    Traverse(Box<Traversal>),
}

#[derive(Debug, Clone)]
struct Traversal {
    ty: String,
    path: String,
    skip: bool,
    go_on: Vec<Step>,
}

/// What a specification selects.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) objects: Vec<Ref>,
    pub(super) missing: Vec<Ref>,
}

/// The reference in an element, if its type is one of ours.
pub(super) fn read_ref(element: &Element) -> Result<Ref, Fault> {
    let ty = element.ref_type.as_deref().unwrap_or_default();
    let known = objects::type_named(ty)
        .or_else(|| super::session::type_named(ty))
        // What a client may name by a base type, its value tells apart.
        .or_else(|| objects::is_type(ty).then(|| super::fault::kind_of(&element.text)));
    match known {
        Some(known) => Ok(Ref::new(known, element.text.trim())),
        None => Err(Fault::invalid_request(format!("the type {ty:?} of {} is not known", element.name))),
    }
}

impl Spec {
    pub(super) fn read(element: &Element) -> Result<Self, Fault> {
        let mut spec = Self {
            properties: Vec::new(),
            objects: Vec::new(),
            report_missing: element.child("reportMissingObjectsInResults").is_some_and(Element::is_true),
            traversals: BTreeMap::new(),
        };
        for set in element.all("propSet") {
            let ty = set.text_of("type").unwrap_or_default();
            if !objects::is_type(ty) {
                return Err(Fault::invalid_argument("specSet.propSet.type"));
            }
            let paths = if set.child("all").is_some_and(Element::is_true) {
                let all = objects::all_properties(ty);
                let all = all.ok_or_else(|| Fault::new("NotSupported", format!("Name the properties of {ty}.")))?;
                all.iter().map(|p| (*p).to_owned()).collect()
            } else {
                set.all("pathSet").map(|p| p.text.clone()).collect()
            };
            spec.properties.push((ty.to_owned(), paths));
        }
        for set in element.all("objectSet") {
            let obj = set.child("obj").ok_or_else(|| Fault::invalid_argument("specSet.objectSet.obj"))?;
            let start = Start {
                obj: read_ref(obj)?,
                skip: set.child("skip").is_some_and(Element::is_true),
                go_on: spec.steps(set)?,
            };
            spec.objects.push(start);
        }
        if spec.properties.is_empty() || spec.objects.is_empty() {
            return Err(Fault::invalid_argument("specSet"));
        }
        Ok(spec)
    }

    fn steps(&mut self, element: &Element) -> Result<Vec<Step>, Fault> {
        element.all("selectSet").map(|step| self.step(step)).collect()
    }

    fn step(&mut self, step: &Element) -> Result<Step, Fault> {
        let name = step.text_of("name").unwrap_or_default().to_owned();
        if step.xsi_type.as_deref() != Some("TraversalSpec") {
            return Ok(Step::Named(name));
        }
        let traversal = Traversal {
            ty: step.text_of("type").unwrap_or_default().to_owned(),
            path: step.text_of("path").unwrap_or_default().to_owned(),
            skip: step.child("skip").is_some_and(Element::is_true),
            go_on: self.steps(step)?,
        };
        if !objects::is_type(&traversal.ty) {
            return Err(Fault::invalid_argument("specSet.objectSet.selectSet.type"));
        }
        if !name.is_empty() {
            self.traversals.insert(name, traversal.clone());
        }
        Ok(Step::Traverse(Box::new(traversal)))
    }

    /// The objects that it selects now.
    pub(super) fn select(&self, s: &State, views: &Views) -> Result<Selected, Fault> {
        let mut walk = Walk { spec: self, s, views, seen: HashSet::new(), selected: Selected::default() };
        for start in &self.objects {
            let there = match start.obj.ty {
                "ContainerView" => views.contains_key(&start.obj.value),
                _ => objects::exists(s, &start.obj),
            };
            if there {
                walk.visit(&start.obj, start.skip, &start.go_on)?;
            } else if self.report_missing {
                walk.selected.missing.push(start.obj.clone());
            } else {
                return Err(Fault::not_found(start.obj.ty, &start.obj.value));
            }
        }
        Ok(walk.selected)
    }

    fn paths<'a>(&'a self, ty: &'a str) -> impl Iterator<Item = &'a String> {
        self.properties.iter().filter(move |(t, _)| objects::is_a(ty, t)).flat_map(|(_, paths)| paths)
    }

    fn wants(&self, ty: &str) -> bool {
        self.properties.iter().any(|(t, _)| objects::is_a(ty, t))
    }

    /// Whether a VM's own revision says that its properties have not changed.
    pub(super) fn only_of_the_vm(&self) -> bool {
        let own = |p: &String| {
            p == "name" || p == "parent" || ["runtime.", "config.", "guest."].iter().any(|front| p.starts_with(front))
        };
        self.paths("VirtualMachine").all(own)
    }

    /// An object's properties, those without a value as `Unset`.
    pub(super) fn values(&self, s: &State, obj: &Ref, version: (u32, u32)) -> Result<Vec<(String, Value)>, Fault> {
        self.paths(obj.ty)
            .map(|path| {
                let known = objects::has(obj.ty, path, version);
                let value = if known { objects::property(s, obj, path) } else { Err(()) };
                value.map(|v| (path.clone(), v)).map_err(|()| Fault::invalid_property(path))
            })
            .collect()
    }
}

struct Walk<'a> {
    spec: &'a Spec,
    s: &'a State,
    views: &'a Views,
    seen: HashSet<Ref>,
    selected: Selected,
}

impl Walk<'_> {
    fn visit(&mut self, obj: &Ref, skip: bool, go_on: &[Step]) -> Result<(), Fault> {
        if !skip && self.spec.wants(obj.ty) && self.seen.insert(obj.clone()) {
            self.selected.objects.push(obj.clone());
        }
        for step in go_on {
            let traversal = match step {
                Step::Traverse(traversal) => traversal,
                Step::Named(name) => match self.spec.traversals.get(name) {
                    Some(traversal) => traversal,
                    None => return Err(Fault::invalid_argument("specSet.objectSet.selectSet.name")),
                },
            };
            if !objects::is_a(obj.ty, &traversal.ty) {
                continue;
            }
            for next in self.follow(obj, &traversal.path)? {
                self.visit(&next, traversal.skip, &traversal.go_on)?;
            }
        }
        Ok(())
    }

    fn follow(&self, obj: &Ref, path: &str) -> Result<Vec<Ref>, Fault> {
        if obj.ty == "ContainerView" && path == "view" {
            let view = self.views.get(&obj.value);
            return Ok(view.map(|v| objects::view(self.s, &v.container, &v.types, v.recursive)).unwrap_or_default());
        }
        match objects::property(self.s, obj, path) {
            Ok(Value::Ref(next)) => Ok(vec![next]),
            Ok(Value::Array(_, items)) => Ok(items
                .into_iter()
                .filter_map(|item| match item {
                    Value::Ref(next) => Some(next),
                    _ => None,
                })
                .collect()),
            Ok(_) => Ok(Vec::new()),
            Err(()) => Err(Fault::invalid_property(path)),
        }
    }
}

/// `ObjectContent`.
pub(super) fn content(obj: &Ref, values: Vec<(String, Value)>) -> Element {
    let sets = values
        .into_iter()
        .filter_map(|(path, value)| Some(Element::new("propSet").with_leaf("name", path).with(value.property("val")?)));
    Element::new("objects").with(obj.element("obj")).with_all(sets)
}

/// The same of an object whose properties vCenter could not read.
pub(super) fn withheld(obj: &Ref, values: Vec<(String, Value)>, fault: &Fault) -> Element {
    let sets = values
        .into_iter()
        .map(|(path, _)| Element::new("missingSet").with_leaf("path", path).with(fault.localized("fault")));
    Element::new("objects").with(obj.element("obj")).with_all(sets)
}
