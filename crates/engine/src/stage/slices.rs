//! The input of each unit: pieces of the files that the driving scan reads.

use std::collections::BTreeMap;

use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfig, FileScanConfigBuilder,
};
use datafusion::datasource::source::DataSourceExec;
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use super::purity::{Plan, Reason};

/// What sources of Parquet files call their format, ours and DataFusion's.
const PARQUET: &str = "parquet";

/// One file, or a range of its bytes, as it stands in attempt.json and in receipts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    path: String,
    /// First byte, and the byte after the last; absent for a whole file. A row belongs to the range in which it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<(i64, i64)>,
}

/// The files of a scan, cut into one group a unit.
#[derive(Debug, Clone)]
pub(super) struct Slices {
    groups: Vec<FileGroup>,
}

impl Slices {
    /// Cuts what `scan` reads into pieces of about `unit_bytes`, in a multiple of as many as the scan has partitions.
    ///
    /// Only Parquet files are cut anew: where a row begins in a text file is found by looking for a line's end, so text
    /// files keep the pieces that DataFusion gave them.
    pub(super) fn cut(scan: &FileScanConfig, unit_bytes: u64) -> Result<Self, Reason> {
        let groups: Vec<FileGroup> =
            scan.file_groups.iter().filter(|group| !group.is_empty()).cloned().collect();
        let files = whole_files(&groups)?;
        if scan.file_source().file_type() != PARQUET {
            return Ok(Self { groups });
        }
        // Ranges of several sorted groups would run into each other, so each group is cut by itself.
        let ordered = scan.preserve_order || !scan.output_ordering.is_empty();
        let whole = if ordered && groups.len() > 1 {
            groups.iter().map(|group| group.iter().cloned().collect()).collect()
        } else {
            vec![files]
        };
        let at_least = if whole.len() == 1 { groups.len() } else { 1 };
        let cut =
            whole.into_iter().flat_map(|files: Vec<PartitionedFile>| cut_group(files, unit_bytes, at_least));
        Ok(Self { groups: cut.collect() })
    }

