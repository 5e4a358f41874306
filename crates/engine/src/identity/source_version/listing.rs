//! Tables over files: Parquet, CSV, JSON, Arrow, Avro.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::TableReference;
use datafusion::datasource::listing::{ListingTable, ListingTableUrl};
use datafusion::error::Result;
use datafusion::execution::cache::TableScopedPath;
use milepost_store::ids::Digest;
use milepost_store::manifest::{SourceObject, SourceVersion};
use milepost_store::redact;
use object_store::path::Path;
use parking_lot::Mutex;

use super::files::{self, FilePolicy, Listing, Look};
use super::{SourceAnswer, SourceIdentity, format};
use crate::identity::canonical::{
    Encoder, encode_constraints, encode_data_type, encode_schema, encode_table_partitioning,
    encode_table_sorts,
};

/// The name that DataFusion gives to tables which have none, such as those of `read_parquet`.
const UNNAMED: &str = "?table?";

/// Identifies DataFusion's listing tables by how they are read and by the state of every file.
///
/// It also keeps DataFusion from reading something else than what was identified: the cached listing of a table is
/// dropped before the files are listed, and the cached footers and statistics of its files are dropped when the files
/// changed since the last look, since those caches compare sizes and modification times only.
#[derive(Debug, Default)]
pub struct ListingIdentity {
    policy: FilePolicy,
    /// The digest that a table's files had at the last look, by session runtime and canonical form.
    seen: Mutex<HashMap<(usize, [u8; 32]), Digest>>,
}

impl ListingIdentity {
    /// An identity with this policy for files that were written just now.
    pub fn new(policy: FilePolicy) -> Self {
        Self { policy, seen: Mutex::default() }
    }

    fn forget_changed(
        &self,
        canonical: &[u8],
        digest: Digest,
        table: &ListingTable,
        objects: &[SourceObject],
        state: &dyn Session,
    ) {
        let runtime = Arc::as_ptr(state.runtime_env()).cast::<()>() as usize;
        let key = (runtime, *blake3::hash(canonical).as_bytes());
        if self.seen.lock().insert(key, digest) == Some(digest) {
            return;
        }
        let caches = &state.runtime_env().cache_manager;
        let footers = caches.get_file_metadata_cache();
        let statistics = caches.get_file_statistic_cache();
        for path in objects.iter().filter_map(|object| Path::parse(&object.path).ok()) {
            footers.remove(&path);
            if let Some(statistics) = &statistics {
                for url in table.table_paths() {
                    let table = url.get_table_ref().clone();
                    statistics.remove(&TableScopedPath { table, path: path.clone() });
                }
            }
        }
    }
}

#[async_trait]
impl SourceIdentity for ListingIdentity {
    fn kind(&self) -> &'static str {
        "files"
    }

    async fn identify(
        &self,
        name: &TableReference,
        source: &Arc<dyn TableProvider>,
        state: &dyn Session,
    ) -> Result<Option<SourceAnswer>> {
        let Some(table) = source.downcast_ref::<ListingTable>() else { return Ok(None) };
        forget_listing(table, state);
        let options = table.options();
        let listing = Listing {
            paths: table.table_paths().clone(),
            extension: options.file_extension.clone(),
            ignore_subdirectory: state.config_options().execution.listing_table_ignore_subdirectory,
        };
        let (canonical, unknown) = canonical(table, state)?;
        let look = files::look(&listing, state, self.policy).await?;
        let (objects, digest, note) = match look {
            Look::Settled(objects) => {
                let digest = files::digest(&objects);
                self.forget_changed(&canonical, digest, table, &objects, state);
                (objects, Some(digest), None)
            }
            Look::Unknown(objects, note) => (objects, None, Some(note)),
        };
        let version = SourceVersion {
            name: shown_name(name, table),
            kind: self.kind().to_owned(),
            digest: digest.filter(|_| unknown.is_none()),
            objects,
            note: unknown.or(note),
        };
        Ok(Some(SourceAnswer { canonical, version }))
    }
}

/// How the table is read, and why that cannot be told if it cannot.
fn canonical(table: &ListingTable, state: &dyn Session) -> Result<(Vec<u8>, Option<String>)> {
    let options = table.options();
    let schema = table.schema();
    let config = state.config_options();
    let mut out = Encoder::new();
    out.str("files");
    out.len(table.table_paths().len());
    for url in table.table_paths() {
        out.str(&redacted(url));
        out.option(url.get_glob().as_ref(), |out, glob| out.str(glob.as_str()));
    }
    encode_schema(&schema, &mut out);
    encode_constraints(table.constraints(), &mut out);
    out.str(&options.file_extension);
    out.len(options.table_partition_cols.len());
    for (name, data_type) in &options.table_partition_cols {
        out.str(name);
        encode_data_type(data_type, &mut out);
    }
    encode_table_sorts(&options.file_sort_order, &schema, config, &mut out)?;
    encode_table_partitioning(options.output_partitioning.as_ref(), &schema, config, &mut out)?;
    let mut unknown = None;
    if !format::encode(options.format.as_ref(), &mut out) {
        unknown = Some(format!(
            "files of format {} cannot be identified; register a SourceIdentity for the table",
            options.format.get_ext()
        ));
    } else if adapts_expressions(table) {
        unknown = Some("the table adapts expressions in a way that cannot be identified".to_owned());
    }
    Ok((out.finish(), unknown))
}

/// Where the files are, without user, password and query.
fn redacted(url: &ListingTableUrl) -> String {
    let url = url.get_url();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn shown_name(name: &TableReference, table: &ListingTable) -> String {
    match table.table_paths().first() {
        Some(url) if name.table() == UNNAMED => url.prefix().to_string(),
        _ => redact(&name.to_string()).into_owned(),
    }
}

fn forget_listing(table: &ListingTable, state: &dyn Session) {
    let Some(cache) = state.runtime_env().cache_manager.get_list_files_cache() else { return };
    for url in table.table_paths() {
        cache.remove(&TableScopedPath { table: url.get_table_ref().clone(), path: url.prefix().clone() });
    }
}

/// Whether a user's adapter stands between files and schema. The table tells no one but its debug text.
fn adapts_expressions(table: &ListingTable) -> bool {
    let mut search = Search { wanted: "expr_adapter_factory: Some(", seen: String::new(), found: false };
    let _ends_early = write!(search, "{table:?}");
    search.found
}

/// Looks for words in text as it is written, and keeps no more of it than that takes.
struct Search {
    wanted: &'static str,
    seen: String,
    found: bool,
}

impl Write for Search {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        self.seen.push_str(more);
        if self.seen.contains(self.wanted) {
            self.found = true;
            return Err(fmt::Error);
        }
        let keep = self.seen.len().saturating_sub(self.wanted.len());
        let keep = (keep..=self.seen.len()).find(|at| self.seen.is_char_boundary(*at)).unwrap_or(keep);
        self.seen.drain(..keep);
        Ok(())
    }
}
