//! `GET` of many: filters, `fields`, and pages, as Neutron has them. A filter that is no
//! attribute is refused; one that is repeated fits any of its values.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::world::neutron::NeutronError;

/// A query string, taken apart.
#[derive(Debug, Default)]
pub(super) struct Query {
    filters: BTreeMap<String, Vec<String>>,
    fields: Vec<String>,
    limit: Option<usize>,
    marker: Option<String>,
}

impl Query {
    pub(super) fn read(text: &str) -> Self {
        let mut query = Self::default();
        for (key, value) in pairs(text) {
            match key.as_str() {
                "fields" => query.fields.push(value),
                "limit" => query.limit = value.parse().ok(),
                "marker" => query.marker = Some(value),
                "sort_key" | "sort_dir" | "page_reverse" => {}
                _ => query.filters.entry(key).or_default().push(value),
            }
        }
        query
    }

    /// What a filter asks for; nothing if it is not there.
    pub(super) fn wanted(&self, key: &str) -> Option<&[String]> {
        self.filters.get(key).map(Vec::as_slice)
    }

    /// Those that fit, under `key`, with a link to the next page if there is one.
    pub(super) fn list(
        &self,
        key: &str,
        url: &str,
        most: Option<usize>,
        mut all: Vec<Value>,
    ) -> Result<Value, NeutronError> {
        for (name, wanted) in &self.filters {
            if let Some(first) = all.first()
                && first.get(name).is_none()
            {
                let says = format!("['{name}'] is invalid attribute for filtering");
                return Err(NeutronError::new("HTTPBadRequest", 400, says));
            }
            all.retain(|item| item.get(name).is_some_and(|has| fits(name, has, wanted)));
        }
        all.sort_by(|a, b| a["id"].as_str().cmp(&b["id"].as_str()));
        if let Some(marker) = &self.marker {
            all.retain(|item| item["id"].as_str().is_some_and(|id| id > marker.as_str()));
        }
        let mut body = Map::new();
        let limit = [self.limit.filter(|l| *l > 0), most].into_iter().flatten().min();
        if let Some(limit) = limit.filter(|l| all.len() > *l) {
            all.truncate(limit);
            let marker = all.last().and_then(|last| last["id"].as_str()).unwrap_or_default();
            let href = format!("{url}?limit={limit}&marker={marker}");
            body.insert(format!("{key}_links"), json!([{"rel": "next", "href": href}]));
        }
        body.insert(key.to_owned(), all.into_iter().map(|item| self.trimmed(item)).collect());
        Ok(body.into())
    }

    /// Only the fields that were asked for.
    pub(super) fn trimmed(&self, mut item: Value) -> Value {
        if let (false, Some(map)) = (self.fields.is_empty(), item.as_object_mut()) {
            map.retain(|key, _| self.fields.contains(key));
        }
        item
    }
}

fn fits(name: &str, has: &Value, wanted: &[String]) -> bool {
    match (name, has) {
        ("fixed_ips", Value::Array(ips)) => {
            ips.iter().any(|ip| wanted.iter().all(|w| w.split_once('=').is_some_and(|(key, value)| ip[key] == value)))
        }
        // Tags hold together; they come in one value with commas or in several.
        ("tags", Value::Array(tags)) => wanted.iter().flat_map(|w| w.split(',')).all(|w| tags.iter().any(|t| t == w)),
        (_, Value::Array(items)) => wanted.iter().any(|w| items.iter().any(|i| i == w)),
        (_, Value::Bool(b)) => wanted.iter().any(|w| w.eq_ignore_ascii_case(&b.to_string())),
        (_, Value::String(s)) => wanted.iter().any(|w| s.eq_ignore_ascii_case(w) && (name == "mac_address" || s == w)),
        (_, Value::Null) => wanted.iter().any(|w| w.is_empty() || w == "None"),
        (_, other) => {
            let has = other.to_string();
            wanted.contains(&has)
        }
    }
}

/// A query string's pairs, unescaped.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |p: &str| {
        let (key, value) = p.split_once('=').unwrap_or((p, ""));
        (unescaped(key), unescaped(value))
    };
    text.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 3;
                continue;
            }
            (b'+', _) => out.push(b' '),
            (other, _) => out.push(*other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items() -> Vec<Value> {
        vec![
            json!({"id": "a", "name": "x y", "shared": true, "mac_address": "00:50:56:aa:00:01",
                   "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}]}),
            json!({"id": "b", "name": "z", "shared": false, "mac_address": "00:50:56:aa:00:02", "fixed_ips": []}),
            json!({"id": "c", "name": "z", "shared": false, "mac_address": "00:50:56:aa:00:03", "fixed_ips": []}),
        ]
    }

    fn ids(query: &str) -> String {
        let list = Query::read(query).list("things", "http://h/things", None, items()).unwrap();
        list["things"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap()).collect()
    }

    #[test]
    fn filters_hold_together_and_their_values_do_not() {
        assert_eq!(ids(""), "abc");
        assert_eq!(ids("name=x%20y"), "a");
        assert_eq!(ids("name=x+y&shared=False"), "");
        assert_eq!(ids("mac_address=00:50:56:AA:00:01&mac_address=00%3A50%3A56%3Aaa%3A00%3A03"), "ac");
        assert_eq!(ids("shared=False&name=z"), "bc");
        assert_eq!(ids("fixed_ips=subnet_id%3Ds"), "a");
        let e = Query::read("bogus=1").list("things", "", None, items()).unwrap_err();
        assert_eq!((e.status, e.message.as_str()), (400, "['bogus'] is invalid attribute for filtering"));
    }

    #[test]
    fn pages_end() {
        let page = |query: &str| Query::read(query).list("things", "http://h/things", Some(2), items()).unwrap();
        let first = page("");
        assert_eq!(first["things_links"][0]["href"], "http://h/things?limit=2&marker=b");
        let second = page("limit=2&marker=b&fields=id");
        assert_eq!(second, json!({"things": [{"id": "c"}]}));
    }
}