    /// The slices of another attempt at the same plan, as its attempt.json has them; `None` if they do not cover exactly
    /// what `self` covers.
    pub(super) fn like(&self, units: &[serde_json::Value]) -> Option<Self> {
        let known = self.files();
        let mut groups = Vec::with_capacity(units.len());
        for unit in units {
            let pieces: Vec<Piece> = serde_json::from_value(unit.clone()).ok()?;
            let files = pieces.into_iter().map(|piece| {
                let file = known.get(&Path::parse(piece.path).ok()?)?;
                let range = piece.bytes.map(|(start, end)| FileRange { start, end });
                Some(PartitionedFile { range, ..(*file).clone() })
            });
            groups.push(FileGroup::new(files.collect::<Option<Vec<_>>>()?));
        }
        let like = Self { groups };
        // In the same order, too: what is one sequence must stay one.
        let same_files = like.in_order().eq(self.in_order());
        (same_files && whole_files(&like.groups).is_ok()).then_some(like)
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// The slices as they stand in attempt.json.
    pub(super) fn to_json(&self) -> Vec<serde_json::Value> {
        let piece = |file: &PartitionedFile| {
            let path = file.object_meta.location.to_string();
            serde_json::json!(Piece {
                path,
                bytes: file.range.as_ref().map(|range| (range.start, range.end))
            })
        };
        self.groups.iter().map(|group| group.iter().map(piece).collect()).collect()
    }

    /// The files of one slice.
    pub(super) fn group(&self, unit: usize) -> Option<&FileGroup> {
        self.groups.get(unit)
    }

    /// The scan with one partition for each slice.
    pub(super) fn scan(&self, scan: &FileScanConfig) -> Plan {
        let sliced = FileScanConfigBuilder::from(scan.clone())
            .with_file_groups(self.groups.clone())
            .with_output_partitioning(None)
            .build();
        DataSourceExec::from_data_source(sliced)
    }

    /// The paths of the files, each where its first piece stands.
    fn in_order(&self) -> impl Iterator<Item = &Path> {
        let mut before = None;
        self.groups.iter().flat_map(FileGroup::iter).filter_map(move |file| {
            let path = &file.object_meta.location;
            (before.replace(path) != Some(path)).then_some(path)
        })
    }

    fn files(&self) -> BTreeMap<Path, &PartitionedFile> {
        self.groups
            .iter()
            .flat_map(FileGroup::iter)
            .map(|file| (file.object_meta.location.clone(), file))
            .collect()
    }
}

/// The files of one group in pieces of about `unit_bytes`, in their order.
fn cut_group(files: Vec<PartitionedFile>, unit_bytes: u64, at_least: usize) -> Vec<FileGroup> {
    let bytes: u64 = files.iter().map(PartitionedFile::effective_size).sum();
    let units = usize::try_from(bytes.div_ceil(unit_bytes.max(1))).unwrap_or(usize::MAX).max(at_least);
    // As many units run side by side as there were partitions, and none should wait for a last one alone.
    let units = units.div_ceil(at_least.max(1)).saturating_mul(at_least.max(1));
    let group = FileGroup::new(files);
    let cut = FileGroupPartitioner::new()
        .with_target_partitions(units)
        .with_repartition_file_min_size(0)
        .repartition_file_groups(std::slice::from_ref(&group));
    cut.unwrap_or_else(|| vec![group])
}

/// The files that the groups read, each whole, in their order.
///
/// # Errors
/// Some file is read twice, or only a part of it: then a piece says less than where it lies.
fn whole_files(groups: &[FileGroup]) -> Result<Vec<PartitionedFile>, Reason> {
    let mut files: Vec<PartitionedFile> = Vec::new();
    let mut pieces: BTreeMap<Path, Vec<(u64, u64)>> = BTreeMap::new();
    for file in groups.iter().flat_map(FileGroup::iter) {
        let ranges = pieces.entry(file.object_meta.location.clone()).or_default();
        if ranges.is_empty() {
            files.push(PartitionedFile { range: None, ..file.clone() });
        }
        ranges.push(file.range());
    }
    for file in &files {
        let ranges = pieces.entry(file.object_meta.location.clone()).or_default();
        ranges.sort_unstable();
        let ends = ranges.iter().try_fold(0, |end, (start, next)| (*start == end).then_some(*next));
        if ends != Some(file.object_meta.size) {
            return Err(format!("{} is not read exactly once", file.object_meta.location));
        }
    }
    Ok(files)
}

/// The plan of all units without their input: what is the same in each of them, and in every attempt.
pub(super) fn without_files(scan: &FileScanConfig) -> Plan {
    let empty = FileScanConfigBuilder::from(scan.clone())
        .with_file_groups(vec![])
        .with_output_partitioning(None)
        .build();
    DataSourceExec::from_data_source(empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64) -> PartitionedFile {
        PartitionedFile::new(path, size)
    }

    fn ranged(path: &str, size: u64, start: i64, end: i64) -> PartitionedFile {
        PartitionedFile { range: Some(FileRange { start, end }), ..file(path, size) }
    }

    #[test]
    fn pieces_must_cover_each_file_once() {
        let groups = |files: Vec<PartitionedFile>| vec![FileGroup::new(files)];
        assert_eq!(
            whole_files(&groups(vec![ranged("a", 10, 0, 4), ranged("a", 10, 4, 10)])).unwrap().len(),
            1
        );
        for wrong in [
            vec![file("a", 10), file("a", 10)],
            vec![ranged("a", 10, 0, 4), ranged("a", 10, 5, 10)],
            vec![ranged("a", 10, 0, 5), ranged("a", 10, 4, 10)],
            vec![ranged("a", 10, 0, 9)],
        ] {
            whole_files(&groups(wrong)).unwrap_err();
        }
    }

    #[test]
    fn another_attempts_slices_are_taken_over_only_if_they_cover_the_same_files() {
        let ours = Slices { groups: vec![FileGroup::new(vec![file("a", 10), file("b", 6)])] };
        let theirs = Slices {
            groups: vec![
                FileGroup::new(vec![ranged("a", 10, 0, 7)]),
                FileGroup::new(vec![ranged("a", 10, 7, 10), file("b", 6)]),
            ],
        };
        let json = theirs.to_json();
        assert_eq!(ours.like(&json).unwrap().to_json(), json);
        assert!(ours.like(&json[..1]).is_none(), "a slice is missing");
        assert!(ours.like(&[serde_json::json!([{"path": "c"}])]).is_none(), "an unknown file");
        assert!(ours.like(&[serde_json::json!({"partition": 0})]).is_none(), "not a slice");
    }
}
