//! The enumerations of the API. A word is written in one place: serde, [`Display`](std::fmt::Display) and the
//! schema take it from there.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// All words.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )*};
}

words! {
    /// What a cluster can be asked to be.
    #[derive(Default)]
    State {
        /// Up.
        #[default]
        Running = "running",
        /// Switched off.
        Stopped = "stopped",
    }
    /// What a cluster shall be, deletion included.
    Wanted {
        /// Up.
        Running = "running",
        /// Switched off.
        Stopped = "stopped",
        /// Gone.
        Deleted = "deleted",
    }
    /// What may be done to a node that missed its lease.
    Remedy {
        /// Whatever the service finds right.
        Auto = "auto",
        /// At most a bounce of the card.
        Bounce = "bounce",
        /// Nothing.
        Off = "off",
    }
    /// When a create counts as done.
    WaitFor {
        /// Every node has the address that its port promises.
        Addresses = "addresses",
        /// Besides, the cluster manager says that the software runs.
        Services = "services",
    }
    /// What an operation does.
    OperationKind {
        /// Brings the cluster up for the first time.
        Create = "create",
        /// Switches it on.
        Start = "start",
        /// Switches it off.
        Stop = "stop",
        /// Removes it.
        Delete = "delete",
    }
    /// Where an operation is.
    OperationState {
        /// Under way.
        Running = "running",
        /// Ended well.
        Succeeded = "succeeded",
        /// Ended, and the operation's error says why.
        Failed = "failed",
    }
    /// Where a node is in its boot.
    Stage {
        /// Planned; there is no VM yet.
        Planned = "planned",
        /// The VM exists and is off.
        Cloned = "cloned",
        /// The VM is on and its user space has not reported.
        Booting = "booting",
        /// User space is up, without a usable address.
        NoAddress = "no_address",
        /// It has the address that its port promises.
        Addressed = "addressed",
    }
    /// How grave an event is.
    Level {
        /// As expected.
        Info = "info",
        /// Not as expected; the service goes on.
        Warning = "warning",
        /// A failure.
        Error = "error",
    }
    /// Whether a condition is true.
    ConditionStatus {
        /// Yes.
        True = "True",
        /// No.
        False = "False",
        /// Not known.
        Unknown = "Unknown",
    }
    /// A cluster's status. On the wire a string: later versions may know more.
    Status {
        /// Accepted; work has not begun.
        Pending = "pending",
        /// Being made.
        Creating = "creating",
        /// Up.
        Running = "running",
        /// Being switched off.
        Stopping = "stopping",
        /// Switched off.
        Stopped = "stopped",
        /// Being switched on.
        Starting = "starting",
        /// Being removed.
        Deleting = "deleting",
        /// Not as it should be.
        Degraded = "degraded",
        /// Removed by somebody else.
        Gone = "gone",
        /// The last operation failed.
        Error = "error",
    }
    /// The status of a cluster that cannot be read.
    Unreadable {
        /// Its stored documents cannot be read.
        Unreadable = "unreadable",
    }
    /// What a condition of a node is about. On the wire a string: later versions may know more.
    ConditionType {
        /// Its VM is there.
        VmExists = "VmExists",
        /// Its port is there.
        PortReady = "PortReady",
        /// The network's backend knows its card.
        Attached = "Attached",
        /// It has its address.
        Addressed = "Addressed",
    }
    /// What a condition of a cluster is about. On the wire a string: later versions may know more.
    ClusterConditionType {
        /// The cluster in the manager is this one.
        Owned = "Owned",
        /// BDE answers.
        BdeReachable = "BdeReachable",
        /// vCenter answers.
        VcenterReachable = "VcenterReachable",
        /// Neutron answers.
        NeutronReachable = "NeutronReachable",
        /// BDE can begin.
        BdeReady = "BdeReady",
        /// Every port can be made and kept.
        PortsReady = "PortsReady",
        /// The cluster's secrets can be read.
        SecretsReadable = "SecretsReadable",
    }
}
