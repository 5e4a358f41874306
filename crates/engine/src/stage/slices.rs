//! The input of each unit: pieces of the files that the driving scan reads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig, FileScanConfigBuilder};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use futures::StreamExt;
use object_store::path::Path;
use parquet::file::metadata::ParquetMetaData;
use serde::{Deserialize, Serialize};

use super::purity::{Plan, Reason};
use crate::context::STORE_SCHEME;

/// What sources of Parquet files call their format, ours and DataFusion's.
const PARQUET: &str = "parquet";

/// How many numbers of units are tried.
const TRIED: u64 = 16;

/// How many footers are read side by side.
const FOOTERS: usize = 32;

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
    /// Cuts what `scan` reads into pieces of at most about `unit_bytes`, in a multiple of as many as the scan has partitions, and as
    /// even as row groups allow. There are fewer where the files have fewer row groups: the rows of one are never dealt out, so
    /// that a cut within it would leave a unit without rows.
    ///
    /// Only Parquet files are cut anew: where a row begins in a text file is found by looking for a line's end, so text
    /// files keep the pieces that DataFusion gave them.
    pub(super) async fn cut(
        scan: &FileScanConfig,
        unit_bytes: u64,
        context: &TaskContext,
    ) -> Result<Self, Reason> {
        let groups: Vec<FileGroup> =
            scan.file_groups.iter().filter(|group| !group.is_empty()).cloned().collect();
        let files = whole_files(&groups)?;
        if scan.file_source().file_type() != PARQUET {
            return Ok(Self { groups });
        }
        // Ranges of several sorted groups would run into each other, so each group is cut by itself.
        let ordered = scan.preserve_order || !scan.output_ordering.is_empty();
        let sequences: Vec<Sequence> = if ordered && groups.len() > 1 {
            put_together(groups)
                .into_iter()
                .map(|(files, at_least)| Sequence::new(files, unit_bytes, at_least))
                .collect()
        } else {
            vec![Sequence::new(files, unit_bytes, groups.len())]
        };
        let torn = sequences.iter().flat_map(Sequence::torn).collect();
        let starts = read_starts(torn, scan, context).await;
        let groups: Vec<FileGroup> = sequences.iter().flat_map(|sequence| sequence.cut(&starts)).collect();
        // Whatever was cut where, no row may come twice.
        whole_files(&groups)?;
        Ok(Self { groups })
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

/// Where the row groups with rows begin in each file that was looked at, as a scan judges it; `None` for a file whose footer cannot
/// be read.
type Starts = BTreeMap<Path, Option<BTreeSet<u64>>>;

/// Files, or ranges of them, that follow each other, and into how many units they are to be cut.
struct Sequence {
    files: Vec<PartitionedFile>,
    bytes: u64,
    units: u64,
    side_by_side: u64,
}

/// Bytes of a file that are not cut any further.
#[derive(Clone, Copy)]
struct Part<'f> {
    file: &'f PartitionedFile,
    start: u64,
    end: u64,
    /// Whether it may hold rows.
    rows: bool,
}

impl Sequence {
    fn new(files: Vec<PartitionedFile>, unit_bytes: u64, at_least: usize) -> Self {
        let bytes: u64 = files.iter().map(PartitionedFile::effective_size).sum();
        let at_least = at_least.max(1) as u64;
        let units = bytes.div_ceil(unit_bytes.max(1)).max(at_least);
        // As many units run side by side as there were partitions, and none should wait for a last one alone.
        let units = units.div_ceil(at_least).saturating_mul(at_least);
        Self { files, bytes, units, side_by_side: at_least }
    }

    /// The files, and where each begins. Those without a byte have nothing to read.
    fn placed(&self) -> impl Iterator<Item = (u64, &PartitionedFile)> {
        let mut end = 0;
        self.files.iter().filter(|file| file.effective_size() > 0).map(move |file| {
            let start = end;
            end += file.effective_size();
            (start, file)
        })
    }

    /// Where one of the cuts into `units` would be if any byte could be the first of a unit.
    fn even(&self, cut: u128, units: u64) -> u64 {
        let at = u128::from(self.bytes) * cut / u128::from(units);
        u64::try_from(at).unwrap_or(self.bytes)
    }

    /// The even cuts within a file that begins at `start`, counted from there.
    fn within(&self, start: u64, file: &PartitionedFile) -> impl Iterator<Item = u64> {
        let units = u128::from(self.units);
        let first = ((u128::from(start) + 1) * units).div_ceil(u128::from(self.bytes.max(1)));
        let size = file.effective_size();
        (first..units).map(move |cut| self.even(cut, self.units) - start).take_while(move |at| *at < size)
    }

