//! One table of the file under its path, with the variables that override its keys. Reading a key makes it
//! known; the remaining keys are unknown, and refused with the nearest known key. Invariant: every value is
//! listed with its origin, a secret without its text.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Origin;
use super::source::{Found, Source, nearest};

/// How a secret is shown.
const MASK: &str = "********";

/// A table of the file, under its path; without a table only the environment and defaults count.
#[derive(Clone)]
pub(super) struct Section<'t> {
    path: String,
    variable: String,
    table: Option<&'t DeTable<'t>>,
    origin: Origin,
    known: BTreeSet<String>,
}

impl<'t> Section<'t> {
    pub(super) fn root(table: &'t DeTable<'t>, origin: Origin) -> Self {
        Self { path: String::new(), variable: "HOWDAH".to_owned(), table: Some(table), origin, known: BTreeSet::new() }
    }

    /// A table that is not found by its key: one of `[[site]]`.
    pub(super) fn of(path: String, variable: String, table: &'t DeTable<'t>, origin: Origin) -> Self {
        Self { path, variable, table: Some(table), origin, known: BTreeSet::new() }
    }

    /// The position of the section, for missing keys.
    pub(super) fn origin(&self) -> Origin {
        self.origin.clone()
    }

    /// The full name of a key.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The variable of a key.
    pub(super) fn variable(&self, key: &str) -> String {
        format!("{}_{}", self.variable, key.to_ascii_uppercase())
    }

    fn value(&mut self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.insert(key.to_owned());
        self.table.and_then(|t| t.get(key))
    }

    /// Marks a key as known that was read in another way.
    pub(super) fn text_known(&mut self, key: &str) {
        self.known.insert(key.to_owned());
    }

    /// The position of a key's value, or of its section.
    pub(super) fn place(&self, source: &Source<'_>, key: &str) -> Origin {
        let variable = self.variable(key);
        if source.variable(&variable).is_some() {
            return Origin::Env(variable);
        }
        match self.table.and_then(|t| t.get(key)) {
            Some(value) => source.at(value.span().start),
            None => self.origin.clone(),
        }
    }

    /// A table in this one.
    pub(super) fn section(&mut self, source: &mut Source<'_>, key: &str) -> Section<'t> {
        let found = self.value(key);
        let (table, origin) = match found {
            None => (None, self.origin.clone()),
            Some(value) => {
                let origin = source.at(value.span().start);
                let table = value.get_ref().as_table();
                if table.is_none() {
                    self.wrong_type(source, key, "a table", value);
                }
                (table, origin)
            }
        };
        Section { path: self.name(key), variable: self.variable(key), table, origin, known: BTreeSet::new() }
    }

    /// Tables in an array, each with its position.
    pub(super) fn tables(&mut self, source: &mut Source<'_>, key: &str) -> Vec<(&'t DeTable<'t>, Origin)> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(source, key, "an array of tables ([[site]])", value);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for element in array.iter() {
            match element.get_ref().as_table() {
                Some(table) => tables.push((table, source.at(element.span().start))),
                None => self.wrong_type(source, key, "an array of tables ([[site]])", element),
            }
        }
        tables
    }

    fn wrong_type(&self, source: &mut Source<'_>, key: &str, wanted: &str, value: &Spanned<DeValue<'_>>) {
        let message = format!("{} must be {wanted}, but is {}", self.name(key), kind(value.get_ref()));
        source.error(source.at(value.span().start), message, None);
    }

