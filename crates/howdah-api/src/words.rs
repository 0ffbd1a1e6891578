//! The enumerations of the API. Each word has one definition: serde, [`Display`](std::fmt::Display) and the
//! schema use it.

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
    /// A state that a client can request.
    #[derive(Default)]
    State {
        /// Running.
        #[default]
        Running = "running",
        /// Stopped.
        Stopped = "stopped",
    }
    /// The requested state, including deletion.
    Wanted {
        /// Running.
        Running = "running",
        /// Stopped.
        Stopped = "stopped",
        /// Deleted.
        Deleted = "deleted",
    }
    /// The strongest remedy allowed for a node that missed its lease.
    Remedy {
        /// The service chooses.
        Auto = "auto",
        /// At most, disconnect and reconnect the card.
        Bounce = "bounce",
        /// None.
        Off = "off",
    }
    /// When a create is complete.
    WaitFor {
        /// Every node has its port's address.
        Addresses = "addresses",
        /// In addition, the cluster manager reports that the software runs.
        Services = "services",
    }
    /// The kind of an operation.
    OperationKind {
        /// Creates the cluster.
        Create = "create",
        /// Starts it.
        Start = "start",
        /// Stops it.
        Stop = "stop",
        /// Deletes it.
        Delete = "delete",
    }
    /// The state of an operation.
    OperationState {
        /// In progress.
        Running = "running",
        /// Ended successfully.
        Succeeded = "succeeded",
        /// Ended with an error; the operation's `error` has the reason.
        Failed = "failed",
    }
    /// The stage of a node's boot.
    Stage {
        /// Planned; the VM does not exist yet.
        Planned = "planned",
        /// The VM exists and is off.
        Cloned = "cloned",
        /// The VM is on; VMware Tools has not reported yet.
        Booting = "booting",
        /// VMware Tools runs, but reports no usable address.
        NoAddress = "no_address",
        /// The node has its port's address.
        Addressed = "addressed",
    }
    /// The severity of an event.
    Level {
        /// Expected.
        Info = "info",
        /// Unexpected; the service continues.
        Warning = "warning",
        /// A failure.
        Error = "error",
    }
    /// Whether a condition is true.
    ConditionStatus {
        /// The condition holds.
        True = "True",
        /// The condition does not hold.
        False = "False",
        /// Unknown.
        Unknown = "Unknown",
    }
    /// A cluster's status. On the wire a string: later versions may have more.
    Status {
        /// Accepted; the service has not started on it.
        Pending = "pending",
        /// Being created.
        Creating = "creating",
        /// Running.
        Running = "running",
        /// Being stopped.
        Stopping = "stopping",
        /// Stopped.
        Stopped = "stopped",
        /// Being started.
        Starting = "starting",
        /// Being deleted.
        Deleting = "deleting",
        /// Something differs from the requested state.
        Degraded = "degraded",
        /// Removed by others.
        Gone = "gone",
        /// The last operation failed.
        Error = "error",
    }
    /// The status of a cluster that cannot be read.
    Unreadable {
        /// Its stored documents cannot be read.
        Unreadable = "unreadable",
    }
    /// The type of a node's condition. On the wire a string: later versions may have more.
    ConditionType {
        /// Its VM exists.
        VmExists = "VmExists",
        /// Its port exists.
        PortReady = "PortReady",
        /// The network backend has attached its card.
        Attached = "Attached",
        /// Its port is bound to a host.
        Bound = "Bound",
        /// It has its address.
        Addressed = "Addressed",
    }
    /// The type of a cluster's condition. On the wire a string: later versions may have more.
    ClusterConditionType {
        /// The manager's cluster of this name is this one.
        Owned = "Owned",
        /// BDE answers.
        BdeReachable = "BdeReachable",
        /// vCenter answers.
        VcenterReachable = "VcenterReachable",
        /// Neutron answers.
        NeutronReachable = "NeutronReachable",
        /// BDE can start the work.
        BdeReady = "BdeReady",
        /// Every port can be created and kept.
        PortsReady = "PortsReady",
        /// The cluster's secrets are readable.
        SecretsReadable = "SecretsReadable",
    }
}