    /// The files that an even cut falls into.
    fn torn(&self) -> impl Iterator<Item = &PartitionedFile> {
        self.placed().filter(|(start, file)| self.within(*start, file).next().is_some()).map(|(_, file)| file)
    }

    /// The parts of the files, in their order, and where each begins.
    fn parts(&self, starts: &Starts) -> Vec<(u64, Part<'_>)> {
        let mut parts = Vec::new();
        for (place, file) in self.placed() {
            let (first, last) = file.range();
            let (inner, rows): (BTreeSet<u64>, bool) = match starts.get(&file.object_meta.location) {
                Some(Some(starts)) => {
                    let own = starts.range(first..last);
                    (own.clone().skip(1).copied().collect(), own.count() > 0)
                }
                // Reading the file tells what is wrong with it.
                Some(None) => (self.within(place, file).map(|at| first + at).collect(), true),
                None => (BTreeSet::new(), may_hold_rows(file)),
            };
            let mut start = first;
            for end in inner.into_iter().chain([last]) {
                parts.push((place + start - first, Part { file, start, end, rows }));
                start = end;
            }
        }
        parts
    }

    /// The files in one group a unit: cut where parts begin, next to the even cuts.
    fn cut(&self, starts: &Starts) -> Vec<FileGroup> {
        let parts = self.parts(starts);
        // Every unit begins with a part that has rows.
        let with_rows = parts.iter().enumerate().filter(|(_, (_, part))| part.rows).skip(1);
        let (indexes, places): (Vec<usize>, Vec<u64>) =
            with_rows.map(|(index, (place, _))| (index, *place)).unzip();
        let chosen = self.nearest(&places, self.even_units(&places));
        let mut begins = chosen.into_iter().filter_map(|chosen| indexes.get(chosen)).peekable();
        let mut groups: Vec<Vec<Part<'_>>> = vec![vec![]];
        for (index, (_, part)) in parts.iter().enumerate() {
            if begins.next_if_eq(&&index).is_some() {
                groups.push(vec![]);
            }
            let Some(group) = groups.last_mut() else { continue };
            match group.last_mut() {
                Some(before) if std::ptr::eq(before.file, part.file) => before.end = part.end,
                _ => group.push(*part),
            }
        }
        let group = |parts: Vec<Part<'_>>| FileGroup::new(parts.into_iter().map(Part::to_file).collect());
        groups.into_iter().map(group).collect()
    }

    /// How many units to cut into: more than asked for where that makes them more even. Six row groups in four units would be one,
    /// two, one and two: whoever writes or reads them side by side waits for the last one.
    fn even_units(&self, places: &[u64]) -> u64 {
        let more = (0..TRIED).map(|more| self.units.saturating_add(self.side_by_side.saturating_mul(more)));
        let tried = more
            .take_while(|units| *units / 2 <= self.units)
            .map(|units| (units, self.longest(places, units)));
        let tried: Vec<(u64, u64)> = tried.collect();
        let best = tried.iter().map(|(_, longest)| *longest).min().unwrap_or_default();
        let good_enough = best.saturating_add(best / 20);
        tried.iter().find(|(_, longest)| *longest <= good_enough).map_or(self.units, |(units, _)| *units)
    }

    /// The bytes that one of those side by side has to do if all of them do units as large as the largest.
    fn longest(&self, places: &[u64], units: u64) -> u64 {
        let chosen = self.nearest(places, units);
        let ends = chosen.iter().filter_map(|index| places.get(*index)).copied().chain([self.bytes]);
        let (mut begin, mut largest) = (0, 0);
        for end in ends {
            largest = largest.max(end - begin);
            begin = end;
        }
        (chosen.len() as u64 + 1).div_ceil(self.side_by_side).saturating_mul(largest)
    }

    /// Which of the places, which ascend, are nearest to the even cuts. No two cuts share one, and each has one where there are enough.
    fn nearest(&self, places: &[u64], units: u64) -> Vec<usize> {
        let wanted = usize::try_from(units - 1).unwrap_or(usize::MAX);
        if wanted >= places.len() {
            return (0..places.len()).collect();
        }
        let mut first = 0;
        let nearest = (1..=wanted).map(|cut| {
            // The cuts that come after this one need places, too.
            let last = places.len() - 1 - (wanted - cut);
            let even = self.even(cut as u128, units);
            let after = places.partition_point(|place| *place < even);
            let distance = |index: usize| places.get(index).map_or(u64::MAX, |place| place.abs_diff(even));
            let before = after.saturating_sub(1);
            let chosen = if distance(before) <= distance(after) { before } else { after };
            let chosen = chosen.clamp(first, last);
            first = chosen + 1;
            chosen
        });
        nearest.collect()
    }
}

