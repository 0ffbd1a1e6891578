//! Property retrieval: reads the objects of a specification with their properties, over all pages.
//! Invariant: an absent property is absent in the result. Missing objects are skipped. A property that vCenter could
//! not read is no absent one: its object says so.

use std::collections::BTreeMap;

use crate::error::Error;
use crate::fault::{Fault, FaultKind};
use crate::request::{self, Ref};
use crate::session::{Live, Session};
use crate::xml::Element;

/// The maximum number of objects in one retrieval.
pub(crate) const BULK: usize = 500;

/// A retrieved object.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) obj: Ref,
    pub(crate) properties: BTreeMap<String, Element>,
    /// Why vCenter did not give a property, except for missing rights: the others are incomplete.
    pub(crate) withheld: Option<Box<Fault>>,
}

impl Object {
    /// A property's text.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.properties.get(path).map(|v| v.text.as_str()).filter(|t| !t.is_empty())
    }

    /// A property that is a reference.
    pub(crate) fn reference(&self, path: &str) -> Option<Ref> {
        self.properties.get(path).and_then(Ref::read)
    }

    pub(crate) fn references(&self, path: &str) -> impl Iterator<Item = Ref> {
        self.properties.get(path).into_iter().flat_map(|list| &list.children).filter_map(Ref::read)
    }
}

/// A specification: property sets and object sets.
pub(crate) struct Wanted {
    pub(crate) properties: Vec<Element>,
    pub(crate) objects: Vec<Element>,
}

/// Retrieves within the current login; only for specifications of persistent objects.
pub(crate) async fn retrieve(session: &Session, wanted: &Wanted) -> Result<Vec<Object>, Error> {
    let live = session.live().await?;
    match retrieve_in(session, &live, wanted).await {
        Err(e) if e.fault_kind() == Some(FaultKind::NotAuthenticated) => {
            session.bury(&live).await;
            let live = session.live().await?;
            retrieve_in(session, &live, wanted).await
        }
        other => other,
    }
}

/// Retrieves within this login.
pub(crate) async fn retrieve_in(session: &Session, live: &Live, wanted: &Wanted) -> Result<Vec<Object>, Error> {
    let collector = &live.content.collector;
    let mut objects = Vec::new();
    let first = request::retrieve(collector, wanted.properties.clone(), wanted.objects.clone());
    let mut answer = session.call_in(live, &first).await?;
    loop {
        // A missing `returnval` means an empty result.
        let Some(page) = answer.child("returnval") else {
            return Ok(objects);
        };
        for object in page.all("objects").filter_map(read_object) {
            // vCenter also reports an ended session this way, inside an answer that is otherwise good.
            if let Some(fault) = object.withheld.as_ref().filter(|f| f.kind == FaultKind::NotAuthenticated) {
                return Err(Error::Refused { method: first.name.clone(), fault: fault.clone() });
            }
            objects.push(object);
        }
        let Some(token) = page.text_of("token").filter(|t| !t.is_empty()) else {
            return Ok(objects);
        };
        answer = session.call_in(live, &request::continue_retrieve(collector, token)).await?;
    }
}

fn read_object(element: &Element) -> Option<Object> {
    let obj = Ref::read(element.child("obj")?)?;
    let mut properties = BTreeMap::new();
    for set in element.all("propSet") {
        if let (Some(name), Some(val)) = (set.text_of("name"), set.child("val")) {
            properties.insert(name.to_owned(), val.clone());
        }
    }
    let mut withheld = None;
    for missing in element.all("missingSet") {
        let Some(fault) = missing.child("fault").map(Fault::of_localized) else { continue };
        let path = missing.text_of("path").unwrap_or_default();
        tracing::warn!(object = %obj.value, path, %fault, "vCenter withholds a property");
        if fault.kind != FaultKind::NoPermission {
            withheld = Some(Box::new(fault));
        }
    }
    Some(Object { obj, properties, withheld })
}
