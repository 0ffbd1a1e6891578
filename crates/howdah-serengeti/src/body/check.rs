//! Checks a specification against the [table] and reports every forbidden field by name.
//!
//! Invariants: a field without a row is refused; a refusal quotes no value, because any may be a secret.
//! Null means absent, for every optional field.

use serde_json::{Map, Value};

use super::table::{CLUSTER, DOORS, Form, Row, Say};
use super::{Refusal, Rules};

/// The size limit. A specification of 10,000 words takes a tenth of it.
const SIZE_LIMIT: usize = 256 * 1024;
/// The maximum length of a list.
const LIST_LIMIT: usize = 256;
/// The maximum length of a string in a known field.
const TEXT_LIMIT: usize = 1024;
/// The maximum depth of a free-form value: the services' configuration has three levels.
const DEPTH_LIMIT: usize = 12;
/// How much of an unknown name an error repeats.
const SHOWN: usize = 64;

/// The problems of a specification, and its content without nulls.
pub(super) fn check(text: &str, fields: Map<String, Value>, rules: &Rules) -> Result<Map<String, Value>, Refusal> {
    if text.len() > SIZE_LIMIT {
        return Err(Refusal::invalid("specification", format!("is larger than {SIZE_LIMIT} bytes")));
    }
    let mut walk = Walk { rules, found: Vec::new() };
    walk.object(&Place { shown: "specification.".to_owned(), rule: String::new() }, CLUSTER, &fields);
    match Refusal::all(walk.found) {
        Some(refusal) => Err(refusal),
        None => Ok(said(CLUSTER, fields)),
    }
}

/// A position in the specification: in the form for messages, and in the form for rules.
struct Place {
    shown: String,
    rule: String,
}

impl Place {
    fn field(&self, name: &str) -> (String, String) {
        (format!("{}{name}", self.shown), format!("{}{name}", self.rule))
    }
}

struct Walk<'a> {
    rules: &'a Rules,
    found: Vec<Refusal>,
}