impl Part<'_> {
    fn to_file(self) -> PartitionedFile {
        let whole = self.start == 0 && self.end == self.file.object_meta.size;
        let range = (!whole).then_some(FileRange { start: self.start as i64, end: self.end as i64 });
        PartitionedFile { range, ..self.file.clone() }
    }
}

fn may_hold_rows(file: &PartitionedFile) -> bool {
    file.statistics.as_ref().is_none_or(|statistics| statistics.num_rows != Precision::Exact(0))
}

/// Looks where row groups begin in files of a scan.
async fn read_starts(files: Vec<&PartitionedFile>, scan: &FileScanConfig, context: &TaskContext) -> Starts {
    let runtime = context.runtime_env();
    let Ok(store) = runtime.object_store(&scan.object_store_url) else {
        return files.into_iter().map(|file| (file.object_meta.location.clone(), None)).collect();
    };
    // Whoever reads snapshots has checked footers of their own.
    let is_snapshot = scan.object_store_url.as_str().starts_with(STORE_SCHEME);
    let cache = (!is_snapshot).then(|| runtime.cache_manager.get_file_metadata_cache());
    let usual_hint = context.session_config().options().execution.parquet.metadata_size_hint;
    let read = |file: &PartitionedFile| {
        let (store, cache) = (Arc::clone(&store), cache.clone());
        let (meta, hint) = (file.object_meta.clone(), file.metadata_size_hint.or(usual_hint));
        async move {
            let footer = DFParquetMetadata::new(store.as_ref(), &meta)
                .with_metadata_size_hint(hint)
                .with_file_metadata_cache(cache)
                .fetch_metadata()
                .await;
            let starts = footer.ok().map(|footer| row_group_starts(&footer, meta.size));
            (meta.location, starts)
        }
    };
    let reads: Vec<_> = files.into_iter().map(read).collect();
    futures::stream::iter(reads).buffer_unordered(FOOTERS).collect().await
}

/// Where the row groups with rows begin, by the page that a scan looks at to tell whether a row group belongs to its range.
fn row_group_starts(footer: &ParquetMetaData, size: u64) -> BTreeSet<u64> {
    let mut starts = BTreeSet::new();
    for group in footer.row_groups() {
        let page = group
            .columns()
            .first()
            .map(|chunk| chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset()));
        match page.and_then(|page| u64::try_from(page).ok()).filter(|page| *page < size) {
            Some(start) if group.num_rows() > 0 => _ = starts.insert(start),
            Some(_) => {}
            // No range would hold this one: only a file that is read whole has all of its rows.
            None => return BTreeSet::from([0]),
        }
    }
    starts
}

