//! Named rules that hold for everything in a log. They run before each publish: what breaks one stays out.

use std::collections::{HashMap, HashSet};

use crate::error::Error;
use crate::ids::{AttemptId, Slot};
use crate::layout;
use crate::log::LogState;
use crate::manifest::{DataFile, Manifest};
use crate::receipt::Receipt;

/// Rules about a manifest by itself.
pub(crate) fn check_manifest(manifest: &Manifest) -> Result<(), Error> {
    totals_are_sums(manifest)?;
    files_lie_below_attempts(manifest)?;
    no_file_twice(manifest)?;
    no_unit_twice(manifest)?;
    statistics_fit_columns(manifest)?;
    columns_exist(manifest)?;
    buckets_hold_their_files(manifest)
}

/// Rules about a commit that follows `before` and makes `after` in `slot`.
pub(crate) fn check_commit(
    before: &LogState,
    after: &LogState,
    slot: Slot,
    attempt: AttemptId,
) -> Result<(), Error> {
    version_follows(before, after, slot, attempt)?;
    live_versions_rise(after, slot)
}

fn totals_are_sums(manifest: &Manifest) -> Result<(), Error> {
    const NAME: &str = "totals are the sums over all files";
    let sums = [
        ("rows", manifest.rows, manifest.files.iter().map(|file| file.rows).sum::<u64>()),
        ("bytes", manifest.bytes, manifest.files.iter().map(|file| file.size).sum()),
        ("content rows", manifest.rows, manifest.files.iter().map(|file| file.content.rows).sum()),
    ];
    match sums.iter().find(|(_, total, sum)| total != sum) {
        Some((what, total, sum)) => {
            Err(Error::invariant(NAME, format!("{what}: {total}, the files have {sum}")))
        }
        None => Ok(()),
    }
}

fn files_lie_below_attempts(manifest: &Manifest) -> Result<(), Error> {
    const NAME: &str = "files lie below the checkpoint's own attempts";
    match manifest.files.iter().find(|file| layout::owner_of(&file.path).is_none()) {
        Some(file) => Err(Error::invariant(NAME, file.path.clone())),
        None => Ok(()),
    }
}

fn no_file_twice(manifest: &Manifest) -> Result<(), Error> {
    let mut seen = HashSet::new();
    match manifest.files.iter().find(|file| !seen.insert(&file.path)) {
        Some(file) => Err(Error::invariant("no file is named twice", file.path.clone())),
        None => Ok(()),
    }
}

fn no_unit_twice(manifest: &Manifest) -> Result<(), Error> {
    let mut owners = HashMap::new();
    for file in &manifest.files {
        let owner = layout::owner_of(&file.path);
        if *owners.entry(file.unit).or_insert(owner) != owner {
            let detail = format!("unit {} is there from two attempts", file.unit);
            return Err(Error::invariant("a unit's rows come from one attempt", detail));
        }
    }
    Ok(())
}

fn statistics_fit_columns(manifest: &Manifest) -> Result<(), Error> {
    const NAME: &str = "statistics have one entry for each column";
    let width = manifest.schema.fields().len();
    if manifest.statistics.len() != width {
        let detail = format!("{} for {width} columns", manifest.statistics.len());
        return Err(Error::invariant(NAME, detail));
    }
    match manifest.files.iter().find(|file| file.statistics.len() != width) {
        Some(file) => Err(Error::invariant(NAME, file.path.clone())),
        None => Ok(()),
    }
}

fn columns_exist(manifest: &Manifest) -> Result<(), Error> {
    let width = manifest.schema.fields().len();
    match manifest.ordering.iter().find(|field| field.column >= width) {
        Some(field) => {
            Err(Error::invariant("the order is by columns that exist", format!("{}", field.column)))
        }
        None => Ok(()),
    }
}

fn buckets_hold_their_files(manifest: &Manifest) -> Result<(), Error> {
    const NAME: &str = "every file with rows is in a bucket that exists, by columns that exist";
    let Some(partitioning) = &manifest.partitioning else { return Ok(()) };
    let width = manifest.schema.fields().len();
    let columns = &partitioning.columns;
    if columns.is_empty() || columns.iter().any(|column| *column >= width) {
        return Err(Error::invariant(NAME, format!("columns {columns:?} of {width}")));
    }
    let astray =
        |file: &&DataFile| file.bucket.map_or(file.rows > 0, |bucket| bucket >= partitioning.buckets);
    match manifest.files.iter().find(astray) {
        Some(file) => Err(Error::invariant(NAME, file.path.clone())),
        None => Ok(()),
    }
}

fn version_follows(before: &LogState, after: &LogState, slot: Slot, attempt: AttemptId) -> Result<(), Error> {
    const NAME: &str = "a version is the last one ever plus one";
    let next = before.last_version.next();
    let newest = after.newest().map(|live| (live.version, live.slot, live.attempt));
    if after.last_version == next && newest == Some((next, slot, attempt)) {
        return Ok(());
    }
    Err(Error::invariant(NAME, format!("{newest:?} after version {}", before.last_version)))
}

fn live_versions_rise(after: &LogState, slot: Slot) -> Result<(), Error> {
    const NAME: &str = "live versions and their slots rise";
    let rises =
        after.live.windows(2).all(|pair| pair[0].version < pair[1].version && pair[0].slot < pair[1].slot);
    let ends = after.live.last().is_none_or(|last| last.version <= after.last_version && last.slot <= slot);
    if rises && ends { Ok(()) } else { Err(Error::invariant(NAME, format!("{:?}", after.live))) }
}

/// Rules about a manifest and the stored receipt of one of its units: the receipt decides which files a unit has.
pub(crate) fn check_receipt(manifest: &Manifest, receipt: &Receipt) -> Result<(), Error> {
    if receipt.signature != manifest.identity.signature {
        let Receipt { unit, attempt, signature, .. } = receipt;
        let detail = format!("unit {unit} of attempt {attempt} has {signature}");
        return Err(Error::invariant("units have the signature of their snapshot", detail));
    }
    const NAME: &str = "a unit's files are those of its stored receipt";
    let named: Vec<_> = manifest
        .files
        .iter()
        .filter(|file| file.unit == receipt.unit && layout::owner_of(&file.path) == Some(receipt.attempt))
        .collect();
    let same = named.len() == receipt.files.len()
        && named.iter().all(|file| {
            receipt.files.iter().any(|stored| stored.clone().settled() == (*file).clone().settled())
        });
    if same {
        return Ok(());
    }
    let detail = format!(
        "unit {} of attempt {}: {} files of the manifest, {} of the receipt",
        receipt.unit,
        receipt.attempt,
        named.len(),
        receipt.files.len()
    );
    Err(Error::invariant(NAME, detail))
}
