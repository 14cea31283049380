//! Reading, compiling and linking a component.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, InstancePre};

use super::file::{FileKind, MAX_BYTES};
use crate::contract::exports;
use crate::sandbox::{Sandbox, State};

/// Version of the contract that this host speaks.
const CONTRACT: &str = "0.1.0";
const PACKAGE: &str = "raito:connector/";
/// What an enricher without the interface lacks.
const ENRICHER: &str = "`data-object-enricher`, which an enricher needs";

/// An interface of the contract that connectors export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Export {
    /// `info`
    Info,
    /// `identity-store`
    IdentityStore,
    /// `data-source`
    DataSource,
    /// `access`
    Access,
    /// `data-usage`
    DataUsage,
    /// `tags`
    Tags,
    /// `data-object-enricher`
    DataObjectEnricher,
    /// `resource-provider`
    ResourceProvider,
}

impl Export {
    const ALL: [Export; 8] = [
        Export::Info,
        Export::IdentityStore,
        Export::DataSource,
        Export::Access,
        Export::DataUsage,
        Export::Tags,
        Export::DataObjectEnricher,
        Export::ResourceProvider,
    ];

    /// The name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Export::Info => "info",
            Export::IdentityStore => "identity-store",
            Export::DataSource => "data-source",
            Export::Access => "access",
            Export::DataUsage => "data-usage",
            Export::Tags => "tags",
            Export::DataObjectEnricher => "data-object-enricher",
            Export::ResourceProvider => "resource-provider",
        }
    }
}

/// Why a connector cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The name is none.
    #[error("`{name}` is not the name of a connector")]
    BadName {
        /// As given.
        name: String,
    },
    /// There is no such file.
    #[error("the connector `{name}` was not found")]
    NotFound {
        /// As given.
        name: String,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// A connector of Raito's own CLI that has no counterpart here.
    #[error("the connector `{name}` of Raito's own CLI has no counterpart here")]
    Original {
        /// As given.
        name: String,
        /// Where one was looked for.
        looked: Vec<PathBuf>,
    },
    /// The file cannot be read.
    #[error("{} cannot be read: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The file is no component.
    #[error("{} is not a WebAssembly component, but {kind}", path.display())]
    NotAComponent {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        kind: FileKind,
    },
    /// The file says that it is a component, and is damaged or uses something unknown.
    #[error("{} is not a valid WebAssembly component: {why}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The component imports something that the host does not offer.
    #[error("{} needs something that this host does not offer: {why}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What.
        why: String,
    },
    /// The component was made for another version of the contract.
    #[error("{} was made for version {version} of the connector contract; this is {CONTRACT}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it was made for.
        version: String,
    },
    /// The component lacks an export.
    #[error("{} does not export {missing}", path.display())]
    MissingExport {
        /// The file.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
    },
}

impl LoadError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            LoadError::BadName { .. } => {
                "use letters, digits, `-` and `_`, or a path that ends in .wasm".into()
            }
            LoadError::NotFound { looked, .. } => {
                let places: Vec<_> = looked.iter().map(|path| path.display().to_string()).collect();
                format!("looked at {}; add a folder to `connector-path`, or give a path", places.join(", "))
            }
            LoadError::Original { looked, .. } => {
                let places: Vec<_> = looked.iter().map(|path| path.display().to_string()).collect();
                format!(
                    "point `connector-name` to a connector's .wasm file, or put one where it is looked for: {}",
                    places.join(", ")
                )
            }
            LoadError::Unreadable { .. } => "check the file's permissions".into(),
            LoadError::NotAComponent { .. } | LoadError::Invalid { .. } => {
                "compile the connector for the target wasm32-wasip2, or get it again if it was copied".into()
            }
            LoadError::Import { .. } => {
                "the connector may be for a newer version of raito, or for another host".into()
            }
            LoadError::Version { .. } => {
                "get a version of the connector, or of raito, that fits the other".into()
            }
            LoadError::MissingExport { missing, .. } if *missing == ENRICHER => {
                "name a connector under `data-object-enrichers` that adds to data objects".into()
            }
            LoadError::MissingExport { .. } => {
                "a connector exports `info` and at least one of `identity-store`, `data-source`, `access`, \
                 `data-usage`, `tags`, `resource-provider`"
                    .into()
            }
        }
    }
}

/// A connector ready to be called.
pub struct Connector {
    /// Its file.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// What it exports of the contract, in the contract's order.
    pub exports: Vec<Export>,
    /// Names of the interfaces that it imports.
    pub imports: Vec<String>,
    pre: InstancePre<State>,
    info: exports::info::GuestIndices,
    identity_store: Option<exports::identity_store::GuestIndices>,
    data_source: Option<exports::data_source::GuestIndices>,
    access: Option<exports::access::GuestIndices>,
    data_usage: Option<exports::data_usage::GuestIndices>,
    tags: Option<exports::tags::GuestIndices>,
    data_object_enricher: Option<exports::data_object_enricher::GuestIndices>,
    resource_provider: Option<exports::resource_provider::GuestIndices>,
}