/// Sorted groups as they were before DataFusion dealt the parts of a file out to several of them, each with how many it is now. A
/// part that shares its group with other files stays where it is: what follows it there need not follow all of its file.
fn put_together(groups: Vec<FileGroup>) -> Vec<(Vec<PartitionedFile>, usize)> {
    let is_alone = |group: &FileGroup| group.len() == 1 || group.iter().all(|file| file.range.is_none());
    let all_alone = groups.iter().all(is_alone);
    let mut together: Vec<(Vec<PartitionedFile>, usize)> = Vec::new();
    let mut known: BTreeMap<Path, usize> = BTreeMap::new();
    for group in groups {
        let mut files = group.into_inner();
        if let [part] = files.as_mut_slice()
            && all_alone
            && part.range.take().is_some()
        {
            let path = part.object_meta.location.clone();
            let index = *known.entry(path).or_insert(together.len());
            if let Some((_, parts)) = together.get_mut(index) {
                *parts += 1;
                continue;
            }
        }
        together.push((files, 1));
    }
    together
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

    fn sequence(sizes: &[(&str, u64)], unit_bytes: u64, at_least: usize) -> Sequence {
        let files = sizes.iter().map(|(path, size)| file(path, *size)).collect();
        Sequence::new(files, unit_bytes, at_least)
    }

    fn starts(of: &[(&str, Option<&[u64]>)]) -> Starts {
        let set = |starts: &[u64]| starts.iter().copied().collect();
        of.iter().map(|(path, starts)| (Path::from(*path), starts.map(set))).collect()
    }

    /// The groups in short: `a 4-20 b, b 10-30`. A whole file has no range.
    fn shown(groups: &[FileGroup]) -> Vec<String> {
        let piece = |file: &PartitionedFile| match &file.range {
            Some(range) => format!("{} {}-{}", file.object_meta.location, range.start, range.end),
            None => file.object_meta.location.to_string(),
        };
        groups.iter().map(|group| group.iter().map(piece).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn cuts_fall_where_row_groups_begin() {
        let one = sequence(&[("a", 100)], 50, 1);
        assert_eq!(shown(&one.cut(&starts(&[("a", Some(&[4, 30, 60, 90]))]))), ["a 0-60", "a 60-100"]);
        assert_eq!(shown(&one.cut(&starts(&[("a", Some(&[4, 45, 60]))]))), ["a 0-45", "a 45-100"]);
        assert_eq!(shown(&one.cut(&starts(&[("a", Some(&[4]))]))), ["a"], "one row group");
        assert_eq!(shown(&one.cut(&starts(&[("a", Some(&[]))]))), ["a"], "no rows");
        let two = sequence(&[("b", 90), ("a", 110)], 100, 1);
        let of_two = starts(&[("b", Some(&[4])), ("a", Some(&[4, 80]))]);
        assert_eq!(shown(&two.cut(&of_two)), ["b", "a"], "in their order");
    }

    /// Two files of one row group and one size: neither of two threads gets both.
    #[test]
    fn files_of_one_row_group_are_dealt_out() {
        let equal = sequence(&[("a", 100), ("b", 100)], 1 << 20, 2);
        assert_eq!(equal.torn().count(), 0, "no footer is read");
        assert_eq!(shown(&equal.cut(&Starts::new())), ["a", "b"]);
        let unequal = sequence(&[("a", 90), ("b", 100), ("c", 3)], 1 << 20, 2);
        assert_eq!(unequal.torn().map(|file| file.object_meta.location.as_ref()).collect::<Vec<_>>(), ["b"]);
        assert_eq!(shown(&unequal.cut(&starts(&[("b", Some(&[4]))]))), ["a", "b c"]);
    }

    #[test]
    fn there_are_as_many_units_as_asked_if_there_are_row_groups_for_them() {
        // Most row groups are small and stand at the end.
        let skewed: &[u64] = &[4, 900, 910, 920, 930, 940, 950, 960, 970, 980];
        let row_groups = starts(&[("a", Some(skewed))]);
        for (unit_bytes, at_least, units) in
            [(1000, 1, 1), (500, 1, 2), (250, 1, 4), (250, 3, 6), (2000, 3, 3), (150, 2, 8), (1, 4, 10)]
        {
            let groups = sequence(&[("a", 1000)], unit_bytes, at_least).cut(&row_groups);
            assert_eq!(groups.len(), units, "{unit_bytes} {at_least}: {:?}", shown(&groups));
            whole_files(&groups).unwrap();
            for range in groups.iter().flat_map(FileGroup::iter).map(PartitionedFile::range) {
                let has_rows = skewed.iter().any(|start| (range.0..range.1).contains(start));
                assert!(has_rows, "{unit_bytes} {at_least}: {:?}", shown(&groups));
            }
        }
    }

    #[test]
    fn even_row_groups_make_even_units() {
        let row_groups: Vec<u64> = (0..24).map(|group| 4 + group * 100).collect();
        let row_groups = starts(&[("a", Some(&row_groups))]);
        for (unit_bytes, side_by_side, units, row_groups_each) in [
            (300, 3, 12, 2),
            (900, 3, 3, 8),
            (1000, 4, 4, 6),
            (700, 2, 4, 6),
            (430, 2, 6, 4),
            (130, 2, 24, 1),
        ] {
            let groups = sequence(&[("a", 2_404)], unit_bytes, side_by_side).cut(&row_groups);
            assert_eq!(groups.len(), units, "{unit_bytes} {side_by_side}");
            for group in &groups {
                let bytes: u64 = group.iter().map(PartitionedFile::effective_size).sum();
                assert!(bytes.abs_diff(row_groups_each * 100) <= 4, "{:?}", shown(&groups));
            }
        }
        // 49 row groups in 4 units are even enough.
        let many: Vec<u64> = (0..49).map(|group| 4 + group * 100).collect();
        let groups = sequence(&[("a", 4_904)], 1_300, 2).cut(&starts(&[("a", Some(&many))]));
        assert_eq!(groups.len(), 4);
    }

    /// A file whose footer cannot be read is cut evenly; the scan of it says what is wrong.
    #[test]
    fn a_file_without_a_readable_footer_is_cut_all_the_same() {
        let cut = sequence(&[("a", 100), ("b", 60)], 40, 1).cut(&starts(&[("a", None), ("b", Some(&[4]))]));
        assert_eq!(shown(&cut), ["a 0-40", "a 40-80", "a 80-100", "b"]);
    }

    /// DataFusion deals large files out in parts. Those of a sorted one must be read once all the same, and cut elsewhere.
    #[test]
    fn sorted_groups_keep_their_order_and_every_byte() {
        let cut = |groups: Vec<Vec<PartitionedFile>>, unit_bytes, starts: &Starts| {
            let groups: Vec<FileGroup> = groups.into_iter().map(FileGroup::new).collect();
            whole_files(&groups).unwrap();
            let together = put_together(groups).into_iter();
            let cut: Vec<FileGroup> = together
                .flat_map(|(files, at_least)| Sequence::new(files, unit_bytes, at_least).cut(starts))
                .collect();
            whole_files(&cut).unwrap();
            shown(&cut)
        };
        let a = |start, end| ranged("a", 100, start, end);
        let of_a = starts(&[("a", Some(&[4, 50, 70]))]);
        let split = vec![vec![a(0, 40)], vec![file("b", 10), file("c", 10)], vec![a(40, 100)]];
        assert_eq!(cut(split, 1 << 20, &of_a), ["a 0-50", "a 50-100", "b c"]);
        let mixed = vec![vec![a(0, 60), file("b", 10)], vec![a(60, 100)]];
        assert_eq!(cut(mixed, 40, &of_a), ["a 0-50", "a 50-60 b", "a 60-100"]);
        let even = vec![vec![a(0, 60), file("b", 10)], vec![a(60, 100)]];
        assert_eq!(
            cut(even, 20, &starts(&[("a", None)])),
            ["a 0-17", "a 17-35", "a 35-52", "a 52-60 b", "a 60-80", "a 80-100"]
        );
        let whole = vec![vec![file("a", 10)], vec![file("b", 10)]];
        assert_eq!(cut(whole, 1 << 20, &Starts::new()), ["a", "b"]);
    }

    #[test]
    fn files_without_rows_make_no_unit_of_their_own() {
        let files = sequence(&[("empty", 10), ("a", 100), ("nothing", 0), ("none", 10), ("b", 100)], 1, 1);
        let of_files =
            starts(&[("empty", Some(&[])), ("a", Some(&[4, 50])), ("none", Some(&[])), ("b", Some(&[4]))]);
        assert_eq!(shown(&files.cut(&of_files)), ["empty a 0-50", "a 50-100 none", "b"]);
        assert_eq!(sequence(&[], 1, 0).cut(&Starts::new()).len(), 1);
    }

    /// Ranges that tile a file read each of its row groups once, one each if cut so.
    #[test]
    fn row_groups_begin_where_a_scan_says() {
        use datafusion::datasource::physical_plan::parquet::{ParquetAccessPlan, RowGroupAccessPlanFilter};
        use parquet::file::metadata::ParquetMetaDataReader;

        let numbers: arrow::array::ArrayRef =
            Arc::new(arrow::array::Int64Array::from_iter_values((0..300).map(|n| n % 50)));
        let batch = arrow::array::RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let properties = parquet::file::properties::WriterProperties::builder()
            .set_max_row_group_row_count(Some(100))
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            parquet::arrow::ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let size = bytes.len() as u64;
        let footer = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(bytes)).unwrap();
        let found = row_group_starts(&footer, size);
        assert_eq!(found.len(), 3);
        let of_file = Starts::from([(Path::from("a"), Some(found))]);
        let groups = sequence(&[("a", size)], 1, 1).cut(&of_file);
        let read: Vec<Vec<usize>> = groups
            .iter()
            .map(|group| {
                let mut filter = RowGroupAccessPlanFilter::new(ParquetAccessPlan::new_all(3));
                filter.prune_by_range(footer.row_groups(), group.files()[0].range.as_ref().unwrap());
                filter.build().row_group_indexes()
            })
            .collect();
        assert_eq!(read, [[0], [1], [2]]);
        // A footer that says that a row group begins behind the end of the file.
        assert_eq!(row_group_starts(&footer, 10), BTreeSet::from([0]));
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
