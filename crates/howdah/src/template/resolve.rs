//! Resolves parameters and references: turns a resource's properties into plain values.

use serde_json::{Map, Value};

use super::error::TemplateError;

/// One of Heat's two template languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Hot,
    Cfn,
}

impl Dialect {
    pub(super) fn of(document: &Map<String, Value>) -> Result<Self, TemplateError> {
        if document.contains_key("heat_template_version") {
            Ok(Self::Hot)
        } else if document.contains_key("AWSTemplateFormatVersion")
            || document.contains_key("HeatTemplateFormatVersion")
        {
            Ok(Self::Cfn)
        } else {
            Err(TemplateError::NeitherHotNorCfn { found: document.keys().take(5).cloned().collect() })
        }
    }

    pub(super) const fn resources(self) -> &'static str {
        if matches!(self, Self::Hot) { "resources" } else { "Resources" }
    }

    pub(super) const fn kind(self) -> &'static str {
        if matches!(self, Self::Hot) { "type" } else { "Type" }
    }

    pub(super) const fn properties(self) -> &'static str {
        if matches!(self, Self::Hot) { "properties" } else { "Properties" }
    }

    const fn parameters(self) -> (&'static str, &'static str) {
        if matches!(self, Self::Hot) { ("parameters", "default") } else { ("Parameters", "Default") }
    }

    /// Keys of a resource that have no effect here.
    const fn harmless(self) -> &'static [&'static str] {
        if matches!(self, Self::Hot) {
            &["type", "properties", "depends_on", "metadata"]
        } else {
            &["Type", "Properties", "DependsOn", "Metadata"]
        }
    }

    /// Whether a one-key map with this key is a function call.
    fn is_function(self, key: &str) -> bool {
        match self {
            Self::Hot => {
                matches!(
                    key,
                    "if" | "repeat"
                        | "resource_facade"
                        | "yaql"
                        | "digest"
                        | "filter"
                        | "equals"
                        | "not"
                        | "and"
                        | "or"
                        | "contains"
                        | "make_url"
                        | "map_merge"
                        | "map_replace"
                ) || ["get_", "str_", "list_"].iter().any(|p| key.starts_with(p))
            }
            Self::Cfn => key == "Ref" || key.starts_with("Fn::"),
        }
    }
}

pub(super) struct Resolver {
    dialect: Dialect,
    parameters: Map<String, Value>,
    resources: Vec<(String, Value)>,
}

impl Resolver {
    pub(super) fn new(
        dialect: Dialect,
        document: &Map<String, Value>,
        given: &[(String, String)],
        resources: Vec<(String, Value)>,
    ) -> Result<Self, TemplateError> {
        let (section, default) = dialect.parameters();
        let declared = super::section(document, section)?;
        if let Some((name, _)) = given.iter().find(|(n, _)| !declared.contains_key(n)) {
            return Err(TemplateError::NoParameter { name: name.clone() });
        }
        let mut parameters = Map::new();
        for (name, schema) in &declared {
            let value = match given.iter().rev().find(|(n, _)| n == name) {
                Some((_, value)) => Some(Value::String(value.clone())),
                None => schema.get(default).cloned(),
            };
            // An unreferenced parameter needs no value.
            if let Some(value) = value {
                parameters.insert(name.clone(), value);
            }
        }
        for name in declared.keys().filter(|n| !parameters.contains_key(*n)).cloned().collect::<Vec<_>>() {
            parameters.insert(name, Value::Null);
        }
        Ok(Self { dialect, parameters, resources })
    }

    /// A resource's properties with every reference resolved.
    pub(super) fn properties(&self, id: &str, resource: &Value) -> Result<Map<String, Value>, TemplateError> {
        if let Some(other) =
            resource.as_object().and_then(|r| r.keys().find(|k| !self.dialect.harmless().contains(&k.as_str())))
        {
            return Err(TemplateError::Property { property: format!("{id}.{other}") });
        }
        let mut resolved = Map::new();
        if let Some(properties) = resource.get(self.dialect.properties()).and_then(Value::as_object) {
            for (key, value) in properties {
                resolved.insert(key.clone(), self.value(&format!("{id}.{key}"), value)?);
            }
        }
        Ok(resolved)
    }

    fn value(&self, place: &str, value: &Value) -> Result<Value, TemplateError> {
        match value {
            Value::Object(map) => {
                if let (1, Some((key, argument))) = (map.len(), map.iter().next())
                    && self.dialect.is_function(key)
                {
                    return self.call(place, key, argument);
                }
                let pairs = map.iter().map(|(k, v)| Ok((k.clone(), self.value(&format!("{place}.{k}"), v)?)));
                pairs.collect::<Result<_, _>>().map(Value::Object)
            }
            Value::Array(items) => {
                items.iter().map(|v| self.value(place, v)).collect::<Result<_, _>>().map(Value::Array)
            }
            plain => Ok(plain.clone()),
        }
    }

    fn call(&self, place: &str, function: &str, argument: &Value) -> Result<Value, TemplateError> {
        let (parameter, resource) = match function {
            "get_param" => (true, false),
            "get_resource" => (false, true),
            "Ref" => (true, true),
            _ => return Err(TemplateError::Function { place: place.to_owned(), function: function.to_owned() }),
        };
        let Some(name) = argument.as_str() else {
            return Err(TemplateError::Function {
                place: place.to_owned(),
                function: format!("{function} with a list"),
            });
        };
        if parameter && let Some(value) = self.parameters.get(name) {
            return match value {
                Value::Null => Err(TemplateError::NoValue { name: name.to_owned() }),
                value => Ok(value.clone()),
            };
        }
        if resource && let Some((_, planned)) = self.resources.iter().find(|(id, _)| id == name) {
            return self.value(place, planned);
        }
        Err(TemplateError::Reference { place: place.to_owned(), name: name.to_owned() })
    }
}
