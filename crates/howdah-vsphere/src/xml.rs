//! vSphere's XML as a light tree: name, `xsi:type`, reference type, text, children. The client and the
//! simulated vCenter use it.
//!
//! Invariants: reading drops prefixes (servers choose them freely), and writing uses a standard set; a
//! document can be written back with its unknown elements, so that editing a device loses nothing. DTDs
//! and custom entities are not supported; the depth is limited. `Debug` hides elements named `password`.

use std::fmt;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

/// The depth limit: above any answer of vCenter, and safe for recursion.
const MAX_DEPTH: usize = 64;

/// An element.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Local name.
    pub name: String,
    /// Local part of `xsi:type`.
    pub xsi_type: Option<String>,
    /// The `type` attribute: a managed object reference's type.
    pub ref_type: Option<String>,
    /// Text with resolved entities; empty if there are children.
    pub text: String,
    /// Child elements in order.
    pub children: Vec<Element>,
}

/// Why a document cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub enum XmlError {
    /// It ends inside an element.
    #[error("the document ends inside <{inside}>")]
    Truncated {
        /// The innermost open element.
        inside: String,
    },
    /// It has no element.
    #[error("the document is empty")]
    Empty,
    /// It exceeds the depth limit.
    #[error("elements are nested deeper than {MAX_DEPTH}")]
    TooDeep,
    /// An entity that XML does not define.
    #[error("unknown entity &{name};")]
    Entity {
        /// Its name.
        name: String,
    },
    /// Not UTF-8.
    #[error("the document is not UTF-8")]
    Encoding,
    /// Not well-formed.
    #[error("not well-formed XML at byte {at}: {reason}")]
    Malformed {
        /// Byte position.
        at: u64,
        /// The parser's message.
        reason: String,
    },
}

impl Element {
    /// An empty element.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// An element with text.
    pub fn leaf(name: impl Into<String>, text: impl fmt::Display) -> Self {
        Self { name: name.into(), text: text.to_string(), ..Self::default() }
    }

    /// An element that is a managed object reference.
    pub fn reference(name: impl Into<String>, ty: &str, value: &str) -> Self {
        Self { name: name.into(), ref_type: Some(ty.to_owned()), text: value.to_owned(), ..Self::default() }
    }

    /// The same with an `xsi:type`.
    #[must_use]
    pub fn typed(mut self, ty: impl Into<String>) -> Self {
        self.xsi_type = Some(ty.into());
        self
    }

    /// The same with one more child.
    #[must_use]
    pub fn with(mut self, child: Element) -> Self {
        self.children.push(child);
        self
    }

    /// The same with more children.
    #[must_use]
    pub fn with_all(mut self, children: impl IntoIterator<Item = Element>) -> Self {
        self.children.extend(children);
        self
    }

    /// The same with a child that has text.
    #[must_use]
    pub fn with_leaf(self, name: &str, text: impl fmt::Display) -> Self {
        self.with(Self::leaf(name, text))
    }

    /// The first child of a name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// All children of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }

