//! A manifest as it stands in a log entry: long lists may lie in side files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::schema::StoredSchema;
use super::{
    DataFile, Definition, HashPartitioning, Identity, Manifest, Origin, Parent, PlanPart, SortField,
    SourceVersion,
};
use crate::ids::{ContentId, Fingerprint, Signature, Version};
use crate::sealed::RENAMED_COLUMNS;
use crate::sidefile::SideFile;
use crate::statistics::ColumnStatistics;

/// The data files, or where their list lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileList {
    Inline(Vec<DataFile>),
    Side(SideFile),
}

/// The sources, with their objects or with the place where the list of objects lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoredSources {
    Inline(Vec<SourceVersion>),
    Side { sources: Vec<SourceVersion>, objects: SideFile },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredIdentity {
    fingerprint: Fingerprint,
    signature: Signature,
    determinism: String,
    reusable: bool,
    parts: Vec<PlanPart>,
    sources: StoredSources,
    settings: BTreeMap<String, String>,
}

/// Everything of a [`Manifest`], as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StoredManifest {
    rows: u64,
    bytes: u64,
    memory_bytes: u64,
    partitions: u32,
    ordering: Vec<SortField>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    sequence: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    partitioning: Option<HashPartitioning>,
    content: ContentId,
    origin: Origin,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_version: Option<Version>,
    elapsed_ms: u64,
    created_ms: i64,
    producer: String,
    parents: Vec<Parent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    definition: Option<Definition>,
    options: BTreeMap<String, String>,
    schema: StoredSchema,
    statistics: Vec<ColumnStatistics>,
    identity: StoredIdentity,
    files: FileList,
}

impl StoredManifest {
    /// The manifest with its lists replaced by `files` and `sources`.
    pub(crate) fn new(manifest: &Manifest, files: FileList, sources: StoredSources) -> Self {
        let identity = &manifest.identity;
        Self {
            rows: manifest.rows,
            bytes: manifest.bytes,
            memory_bytes: manifest.memory_bytes,
            partitions: manifest.partitions,
            ordering: manifest.ordering.clone(),
            sequence: manifest.sequence,
            partitioning: manifest.partitioning.clone(),
            content: manifest.content,
            origin: manifest.origin.clone(),
            read_version: manifest.read_version,
            elapsed_ms: manifest.elapsed_ms,
            created_ms: manifest.created_ms,
            producer: manifest.producer.clone(),
            parents: manifest.parents.clone(),
            definition: manifest.definition.clone(),
            options: manifest.options.clone(),
            schema: StoredSchema::encode(&manifest.schema, &manifest.file_schema),
            statistics: manifest.statistics.clone(),
            identity: StoredIdentity {
                fingerprint: identity.fingerprint,
                signature: identity.signature,
                determinism: identity.determinism.clone(),
                reusable: identity.reusable,
                parts: identity.parts.clone(),
                sources,
                settings: identity.settings.clone(),
            },
            files,
        }
    }

    pub(crate) const fn files(&self) -> &FileList {
        &self.files
    }

    pub(crate) const fn sources(&self) -> &StoredSources {
        &self.identity.sources
    }

    /// What a reader must know beyond the format.
    pub(crate) fn features(&self) -> Vec<String> {
        let renames = self.schema.renames().then(|| RENAMED_COLUMNS.to_owned());
        renames.into_iter().collect()
    }

    /// The side files that it needs.
    pub(crate) fn side_files(&self) -> Vec<SideFile> {
        let files = match &self.files {
            FileList::Side(side) => Some(side.clone()),
            FileList::Inline(_) => None,
        };
        let sources = match &self.identity.sources {
            StoredSources::Side { objects, .. } => Some(objects.clone()),
            StoredSources::Inline(_) => None,
        };
        files.into_iter().chain(sources).collect()
    }

    pub(crate) const fn options(&self) -> &BTreeMap<String, String> {
        &self.options
    }

    pub(crate) const fn signature(&self) -> Signature {
        self.identity.signature
    }

    pub(crate) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The manifest with its lists, which the caller has read.
    ///
    /// # Errors
    /// Says why the schema cannot be read.
    pub(crate) fn into_manifest(
        self,
        files: Vec<DataFile>,
        sources: Vec<SourceVersion>,
    ) -> Result<Manifest, String> {
        let (schema, file_schema) = self.schema.decode()?;
        Ok(Manifest {
            schema,
            file_schema,
            files,
            rows: self.rows,
            bytes: self.bytes,
            statistics: self.statistics,
            memory_bytes: self.memory_bytes,
            ordering: self.ordering,
            sequence: self.sequence,
            partitions: self.partitions,
            partitioning: self.partitioning,
            identity: Identity {
                fingerprint: self.identity.fingerprint,
                signature: self.identity.signature,
                determinism: self.identity.determinism,
                reusable: self.identity.reusable,
                parts: self.identity.parts,
                sources,
                settings: self.identity.settings,
            },
            content: self.content,
            parents: self.parents,
            definition: self.definition,
            options: self.options,
            origin: self.origin,
            read_version: self.read_version,
            elapsed_ms: self.elapsed_ms,
            created_ms: self.created_ms,
            producer: self.producer,
        })
    }
}
