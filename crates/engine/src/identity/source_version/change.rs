//! What changed between two versions of the sources, in words.

use std::collections::BTreeMap;

use chrono::DateTime;
use milepost_store::manifest::{SourceObject, SourceVersion};

/// More files than this are counted and not named.
const NAMED_FILES: usize = 10;

/// One difference between an earlier version of the sources and a later one. The text is for people and names the
/// source.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum SourceChange {
    /// Something was added, and all that was there is as it was: what was computed was right, and is stale now.
    Added(String),
    /// Something that was read is not what it was.
    Changed(String),
    /// Something that was read is gone.
    Removed(String),
    /// One of the two versions is unknown, so nothing can be said.
    Unknown(String),
}

impl SourceChange {
    /// What changed, in a sentence without a full stop.
    pub fn text(&self) -> &str {
        match self {
            Self::Added(text) | Self::Changed(text) | Self::Removed(text) | Self::Unknown(text) => text,
        }
    }

    /// Whether all that was read before is still there as it was.
    pub fn is_addition(&self) -> bool {
        matches!(self, Self::Added(_))
    }
}

/// Says what changed in one source, one line for each change:
/// `lineitem: file a.parquet changed (size 10 -> 12, modified 2026-01-01T00:00:00Z -> 2026-01-02T00:00:00Z)`.
#[must_use]
pub fn describe_change(old: &SourceVersion, new: &SourceVersion) -> Vec<String> {
    changes_of(old, new).into_iter().map(|change| change.text().to_owned()).collect()
}

/// What changed between the versions of a plan's sources at two moments.
///
/// Sources are paired by name and kind, in order. A source that only one side has counts as removed or changed.
#[must_use]
pub fn source_changes(old: &[SourceVersion], new: &[SourceVersion]) -> Vec<SourceChange> {
    let mut unmatched: Vec<&SourceVersion> = new.iter().collect();
    let mut changes = Vec::new();
    for source in old {
        let same = |other: &&SourceVersion| other.name == source.name && other.kind == source.kind;
        match unmatched.iter().position(same) {
            Some(at) => changes.extend(changes_of(source, unmatched.remove(at))),
            None => changes.push(SourceChange::Removed(format!("{}: is not read any more", source.name))),
        }
    }
    changes.extend(
        unmatched.into_iter().map(|source| SourceChange::Changed(format!("{}: is read now", source.name))),
    );
    changes
}

fn changes_of(old: &SourceVersion, new: &SourceVersion) -> Vec<SourceChange> {
    let name = &new.name;
    let (Some(old_digest), Some(new_digest)) = (&old.digest, &new.digest) else {
        let note = new.note.as_ref().or(old.note.as_ref()).map_or("its version is unknown", String::as_str);
        return vec![SourceChange::Unknown(format!("{name}: {note}"))];
    };
    if old_digest == new_digest {
        return Vec::new();
    }
    let changes = file_changes(name, old, new);
    if changes.is_empty() {
        vec![SourceChange::Changed(format!("{name}: its rows changed"))]
    } else {
        changes
    }
}

fn file_changes(name: &str, old: &SourceVersion, new: &SourceVersion) -> Vec<SourceChange> {
    let strip = common_directory(old.objects.iter().chain(&new.objects));
    let short = |object: &SourceObject| object.path.get(strip..).unwrap_or(&object.path).to_owned();
    let by_path = |version: &SourceVersion| -> BTreeMap<String, SourceObject> {
        version.objects.iter().map(|object| (object.path.clone(), object.clone())).collect()
    };
    let (before, after) = (by_path(old), by_path(new));
    let changed =
        before.iter().filter_map(|(path, was)| Some((was, after.get(path)?))).filter(|(was, is)| was != is);
    let changed = changed.map(|(was, is)| (short(is), Some(difference(was, is)))).collect();
    let removed =
        before.values().filter(|was| !after.contains_key(&was.path)).map(|was| (short(was), None)).collect();
    let added =
        after.values().filter(|is| !before.contains_key(&is.path)).map(|is| (short(is), None)).collect();
    [
        (SourceChange::Changed as fn(String) -> SourceChange, "changed", changed),
        (SourceChange::Removed, "removed", removed),
        (SourceChange::Added, "added", added),
    ]
    .into_iter()
    .flat_map(|(kind, verb, files)| lines(name, verb, files).into_iter().map(kind))
    .collect()
}

fn lines(name: &str, verb: &str, files: Vec<(String, Option<String>)>) -> Vec<String> {
    let more = files.len().saturating_sub(NAMED_FILES);
    let mut lines: Vec<String> = files
        .into_iter()
        .take(NAMED_FILES)
        .map(|(file, how)| {
            format!("{name}: file {file} {verb}{}", how.map(|how| format!(" ({how})")).unwrap_or_default())
        })
        .collect();
    if more > 0 {
        lines.push(format!("{name}: {more} more files {verb}"));
    }
    lines
}

fn difference(was: &SourceObject, is: &SourceObject) -> String {
    let mut parts = Vec::new();
    if was.size != is.size {
        parts.push(format!("size {} -> {}", was.size, is.size));
    }
    if was.mtime_ns != is.mtime_ns {
        parts.push(format!("modified {} -> {}", time(was.mtime_ns), time(is.mtime_ns)));
    }
    if parts.is_empty() && was.inode != is.inode {
        parts.push("replaced by another file of the same size and time".to_owned());
    }
    if parts.is_empty() && was.ctime_ns != is.ctime_ns {
        parts.push(format!("written at {} with its old size and time", time(is.ctime_ns)));
    }
    if parts.is_empty() {
        parts.push("another version of the object".to_owned());
    }
    parts.join(", ")
}

fn time(nanoseconds: Option<i64>) -> String {
    nanoseconds.map_or_else(
        || "unknown".to_owned(),
        |ns| DateTime::from_timestamp_nanos(ns).to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    )
}

/// The length of the path up to the last directory that all files share.
fn common_directory<'a>(mut objects: impl Iterator<Item = &'a SourceObject>) -> usize {
    let Some(first) = objects.next().map(|object| object.path.as_str()) else { return 0 };
    let shared = objects.fold(first.len(), |shared, object| {
        let same = first.bytes().zip(object.path.bytes()).take_while(|(a, b)| a == b).count();
        shared.min(same)
    });
    let end = first.len().min(shared);
    first.as_bytes()[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1)
}