impl Walk<'_> {
    fn object(&mut self, place: &Place, rows: &[Row], fields: &Map<String, Value>) {
        for (name, value) in fields {
            let Some(row) = rows.iter().find(|r| r.name == name) else {
                let name: String = name.chars().take(SHOWN).map(|c| if c.is_control() { '?' } else { c }).collect();
                let known = rows.iter().map(|r| r.name).find(|known| known.eq_ignore_ascii_case(&name));
                let mut refusal = Refusal::invalid(place.field(&name).0, "BDE has no such field");
                refusal.hint = known.map(|known| format!("Did you mean {known}?"));
                self.found.push(refusal);
                continue;
            };
            if value.is_null() {
                continue;
            }
            let (shown, rule) = place.field(name);
            match row.say {
                Say::Ours(instead) => self.found.push(Refusal {
                    hint: Some(instead.to_owned()),
                    ..Refusal::not_allowed(shown, "a specification must not set this field")
                }),
                Say::Operator if !self.rules.allow.contains(&rule) => self.closed(shown, &rule),
                Say::Operator | Say::Tenant => self.form(Place { shown, rule }, row.form, value),
            }
        }
    }

    fn closed(&mut self, shown: String, rule: &str) {
        self.found.push(Refusal {
            hint: Some(format!("Ask the operator to allow it for the site: allow_specification = [\"{rule}\"].")),
            ..Refusal::not_allowed(shown, "the site does not allow this field in a request")
        });
    }

    fn form(&mut self, mut place: Place, form: Form, value: &Value) {
        let wrong = match (form, value) {
            (Form::Text, Value::String(text)) => text_is_wrong(text),
            (Form::Texts, Value::Array(items)) if items.len() <= LIST_LIMIT => {
                let wrong =
                    items.iter().map(|item| item.as_str().map_or(Some("must be a list of strings"), text_is_wrong));
                wrong.flatten().next()
            }
            (Form::Texts | Form::Many(_), Value::Array(_)) if list_is_long(value) => Some("the list is too long"),
            (Form::Count(limit), value) => match count(value) {
                Some(n) if n <= i64::from(limit) => None,
                _ if limit == i32::MAX => Some("must be a whole number of at least 0"),
                _ => {
                    let says = format!("must be a whole number from 0 to {limit}");
                    return self.found.push(Refusal::invalid(place.shown, says));
                }
            },
            (Form::Ratio, Value::Number(n)) if n.as_f64().is_some_and(|n| n >= 0.0 && n.is_finite()) => None,
            (Form::YesNo, Value::Bool(_)) => None,
            (Form::YesNo, Value::String(word)) if word.is_empty() || word == "true" || word == "false" => None,
            // The service's own tools write an empty string for none.
            (Form::Word(words), Value::String(word)) if word.is_empty() || words.contains(&word.as_str()) => None,
            (Form::AnyCase(words), Value::String(word))
                if word.is_empty() || words.iter().any(|w| w.eq_ignore_ascii_case(word)) =>
            {
                None
            }
            (Form::Word(words) | Form::AnyCase(words), _) => {
                return self.found.push(Refusal::invalid(place.shown, format!("must be one of {}", words.join(", "))));
            }
            (Form::One(rows), Value::Object(fields)) => {
                place.shown.push('.');
                place.rule.push('.');
                return self.object(&place, rows, fields);
            }
            (Form::Many(rows), Value::Array(items)) => {
                for (at, item) in items.iter().enumerate() {
                    let shown = format!("{}[{at}]", place.shown);
                    self.form(Place { shown, rule: place.rule.clone() }, Form::One(rows), item);
                }
                None
            }
            (Form::Configuration, Value::Object(_)) if depth(value) <= DEPTH_LIMIT => {
                return self.doors(&place.shown, value);
            }
            (Form::Free, value) if depth(value) <= DEPTH_LIMIT => None,
            (Form::Configuration | Form::Free, Value::Object(_) | Value::Array(_)) => Some("is nested too deeply"),
            (Form::Text, _) => Some("must be a string"),
            (Form::Texts, _) => Some("must be a list of strings"),
            (Form::Ratio, _) => Some("must be a number of at least 0"),
            (Form::YesNo, _) => Some("must be true or false"),
            (Form::Many(_), _) => Some("must be a list"),
            (Form::One(_) | Form::Configuration | Form::Free, _) => Some("must be an object"),
        };
        if let Some(says) = wrong {
            self.found.push(Refusal::invalid(place.shown, says));
        }
    }

    /// The parts of a configuration that reach outside the cluster.
    fn doors(&mut self, shown: &str, configuration: &Value) {
        for (way, name) in DOORS {
            let there = way.iter().try_fold(configuration, |value, step| value.get(step));
            if there.is_some_and(|v| !v.is_null()) && !self.rules.allow.contains(*name) {
                self.closed(format!("{shown}.{}", way.join(".")), name);
            }
        }
    }
}

fn text_is_wrong(text: &str) -> Option<&'static str> {
    if text.len() > TEXT_LIMIT {
        Some("contains a string that is too long")
    } else if text.chars().any(char::is_control) {
        Some("contains a control character")
    } else {
        None
    }
}

fn list_is_long(value: &Value) -> bool {
    value.as_array().is_some_and(|items| items.len() > LIST_LIMIT)
}

/// Parses like [`lenient`](crate::wire): an empty string is 0.
fn count(value: &Value) -> Option<i64> {
    let number = match value {
        Value::String(text) if text.is_empty() => Some(0),
        Value::String(text) => text.trim().parse::<i32>().ok().map(i64::from),
        other => other.as_i64(),
    };
    number.filter(|n| *n >= 0)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The fields without nulls: a release may not know their names.
fn said(rows: &[Row], mut fields: Map<String, Value>) -> Map<String, Value> {
    fields.retain(|_, value| !value.is_null());
    for row in rows {
        match (row.form, fields.get_mut(row.name)) {
            (Form::One(rows), Some(value)) => said_in(rows, value),
            (Form::Many(rows), Some(Value::Array(items))) => items.iter_mut().for_each(|item| said_in(rows, item)),
            _ => {}
        }
    }
    fields
}

fn said_in(rows: &[Row], value: &mut Value) {
    if let Value::Object(fields) = value {
        *fields = said(rows, std::mem::take(fields));
    }
}
