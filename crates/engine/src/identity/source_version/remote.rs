//! Files in an object store, by what the store says of them.

use datafusion::catalog::Session;
use datafusion::datasource::listing::ListingTableUrl;
use datafusion::error::{DataFusionError, Result};
use futures::TryStreamExt;
use milepost_store::manifest::SourceObject;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::files::Listing;

/// Lists the files of a table from its store, past every cache, with the choice of files that DataFusion makes.
pub(super) async fn list(listing: &Listing, state: &dyn Session) -> Result<Vec<SourceObject>> {
    let mut objects = Vec::new();
    // A listing table reads all its paths through the store of the first.
    let Some(first) = listing.paths.first() else { return Ok(objects) };
    let store = state.runtime_env().object_store(first)?;
    for url in &listing.paths {
        let found =
            find(url, store.as_ref()).await.map_err(|error| DataFusionError::ObjectStore(Box::new(error)))?;
        let belongs = |meta: &ObjectMeta| {
            meta.location.as_ref().ends_with(&listing.extension)
                && url.contains(&meta.location, listing.ignore_subdirectory)
        };
        objects.extend(found.into_iter().filter(belongs).map(object));
    }
    Ok(objects)
}

async fn find(url: &ListingTableUrl, store: &dyn ObjectStore) -> object_store::Result<Vec<ObjectMeta>> {
    if !url.is_collection() {
        match store.head(url.prefix()).await {
            Ok(meta) => return Ok(vec![meta]),
            Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    store.list(Some(url.prefix())).try_collect().await
}

fn object(meta: ObjectMeta) -> SourceObject {
    SourceObject {
        path: meta.location.to_string(),
        size: meta.size,
        e_tag: meta.e_tag,
        version: meta.version,
        inode: None,
        mtime_ns: meta.last_modified.timestamp_nanos_opt(),
        ctime_ns: None,
    }
}