    /// A variable that overrides a key.
    fn overriding(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<String>> {
        let variable = self.variable(key);
        let value = source.own_variable(&variable)?;
        Some(Found { value, origin: Origin::Env(variable) })
    }

    fn raw_text(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<String>> {
        let in_file = self.value(key);
        if let Some(found) = self.overriding(source, key) {
            return Some(found);
        }
        let value = in_file?;
        match value.get_ref().as_str() {
            Some(text) => Some(Found { value: text.to_owned(), origin: source.at(value.span().start) }),
            None => {
                self.wrong_type(source, key, "a string", value);
                None
            }
        }
    }

    /// An optional string.
    pub(super) fn text(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<String>> {
        let found = self.raw_text(source, key)?;
        source.list(self.name(key), &found.value, &found.origin);
        Some(found)
    }

    /// A string with a default.
    pub(super) fn text_or(&mut self, source: &mut Source<'_>, key: &str, default: &str) -> Found<String> {
        self.text(source, key).unwrap_or_else(|| {
            source.list(self.name(key), default, &Origin::Default);
            Found { value: default.to_owned(), origin: Origin::Default }
        })
    }

    /// A list of non-empty strings; a variable separates them with commas.
    pub(super) fn texts(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<Vec<String>>> {
        let in_file = self.value(key);
        let found = if let Some(found) = self.overriding(source, key) {
            let words = found.value.split(',').map(|word| word.trim().to_owned()).collect();
            Found { value: words, origin: found.origin }
        } else {
            let value = in_file?;
            let words = value.get_ref().as_array().and_then(|array| {
                array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
            });
            let Some(words) = words else {
                self.wrong_type(source, key, "an array of strings", value);
                return None;
            };
            Found { value: words, origin: source.at(value.span().start) }
        };
        source.list(self.name(key), found.value.join(", "), &found.origin);
        if found.value.is_empty() || found.value.iter().any(String::is_empty) {
            let says = format!("{} is an empty list", self.name(key));
            source.error(found.origin, says, Some("Remove the key to close nothing.".to_owned()));
            return None;
        }
        Some(found)
    }

    /// A required string.
    pub(super) fn text_needed(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<String>> {
        let there = self.table.is_some_and(|t| t.contains_key(key));
        let found = self.text(source, key);
        match &found {
            None if !there => self.missing(source, key),
            Some(f) if f.value.trim().is_empty() => {
                source.error(f.origin.clone(), format!("{} is empty", self.name(key)), None);
                return None;
            }
            _ => {}
        }
        found
    }

    fn missing(&self, source: &mut Source<'_>, key: &str) {
        let hint = format!("Add it there, or set {}.", self.variable(key));
        source.error(self.origin.clone(), format!("{} is missing", self.name(key)), Some(hint));
    }

    /// A boolean.
    pub(super) fn boolean(&mut self, source: &mut Source<'_>, key: &str, default: bool) -> Found<bool> {
        let in_file = self.value(key);
        let found = if let Some(found) = self.overriding(source, key) {
            match found.value.as_str() {
                "true" => Some(Found { value: true, origin: found.origin }),
                "false" => Some(Found { value: false, origin: found.origin }),
                _ => {
                    source.error(found.origin, format!("{} must be true or false", self.name(key)), None);
                    None
                }
            }
        } else {
            match in_file {
                None => None,
                Some(value) => match value.get_ref().as_bool() {
                    Some(yes) => Some(Found { value: yes, origin: source.at(value.span().start) }),
                    None => {
                        self.wrong_type(source, key, "true or false", value);
                        None
                    }
                },
            }
        };
        let found = found.unwrap_or(Found { value: default, origin: Origin::Default });
        source.list(self.name(key), found.value.to_string(), &found.origin);
        found
    }

    /// A number of at least 1, or the word `none` for no limit. 0 is not allowed, because it is ambiguous.
    pub(super) fn limit(&mut self, source: &mut Source<'_>, key: &str, default: Option<u64>) -> Option<u64> {
        let in_file = self.value(key);
        let found = match (self.overriding(source, key), in_file) {
            (Some(found), _) => Some(found),
            (None, None) => None,
            (None, Some(value)) => {
                let text = match value.get_ref() {
                    DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str()),
                    other => other.as_str(),
                };
                let origin = source.at(value.span().start);
                // The code below reports anything else, like an invalid number.
                Some(Found { value: text.unwrap_or_else(|| kind(value.get_ref())).to_owned(), origin })
            }
        };
        let shown = |limit: Option<u64>| limit.map_or_else(|| "none".to_owned(), |n| n.to_string());
        let Some(found) = found else {
            source.list(self.name(key), shown(default), &Origin::Default);
            return default;
        };
        let limit = match found.value.as_str() {
            "none" => Some(None),
            number => number.parse().ok().filter(|n: &u64| *n > 0).map(Some),
        };
        match limit {
            Some(limit) => {
                source.list(self.name(key), shown(limit), &found.origin);
                limit
            }
            None => {
                let message =
                    format!("{} is {}, but must be a whole number of at least 1", self.name(key), found.value);
                source.error(found.origin, message, Some("For no limit, set it to \"none\".".to_owned()));
                default
            }
        }
    }

    /// A file or directory.
    pub(super) fn file(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<PathBuf>> {
        let found = self.text(source, key)?;
        Some(Found { value: source.resolve(&found.value), origin: found.origin })
    }

    /// A secret: in place, in a file (`<key>_file`), or in a variable that the file names
    /// (`<key>_env`).
    pub(super) fn secret(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<SecretString>> {
        let inline = self.raw_text(source, key);
        let file = self.raw_text(source, &format!("{key}_file"));
        let env = self.raw_text(source, &format!("{key}_env"));
        // A variable overrides the file; otherwise there must be exactly one source.
        let all: Vec<(&str, &Found<String>)> = [("", &inline), ("_file", &file), ("_env", &env)]
            .into_iter()
            .filter_map(|(w, f)| Some((w, f.as_ref()?)))
            .collect();
        let from_env: Vec<_> = all.iter().filter(|(_, f)| matches!(f.origin, Origin::Env(_))).copied().collect();
        let chosen = if from_env.is_empty() { all } else { from_env };
        if let [(one, _), (other, found), ..] = chosen.as_slice() {
            let message = format!("{}{one} and {}{other} are both set", self.name(key), self.name(key));
            source.error(found.origin.clone(), message, Some("Keep one of them.".to_owned()));
            return None;
        }
        let (word, found) = chosen.first()?;
        let origin = found.origin.clone();
        let name = self.name(key);
        let (shown, value) = match *word {
            "_file" => {
                let path = source.resolve(&found.value);
                (format!("{MASK} (file {})", path.display()), self.secret_file(source, &path, &origin)?)
            }
            "_env" => {
                let Some(value) = source.variable(&found.value) else {
                    let message = format!("{name}_env refers to the variable {}, which is not set", found.value);
                    source.error(origin, message, None);
                    return None;
                };
                (format!("{MASK} (variable {})", found.value), value)
            }
            _ => {
                if matches!(origin, Origin::File { .. }) {
                    source.hold_secret();
                }
                (MASK.to_owned(), found.value.clone())
            }
        };
        source.list(name.clone(), shown, &origin);
        if value.is_empty() {
            source.error(origin, format!("{name} is empty"), None);
            return None;
        }
        Some(Found { value: SecretString::from(value), origin })
    }

    fn secret_file(&self, source: &mut Source<'_>, path: &Path, origin: &Origin) -> Option<String> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                source.warn_if_exposed(origin.clone(), path, "");
                Some(text.trim_end_matches(['\n', '\r']).to_owned())
            }
            Err(e) => {
                source.error(origin.clone(), format!("{} cannot be read: {e}", path.display()), None);
                None
            }
        }
    }

    /// A required secret.
    pub(super) fn secret_needed(&mut self, source: &mut Source<'_>, key: &str) -> Option<Found<SecretString>> {
        let words = ["", "_file", "_env"].map(|w| format!("{key}{w}"));
        let there = words.iter().any(|w| {
            self.table.is_some_and(|t| t.contains_key(w.as_str())) || source.variable(&self.variable(w)).is_some()
        });
        let found = self.secret(source, key);
        if found.is_none() && !there {
            let hint = format!("Add {key}, {key}_file or {key}_env there, or set {}.", self.variable(key));
            source.error(self.origin.clone(), format!("{} is missing", self.name(key)), Some(hint));
        }
        found
    }

    /// Refuses unknown keys.
    pub(super) fn finish(self, source: &mut Source<'_>) {
        let Some(table) = self.table else { return };
        for (key, _) in table.iter().filter(|(key, _)| !self.known.contains(key.get_ref().as_ref())) {
            let place = if self.path.is_empty() { "at the top".to_owned() } else { format!("in {}", self.path) };
            let known = self.known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let hint = match nearest(key.get_ref(), self.known.iter().map(String::as_str)) {
                Some(near) => format!("Did you mean {near}? Known there: {known}."),
                None => format!("Known there: {known}."),
            };
            let origin = source.at(key.span().start);
            source.error(origin, format!("unknown key {} {place}", key.get_ref()), Some(hint));
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a floating-point number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