    /// The first child's text.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|c| c.text.as_str())
    }

    /// The element at a path of first children, such as `["Body", "Fault"]`.
    pub fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |e, name| e.child(name))
    }

    /// Whether its text is XML Schema's true.
    pub fn is_true(&self) -> bool {
        matches!(self.text.as_str(), "true" | "1")
    }

    /// Reads a document.
    ///
    /// # Errors
    /// If it is truncated or not XML.
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(bytes).map_err(|_| XmlError::Encoding)?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Element> = Vec::new();
        loop {
            let malformed = |at: u64, e: &dyn fmt::Display| XmlError::Malformed { at, reason: e.to_string() };
            let event = match reader.read_event() {
                Ok(event) => event,
                // A truncated document is a separate error: it means a broken connection, not a bad server.
                Err(e) if is_eof(&e) => {
                    return Err(XmlError::Truncated { inside: innermost(&open) });
                }
                Err(e) => return Err(malformed(reader.error_position(), &e)),
            };
            let done = match event {
                Event::Start(start) => {
                    if open.len() >= MAX_DEPTH {
                        return Err(XmlError::TooDeep);
                    }
                    open.push(begin(&start).map_err(|e| malformed(reader.buffer_position(), &e))?);
                    None
                }
                Event::Empty(start) => {
                    let element = begin(&start).map_err(|e| malformed(reader.buffer_position(), &e))?;
                    close(&mut open, element)
                }
                Event::End(_) => open.pop().and_then(|element| close(&mut open, finish(element))),
                Event::Text(t) => {
                    append(&mut open, &t.xml10_content());
                    None
                }
                Event::CData(t) => {
                    append(&mut open, &t.xml10_content());
                    None
                }
                Event::GeneralRef(r) => {
                    let resolved = match r.resolve_char_ref().map_err(|e| malformed(reader.buffer_position(), &e))? {
                        Some(c) => c.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&r)
                            .ok_or_else(|| XmlError::Entity { name: r.to_string() })?
                            .to_owned(),
                    };
                    append(&mut open, &resolved);
                    None
                }
                Event::Eof if open.is_empty() => return Err(XmlError::Empty),
                Event::Eof => {
                    return Err(XmlError::Truncated { inside: innermost(&open) });
                }
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => None,
            };
            if let Some(root) = done {
                return Ok(root);
            }
        }
    }

    /// Writes it as a fragment whose default namespace is in force already.
    pub fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        self.write_rest(out);
    }

    /// Writes a SOAP envelope around it, in the namespace `urn:vim25`. vCenter shows an operation ID in its log and
    /// in the task that the call starts (govmomi: `soap.Header`).
    pub fn envelope(&self, operation: Option<&str>) -> String {
        let mut out = String::with_capacity(1024);
        out.push_str(concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            "\n",
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" "#,
            r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" "#,
            r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">"#,
        ));
        if let Some(id) = operation {
            out.push_str(r#"<soapenv:Header><operationID>"#);
            escape(id, &mut out);
            out.push_str("</operationID></soapenv:Header>");
        }
        out.push_str("<soapenv:Body>");
        out.push('<');
        out.push_str(&self.name);
        out.push_str(r#" xmlns="urn:vim25""#);
        self.write_rest(&mut out);
        out.push_str("</soapenv:Body></soapenv:Envelope>");
        out
    }

    fn write_rest(&self, out: &mut String) {
        if let Some(ty) = &self.ref_type {
            out.push_str(" type=\"");
            escape(ty, out);
            out.push('"');
        }
        if let Some(ty) = &self.xsi_type {
            // XML Schema's own types begin with a small letter, vSphere's with a capital.
            let schema = ty.starts_with(|c: char| c.is_ascii_lowercase());
            out.push_str(if schema { " xsi:type=\"xsd:" } else { " xsi:type=\"" });
            escape(ty, out);
            out.push('"');
        }
        if self.text.is_empty() && self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        escape(&self.text, out);
        for child in &self.children {
            child.write(out);
        }
        out.push_str("</");
        out.push_str(&self.name);
        out.push('>');
    }
}

fn is_eof(error: &quick_xml::Error) -> bool {
    use quick_xml::errors::{Error, SyntaxError};
    // All of them but one mean "not closed before the end of input".
    matches!(error, Error::Syntax(e) if *e != SyntaxError::InvalidBangMarkup)
}

fn innermost(open: &[Element]) -> String {
    open.last().map_or_else(|| "?".to_owned(), |e| e.name.clone())
}

fn begin(start: &BytesStart<'_>) -> Result<Element, quick_xml::Error> {
    let mut element = Element::new(start.local_name().as_ref());
    for attribute in start.attributes() {
        let attribute = attribute?;
        if attribute.key.local_name().as_ref() != "type" {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0)?;
        if attribute.key.prefix().is_none() {
            element.ref_type = Some(value.into_owned());
        } else {
            let local = value.rsplit(':').next().unwrap_or(&value);
            element.xsi_type = Some(local.to_owned());
        }
    }
    Ok(element)
}

