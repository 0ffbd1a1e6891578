//! Property values as vSphere types them, and how they are written: the same value looks different
//! as a property of its own (`val`, with its type) and as a field of an object (repeated, untyped).

use howdah_vsphere::xml::Element;

/// A managed object reference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ref {
    pub(super) ty: &'static str,
    pub(super) value: String,
}

impl Ref {
    pub(super) fn new(ty: &'static str, value: impl Into<String>) -> Self {
        Self { ty, value: value.into() }
    }

    pub(super) fn element(&self, name: &str) -> Element {
        Element::reference(name, self.ty, &self.value)
    }
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A field that is known and has no value.
    Unset,
    /// Text of an XML Schema type (small letter) or of an enumeration.
    Text(&'static str, String),
    /// A reference.
    Ref(Ref),
    /// A data object: its type and its fields, in order.
    Object(&'static str, Vec<(&'static str, Value)>),
    /// An array: the type of its items, and the items.
    Array(&'static str, Vec<Value>),
    /// A localized fault, written already.
    Fault(Box<Element>),
}

pub(super) fn string(text: impl Into<String>) -> Value {
    Value::Text("string", text.into())
}

pub(super) fn int(number: impl std::fmt::Display) -> Value {
    Value::Text("int", number.to_string())
}

pub(super) fn boolean(value: bool) -> Value {
    Value::Text("boolean", value.to_string())
}

pub(super) fn time(at: jiff::Timestamp) -> Value {
    Value::Text("dateTime", format!("{at:.6}"))
}

pub(super) fn refs(refs: impl IntoIterator<Item = Ref>) -> Value {
    Value::Array("ManagedObjectReference", refs.into_iter().map(Value::Ref).collect())
}

impl Value {
    /// The value, or unset.
    pub(super) fn or_unset(value: Option<Self>) -> Self {
        value.unwrap_or(Self::Unset)
    }

    /// The field at a path below it; `None` if there is no such field.
    pub(super) fn at<'a>(self, path: impl Iterator<Item = &'a str>) -> Option<Self> {
        path.into_iter().try_fold(self, |value, name| match value {
            Self::Unset => Some(Self::Unset),
            Self::Object(_, fields) => fields.into_iter().find(|(n, _)| *n == name).map(|(_, v)| v),
            _ => None,
        })
    }

    /// Written as a property's value; `None` if unset.
    pub(super) fn property(self, name: &str) -> Option<Element> {
        Some(match self {
            Self::Unset => return None,
            Self::Text(ty, text) => Element::leaf(name, text).typed(ty),
            Self::Ref(r) => r.element(name).typed("ManagedObjectReference"),
            Self::Object(ty, fields) => object(name, ty, fields),
            Self::Fault(fault) => Element { name: name.to_owned(), ..*fault },
            Self::Array(ty, items) => {
                let mut capital = ty.to_owned();
                capital[..1].make_ascii_uppercase();
                let mut array = Element::new(name).typed(format!("ArrayOf{capital}"));
                for item in items {
                    item.field(ty, &mut array);
                }
                array
            }
        })
    }

    /// Adds it to an object as a field.
    fn field(self, name: &str, to: &mut Element) {
        match self {
            Self::Unset => {}
            // A field of `xsd:anyType` needs its type; everywhere else it is implied.
            Self::Text(ty, text) if name == "value" => to.children.push(Element::leaf(name, text).typed(ty)),
            Self::Text(_, text) => to.children.push(Element::leaf(name, text)),
            Self::Ref(r) => to.children.push(r.element(name)),
            Self::Object(ty, fields) => to.children.push(object(name, ty, fields)),
            Self::Fault(fault) => to.children.push(Element { name: name.to_owned(), ..*fault }),
            Self::Array(_, items) => items.into_iter().for_each(|item| item.field(name, to)),
        }
    }

    /// Written as the `returnval` of a method, or as any other untyped element.
    pub(super) fn plain(self, name: &str) -> Vec<Element> {
        let mut holder = Element::new("holder");
        self.field(name, &mut holder);
        holder.children
    }
}

fn object(name: &str, ty: &'static str, fields: Vec<(&'static str, Value)>) -> Element {
    let mut element = Element::new(name).typed(ty);
    for (field, value) in fields {
        value.field(field, &mut element);
    }
    element
}

/// vCenter's escaping of inventory names.
pub(super) fn escape(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2f").replace('\\', "%5c")
}
