//! The cluster manager's statuses, each with its own spelling: that is what both faces show.

macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// As the manager spells it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

spelled! {
    /// Status of a cluster.
    BdeStatus {
        /// Create or resume runs.
        Provisioning = "PROVISIONING",
        /// Create failed.
        ProvisionError = "PROVISION_ERROR",
        /// All well.
        Running = "RUNNING",
        /// Some service is unhealthy.
        ServiceWarning = "SERVICE_WARNING",
        /// Services are stopped.
        ServiceStopped = "SERVICE_STOPPED",
        /// Stop runs.
        Stopping = "STOPPING",
        /// VMs are off.
        Stopped = "STOPPED",
        /// Start runs.
        Starting = "STARTING",
        /// Resize runs.
        Updating = "UPDATING",
        /// Groups are being added.
        Expanding = "EXPANDING",
        /// Shrink, scale or disk fix runs.
        Maintenance = "MAINTENANCE",
        /// Agents in the nodes are being updated.
        Upgrading = "UPGRADING",
        /// That failed.
        UpgradeError = "UPGRADE_ERROR",
        /// Configuration runs.
        Configuring = "CONFIGURING",
        /// Configuration failed.
        ConfigureError = "CONFIGURE_ERROR",
        /// Delete runs.
        Deleting = "DELETING",
        /// Start, stop or delete failed.
        Error = "ERROR",
    }
}

impl BdeStatus {
    /// May be deleted.
    pub const fn is_stable(self) -> bool {
        matches!(
            self,
            Self::ProvisionError
                | Self::Running
                | Self::ServiceWarning
                | Self::ServiceStopped
                | Self::Stopped
                | Self::ConfigureError
                | Self::UpgradeError
                | Self::Error
        )
    }

    /// May be resized, stopped, configured.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::ServiceWarning)
    }
}

spelled! {
    /// Status of a node; shown as its description.
    NodeStatus {
        /// Planned, or removed.
        NotExist = "Not Exist",
        /// Host disconnected.
        Unavailable = "Unavailable",
        /// Off.
        PoweredOff = "Powered Off",
        /// On, no address yet.
        PoweredOn = "Powered On",
        /// On, with an address on every network.
        VmReady = "VM Ready",
        /// Software could not be installed.
        BootstrapFailed = "Bootstrap Failed",
        /// Software runs.
        ServiceReady = "Service Ready",
    }
}

spelled! {
    /// Status of a task.
    BdeTaskStatus {
        /// Accepted.
        Starting = "STARTING",
        /// Running.
        Started = "STARTED",
        /// Ended well.
        Completed = "COMPLETED",
        /// Ended badly.
        Failed = "FAILED",
        /// Given up: the manager was restarted in the middle.
        Abandoned = "ABANDONED",
    }
}

impl BdeTaskStatus {
    /// Whether it has ended.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Abandoned)
    }
}