impl Connector {
    /// Reads, checks, compiles and links a component. Nothing of it runs. Compiling takes up to a second the first
    /// time, and milliseconds from the cache.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(sandbox: &Sandbox, path: &Path) -> Result<Self, LoadError> {
        let code = read(path)?;
        let kind = FileKind::of(&code);
        if kind != FileKind::Component {
            return Err(LoadError::NotAComponent { path: path.into(), kind });
        }
        let invalid = |error: &wasmtime::Error| LoadError::Invalid {
            path: path.into(),
            why: error.root_cause().to_string(),
        };
        let component = Component::from_binary(sandbox.engine(), &code).map_err(|error| invalid(&error))?;
        let component_type = component.component_type();
        let engine = sandbox.engine();
        let imports = component_type.imports(engine).map(|(name, _)| name.to_owned()).collect();
        let names = component_type
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
            .map(|(name, _)| name.to_owned());
        let exports = contract_exports(path, names)?;
        let pre = sandbox
            .linker(exports.contains(&Export::ResourceProvider))
            .instantiate_pre(&component)
            .map_err(|error| LoadError::Import { path: path.into(), why: format!("{error:#}") })?;
        macro_rules! indices {
            ($export:ident, $interface:ident) => {
                exports
                    .contains(&Export::$export)
                    .then(|| exports::$interface::GuestIndices::new(&pre))
                    .transpose()
                    .map_err(|error| invalid(&error))?
            };
        }
        let missing = |missing| LoadError::MissingExport { path: path.into(), missing };
        Ok(Connector {
            path: path.into(),
            bytes: code.len() as u64,
            sha256: Sha256::digest(&code).into(),
            imports,
            info: indices!(Info, info)
                .ok_or_else(|| missing("the interface `info` that every connector has"))?,
            identity_store: indices!(IdentityStore, identity_store),
            data_source: indices!(DataSource, data_source),
            access: indices!(Access, access),
            data_usage: indices!(DataUsage, data_usage),
            tags: indices!(Tags, tags),
            data_object_enricher: indices!(DataObjectEnricher, data_object_enricher),
            resource_provider: indices!(ResourceProvider, resource_provider),
            exports,
            pre,
        })
    }

    /// The component with its imports bound, ready to be instantiated.
    pub fn linked(&self) -> &InstancePre<State> {
        &self.pre
    }

    /// Its `info`.
    pub fn info(&self) -> &exports::info::GuestIndices {
        &self.info
    }

    /// Its `identity-store`, if it exports one.
    pub fn identity_store(&self) -> Option<&exports::identity_store::GuestIndices> {
        self.identity_store.as_ref()
    }

    /// Its `data-source`, if it exports one.
    pub fn data_source(&self) -> Option<&exports::data_source::GuestIndices> {
        self.data_source.as_ref()
    }

    /// Its `access`, if it exports one.
    pub fn access(&self) -> Option<&exports::access::GuestIndices> {
        self.access.as_ref()
    }

    /// Its `data-usage`, if it exports one.
    pub fn data_usage(&self) -> Option<&exports::data_usage::GuestIndices> {
        self.data_usage.as_ref()
    }

    /// Its `tags`, if it exports them.
    pub fn tags(&self) -> Option<&exports::tags::GuestIndices> {
        self.tags.as_ref()
    }

    /// Its `data-object-enricher`, if it exports one.
    pub fn data_object_enricher(&self) -> Option<&exports::data_object_enricher::GuestIndices> {
        self.data_object_enricher.as_ref()
    }

    /// Its `resource-provider`, if it exports one.
    pub fn resource_provider(&self) -> Option<&exports::resource_provider::GuestIndices> {
        self.resource_provider.as_ref()
    }

    /// Whether it adds to the data objects of others.
    ///
    /// # Errors
    /// If it does not.
    pub fn expect_enricher(&self) -> Result<(), LoadError> {
        match self.data_object_enricher {
            Some(_) => Ok(()),
            None => Err(LoadError::MissingExport { path: self.path.clone(), missing: ENRICHER }),
        }
    }

    /// Whether it takes part in any step of a run.
    ///
    /// # Errors
    /// If it does not.
    pub fn expect_step(&self) -> Result<(), LoadError> {
        let not_a_step = |export: &Export| matches!(export, Export::Info | Export::DataObjectEnricher);
        if !self.exports.iter().all(not_a_step) {
            return Ok(());
        }
        Err(LoadError::MissingExport {
            path: self.path.clone(),
            missing: "an interface that takes part in a run",
        })
    }

    /// Whether the component can open connections at all, whatever it is granted.
    pub fn can_reach_network(&self) -> bool {
        self.imports.iter().any(|import| {
            import.starts_with("wasi:http/outgoing-handler")
                || import.starts_with("wasi:sockets/tcp-create-socket")
                || import.starts_with("wasi:sockets/udp-create-socket")
                || import.starts_with("wasi:sockets/ip-name-lookup")
        })
    }

    /// Whether the component can open files at all, whatever it is granted.
    pub fn can_open_files(&self) -> bool {
        self.imports.iter().any(|import| import.starts_with("wasi:filesystem/preopens"))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let unreadable = |why: String| LoadError::Unreadable { path: path.into(), why };
    let file = std::fs::File::open(path).map_err(|error| unreadable(error.to_string()))?;
    let mut code = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut code).map_err(|error| unreadable(error.to_string()))?;
    if code.len() as u64 > MAX_BYTES {
        return Err(unreadable(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(code)
}

/// The exports that are interfaces of the contract. Other exports are none of the host's business.
fn contract_exports(path: &Path, names: impl Iterator<Item = String>) -> Result<Vec<Export>, LoadError> {
    let mut found = Vec::new();
    for name in names {
        let Some((interface, version)) = name.strip_prefix(PACKAGE).and_then(|name| name.split_once('@'))
        else {
            continue;
        };
        if version != CONTRACT {
            return Err(LoadError::Version { path: path.into(), version: version.into() });
        }
        found.extend(Export::ALL.into_iter().find(|export| export.name() == interface));
    }
    Ok(Export::ALL.into_iter().filter(|export| found.contains(export)).collect())
}
