//! Reading snapshots: [`SnapshotTable`], what planning gets from a manifest, and a snapshot's identity as a source.

mod damage;
mod files;
mod identity;
mod partitioned;
mod reader;
mod replace;
mod selective;
mod source;
mod statistics;
mod table;
mod unreadable;

pub(crate) use damage::{ReadBy, damaged};
pub(crate) use files::scan_files;
pub(crate) use identity::{SNAPSHOT_KIND, SnapshotIdentity};
pub(crate) use reader::FooterCache;
pub(crate) use replace::{
    named_scan, named_snapshots_in, named_tables_in, same_names, scan_as, snapshots_in, version_read,
};
pub use table::SnapshotTable;
pub use unreadable::{name_place, name_source};
