//! Why a template was refused, and what to do instead.

/// Why a template was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// Not even YAML or JSON.
    #[error("the template is neither YAML nor JSON: {reason}")]
    Syntax {
        /// What the parser says, with the line.
        reason: String,
    },
    /// No version key of either language.
    #[error(
        "the template is neither HOT nor CFN: it has no heat_template_version, AWSTemplateFormatVersion or \
         HeatTemplateFormatVersion{}",
        top(found)
    )]
    NeitherHotNorCfn {
        /// The keys that it has instead.
        found: Vec<String>,
    },
    /// A section or resource that is no map.
    #[error("{what} is missing or not a map")]
    NotAMap {
        /// Which.
        what: String,
    },
    /// A function that is not understood here.
    #[error("{place} uses {function}, which howdah does not evaluate")]
    Function {
        /// Where.
        place: String,
        /// Which.
        function: String,
    },
    /// A reference to what is not in the template.
    #[error("{place} refers to {name}, which is no parameter, network or subnet of this template")]
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
    /// A value for a parameter that is not there.
    #[error("the template has no parameter {name}")]
    NoParameter {
        /// Which.
        name: String,
    },
    /// A resource type that is not made here.
    #[error("the resource {resource} is of type {kind}, which howdah does not make")]
    ResourceType {
        /// Which resource.
        resource: String,
        /// Its type.
        kind: String,
    },
    /// A property of a network or subnet that is not understood here.
    #[error("howdah does not know the property {property}")]
    Property {
        /// `resource.property`.
        property: String,
    },
    /// A property that has to be there.
    #[error("the property {property} is missing")]
    Missing {
        /// `resource.property`.
        property: String,
    },
    /// A property that has to be a text.
    #[error("the property {property} is not a text")]
    NotText {
        /// `resource.property`.
        property: String,
    },
    /// Two resources where one is understood.
    #[error("{resource} is a second resource of type {kind}; howdah takes one")]
    Twice {
        /// The type.
        kind: String,
        /// The second one.
        resource: String,
    },
    /// Nothing to do.
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
                Some("Howdah reads only simple templates by itself. Use Heat: openstack stack create -t FILE NAME")
            }
            Self::NoValue { .. } => Some("Give one with --param NAME=VALUE."),
            _ => None,
        }
    }
}