fn append(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

/// Drops white space between child elements.
fn finish(mut element: Element) -> Element {
    if !element.children.is_empty() && element.text.trim().is_empty() {
        element.text.clear();
    }
    element
}

/// Adds a closed element to its parent, or returns the root.
fn close(open: &mut [Element], element: Element) -> Option<Element> {
    match open.last_mut() {
        Some(parent) => {
            parent.children.push(element);
            None
        }
        None => Some(element),
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // Escaped: a parser would convert them to spaces or line feeds.
            '\r' => out.push_str("&#13;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            // Not allowed in XML 1.0 in any form.
            c if c < ' ' => {}
            c => out.push(c),
        }
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = if self.name.eq_ignore_ascii_case("password") { "(hidden)" } else { &self.text };
        let mut d = f.debug_struct(&self.name);
        if let Some(ty) = &self.xsi_type {
            d.field("xsi:type", ty);
        }
        if let Some(ty) = &self.ref_type {
            d.field("type", ty);
        }
        if !text.is_empty() {
            d.field("text", &text);
        }
        if !self.children.is_empty() {
            d.field("children", &self.children);
        }
        d.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_do_not_matter_and_entities_are_resolved() {
        let text = br#"<?xml version="1.0"?><s:Envelope xmlns:s="x"><s:Body>
            <val XMLSchema-instance:type="vim:ArrayOfGuestNicInfo"/>
            <obj type="VirtualMachine">vm-1</obj><name>a &amp; b &#x2F; <![CDATA[<c>]]></name></s:Body></s:Envelope>"#;
        let root = Element::parse(text).unwrap();
        let body = root.child("Body").unwrap();
        assert_eq!(body.child("val").unwrap().xsi_type.as_deref(), Some("ArrayOfGuestNicInfo"));
        assert_eq!(body.child("obj").unwrap().ref_type.as_deref(), Some("VirtualMachine"));
        assert_eq!(body.text_of("name"), Some("a & b / <c>"));
        assert_eq!(body.text, "");
    }

    #[test]
    fn what_was_written_reads_back() {
        let element = Element::new("Login")
            .with(Element::reference("_this", "SessionManager", "SessionManager"))
            .with_leaf("userName", "dom\\u<s>&\"r\"\r\n\t")
            .with(Element::leaf("value", "1").typed("string"))
            .with(Element::new("device").typed("VirtualVmxnet3").with_leaf("key", 4000));
        let read = Element::parse(element.envelope(None).as_bytes()).unwrap();
        assert_eq!(read.at(&["Body", "Login"]), Some(&element));
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let messages: Vec<_> = [
            "<Envelope><Body><name>abc</na",
            "<Envelope><Body><name>ab",
            "<Envelope><Body attr=\"",
            "<Envelope><Bo",
            "",
            "plain text",
            "<a>&bomb;</a>",
            "<a><b></a></b>",
        ]
        .iter()
        .map(|t| Element::parse(t.as_bytes()).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(messages.join("\n"), @r"
        the document ends inside <name>
        the document ends inside <name>
        the document ends inside <Envelope>
        the document ends inside <Envelope>
        the document is empty
        the document is empty
        unknown entity &bomb;
        not well-formed XML at byte 6: ill-formed document: expected `</b>`, but `</a>` was found
        ");
        assert!(matches!(Element::parse("<a>".repeat(65).as_bytes()), Err(XmlError::TooDeep)));
        assert!(matches!(Element::parse(b"<a>\xff</a>"), Err(XmlError::Encoding)));
    }

    #[test]
    fn a_password_is_not_shown() {
        let login = Element::new("Login").with_leaf("password", "geheim");
        assert!(!format!("{login:?}").contains("geheim"));
    }

    #[test]
    fn every_prefix_of_an_answer_is_an_error() {
        let whole = Element::new("Login").with_leaf("userName", "a&b").envelope(None);
        for end in 0..whole.len() {
            assert!(Element::parse(&whole.as_bytes()[..end]).is_err(), "{}", &whole[..end]);
        }
    }
}
