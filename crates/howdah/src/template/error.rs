//! Why a template is refused, and what to do instead.

/// Why a template is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Neither YAML nor JSON.
    #[error("the template is neither YAML nor JSON: {reason}")]
    Syntax {
        /// The parser's message, with the line.
        reason: String,
    },
    /// The version key of both languages is missing.
    #[error(
        "the template is neither HOT nor CFN: it has no heat_template_version, AWSTemplateFormatVersion or \
         HeatTemplateFormatVersion{}",
        top(found)
    )]
    NeitherHotNorCfn {
        /// The keys that it has instead.
        found: Vec<String>,
    },
    /// A section or resource that is not a map.
    #[error("{what} is missing or not a map")]
    NotAMap {
        /// Which.
        what: String,
    },
    /// An unsupported function.
    #[error("{place} uses {function}, which howdah does not support")]
    Function {
        /// Where.
        place: String,
        /// Which.
        function: String,
    },
    /// A reference to an unknown name.
    #[error("{place} refers to {name}, which is not a parameter, network or subnet of this template")]
    Reference {
        /// Where.
        place: String,
        /// To what.
        name: String,
    },
    /// A parameter without a value.
    #[error("the parameter {name} has no default and no value was given")]
    NoValue {
        /// Which.
        name: String,
    },
    /// A value for an unknown parameter.
    #[error("the template has no parameter {name}")]
    NoParameter {
        /// Which.
        name: String,
    },
    /// An unsupported resource type.
    #[error("the resource {resource} is of type {kind}, which howdah does not support")]
    ResourceType {
        /// Which resource.
        resource: String,
        /// Its type.
        kind: String,
    },
    /// An unsupported property of a network or subnet.
    #[error("howdah does not support the property {property}")]
    Property {
        /// `resource.property`.
        property: String,
    },
    /// A required property is missing.
    #[error("the property {property} is missing")]
    Missing {
        /// `resource.property`.
        property: String,
    },
    /// A property must be a string.
    #[error("the property {property} is not a string")]
    NotText {
        /// `resource.property`.
        property: String,
    },
    /// Two resources of a type that a template may have once.
    #[error("{resource} is a second resource of type {kind}; howdah supports one")]
    Twice {
        /// The type.
        kind: String,
        /// The second one.
        resource: String,
    },
    /// No cluster in the template.
    #[error("the template has no resource of type VirtualElephant::VMware::BDE")]
    NoCluster,
}

fn top(found: &[String]) -> String {
    if found.is_empty() { String::new() } else { format!(" (its keys are {})", found.join(", ")) }
}

impl TemplateError {
    /// What to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Function { .. }
            | Self::Reference { .. }
            | Self::ResourceType { .. }
            | Self::Property { .. }
            | Self::Twice { .. } => {
                Some("The command line supports only simple templates. Use Heat: openstack stack create -t FILE NAME")
            }
            Self::NoValue { .. } => Some("Set it with --param NAME=VALUE."),
            _ => None,
        }
    }
}
