//! What can go wrong with the store, named for the step. Invariant: no variant holds a key or
//! a secret; a text never repeats its source.

use std::path::{Path, PathBuf};

use howdah_core::failure::{ErrorKind, RemoteError, System};
use howdah_core::ids::{ClusterKey, SiteName};
use sqlx::migrate::MigrateError;

/// A failed step of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder for the database or the key could not be made.
    #[error("cannot create the directory {}", path.display())]
    MakeFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The lock file could not be opened or locked, for another reason than a second service.
    #[error("cannot use the lock file {}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process has the database open.
    #[error("{} is in use by another howdah service", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// Another service has opened the database since: this one can write no more.
    #[error("another howdah service took over {database}")]
    Fenced {
        /// The database.
        database: String,
    },
    /// SQLite refused to open the file.
    #[error("cannot open the database {}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// A newer Howdah has written the database.
    #[error("a newer howdah wrote {} (schema {found}; this one supports {known})", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// A migration failed; the database is as it was before.
    #[error("cannot migrate {} to the current schema", path.display())]
    Migrate {
        /// The database.
        path: PathBuf,
        /// Why.
        source: MigrateError,
    },
    /// The key file could not be read.
    #[error("cannot read the key file {}", path.display())]
    ReadKey {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key file could not be made.
    #[error("cannot create the key file {}", path.display())]
    MakeKey {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read the key file.
    #[error("the key file {} has mode {mode:04o}, but only its owner may have access", path.display())]
    KeyExposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key file does not hold a key.
    #[error("the key file {} does not contain a key (64 hexadecimal digits)", path.display())]
    KeyForm {
        /// The key file.
        path: PathBuf,
    },
    /// The key file is not the one that the database was made with.
    #[error("the key in {} does not belong to {}", key.display(), path.display())]
    WrongKey {
        /// The key file.
        key: PathBuf,
        /// The database.
        path: PathBuf,
    },
    /// The database has been used with a key, and there is no key file.
    #[error("the key file {} is missing, but {} needs it", key.display(), path.display())]
    KeyMissing {
        /// The key file.
        key: PathBuf,
        /// The database.
        path: PathBuf,
    },
    /// The system gave no random bytes.
    #[error("the system provides no random numbers")]
    Random,
    /// Sealed secrets do not open: they were sealed with another key, or changed by somebody else.
    #[error("cannot decrypt the secrets of cluster {key}")]
    Unseal {
        /// The cluster.
        key: ClusterKey,
    },
    /// The id is taken in its project.
    #[error("cluster {key} already exists")]
    IdTaken {
        /// The cluster that is there.
        key: ClusterKey,
    },
    /// The name is taken.
    #[error("site {site} already has a cluster named {name}")]
    NameTaken {
        /// The site.
        site: SiteName,
        /// The name.
        name: String,
    },
    /// No such cluster, or no longer.
    #[error("cluster {key} does not exist")]
    Gone {
        /// The cluster.
        key: ClusterKey,
    },
    /// Somebody else asked for another operation first.
    #[error("cluster {key} got another operation in the meantime")]
    Changed {
        /// The cluster.
        key: ClusterKey,
    },
    /// A stored cluster cannot be read; it is left as it is.
    #[error("the stored cluster {key} cannot be read: {why}")]
    Unreadable {
        /// The cluster.
        key: ClusterKey,
        /// What was found, without quoting it.
        why: String,
    },
    /// A document cannot be written.
    #[error("cannot write the {what} as JSON")]
    Encode {
        /// Record, state, event, ...
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// No connection to the database could be opened.
    #[error("cannot open {}", path.display())]
    Connect {
        /// The database.
        path: PathBuf,
        /// Why.
        source: sqlx::Error,
    },
    /// Other changes took so long that this one never had its turn.
    #[error("{database} is busy with other changes")]
    Busy {
        /// The database.
        database: String,
    },
    /// No space is left for a change.
    #[error("no space is left for {}", path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// The step that found it, unless the file system was asked.
        source: Option<Box<StoreError>>,
    },
    /// A newer version wrote the document of a site, or it is damaged; it is left as it is.
    #[error("cannot read the stored {kind} {name} of site {site}")]
    SiteDocumentUnreadable {
        /// The site.
        site: SiteName,
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A statement failed.
    #[error("the database failed to {step}")]
    Query {
        /// What was being done.
        step: &'static str,
        /// Why.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MakeFolder { .. } => "store_folder",
            Self::Lock { .. } => "store_lock",
            Self::InUse { .. } => "store_in_use",
            Self::Fenced { .. } => "fenced",
            Self::Open { .. } => "store_open",
            Self::Newer { .. } => "store_newer",
            Self::Migrate { .. } => "store_migration",
            Self::ReadKey { .. } => "store_key_unreadable",
            Self::MakeKey { .. } => "store_key_not_made",
            Self::KeyExposed { .. } => "store_key_exposed",
            Self::KeyForm { .. } => "store_key_malformed",
            Self::WrongKey { .. } => "store_key_wrong",
            Self::KeyMissing { .. } => "store_key_missing",
            Self::Random => "store_random",
            Self::Unseal { .. } => "secrets_unreadable",
            Self::IdTaken { .. } => "cluster_id_taken",
            Self::NameTaken { .. } => "cluster_name_taken",
            Self::Gone { .. } => "cluster_not_found",
            Self::Changed { .. } => "cluster_changed",
            Self::Unreadable { .. } => "cluster_unreadable",
            Self::Encode { .. } => "store_document",
            Self::Connect { .. } => "store_unreachable",
            Self::Busy { .. } => "store_busy",
            Self::Full { .. } => "store_full",
            Self::SiteDocumentUnreadable { .. } => "site_document_unreadable",
            Self::Query { .. } => "store_failed",
        }
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::InUse { .. } => "Stop the other service, or give this one its own store.path.".to_owned(),
            Self::Fenced { .. } => {
                "Stop this service or the other one. Only the service that started last can write.".to_owned()
            }
            Self::Newer { .. } => {
                "Install the newer howdah again, or restore a backup from before the upgrade.".to_owned()
            }
            Self::KeyExposed { path, .. } => format!("Run: chmod 600 {}", path.display()),
            Self::KeyForm { path } => format!("Restore {} from its backup.", path.display()),
            Self::WrongKey { .. } | Self::KeyMissing { .. } => {
                "Restore the key file that belongs to this database; store.key_file names it.".to_owned()
            }
            Self::NameTaken { .. } => "Choose another name, or delete that cluster first.".to_owned(),
            Self::Changed { .. } => "Check the cluster, then repeat the request if you still need it.".to_owned(),
            Self::Unreadable { .. } => {
                "A newer howdah may have written it: install that version again. Until then, the service does not \
                 change the cluster."
                    .to_owned()
            }
            Self::Unseal { .. } => "Restore the database and its key file from one backup.".to_owned(),
            Self::SiteDocumentUnreadable { .. } => {
                "A newer howdah may have written it: install that version again.".to_owned()
            }
            Self::Full { path, .. } => {
                format!("Free space on the file system of {}; howdah then continues automatically.", path.display())
            }
            Self::Open { .. } | Self::Connect { .. } | Self::MakeFolder { .. } | Self::Lock { .. } => {
                "Check store.path: the service's user must be able to write the file and its folder.".to_owned()
            }
            _ => return None,
        })
    }

    /// The same, told as a full disk if that is what it was.
    pub(crate) fn or_full(self, path: &Path) -> Self {
        /// `SQLITE_FULL`.
        const FULL: &str = "13";
        let cause = match &self {
            Self::Query { source, .. } | Self::Connect { source, .. } | Self::Open { source, .. } => Some(source),
            Self::Migrate { source: MigrateError::Execute(e) | MigrateError::ExecuteMigration(e, _), .. } => Some(e),
            _ => None,
        };
        match cause.and_then(sqlx::Error::as_database_error).and_then(|e| e.code()).as_deref() {
            Some(FULL) => Self::Full { path: path.to_owned(), source: Some(Box::new(self)) },
            _ => self,
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::IdTaken { .. } | Self::NameTaken { .. } | Self::Changed { .. } | Self::InUse { .. } => {
                ErrorKind::Conflict
            }
            Self::Gone { .. } => ErrorKind::NotFound,
            // The newer service can do what this one cannot: no fault of the request.
            Self::Fenced { .. } => ErrorKind::Unavailable,
            // It may pass when the operator puts the right key file back.
            Self::Unseal { .. } => ErrorKind::Unavailable,
            // Nothing was changed, and later it may work.
            Self::Connect { .. } | Self::Busy { .. } | Self::Full { .. } => ErrorKind::Unavailable,
            // A commit whose answer is an I/O error may be found on the disk after all.
            Self::Query { .. } => ErrorKind::Internal,
            _ => ErrorKind::Invalid,
        }
    }
}

impl From<StoreError> for RemoteError {
    fn from(e: StoreError) -> Self {
        let mut error = Self::new(System::Store, e.kind(), e.code(), e.to_string());
        error.hint = e.hint();
        // The text of `e` is the message already: its cause comes next in the chain.
        match e {
            StoreError::Query { source, .. } | StoreError::Connect { source, .. } => error.caused_by(source),
            StoreError::Full { source: Some(source), .. } => error.caused_by(source),
            StoreError::Encode { source, .. } => error.caused_by(source),
            _ => error,
        }
    }
}
