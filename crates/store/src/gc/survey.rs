//! What lies in a checkpoint's directory.

use std::collections::{BTreeMap, HashSet};

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};

use super::{StoreTime, UnknownObject};
use crate::error::Error;
use crate::ids::{AttemptId, CheckpointName, Slot};
use crate::layout::{self, AttemptObject};
use crate::local::Leftover;
use crate::store::Inner;

/// Everything in a checkpoint's directory, by one listing.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// When each log entry was written.
    pub(super) entries: BTreeMap<Slot, StoreTime>,
    pub(super) attempts: BTreeMap<AttemptId, Directory>,
    pub(super) unknown: Vec<UnknownObject>,
    relative: HashSet<String>,
}

/// An attempt's directory.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) objects: Vec<Found>,
    /// On a local disk: files that are being written, or never were to their end.
    pub(super) temporaries: Vec<Leftover>,
    /// Whether something is in it that is none of ours.
    pub(super) has_unknown: bool,
}

/// One of our objects.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) kind: AttemptObject,
    /// Path relative to the checkpoint's directory.
    pub(super) relative: String,
    pub(super) meta: ObjectMeta,
}

impl Survey {
    /// Lists the directory.
    ///
    /// # Errors
    /// [`Error::ForeignObject`] if there is something in the log that is no entry.
    pub(super) async fn take(inner: &Inner, name: &CheckpointName) -> Result<Self, Error> {
        let directory = inner.layout.checkpoint(name);
        let mut listed = inner.objects.list(Some(&directory));
        let mut survey = Self::default();
        let failed = |source| Error::storage("list", &directory, source);
        while let Some(meta) = listed.try_next().await.map_err(failed)? {
            let parts: Option<Vec<String>> = meta
                .location
                .prefix_match(&directory)
                .map(|parts| parts.map(|part| part.as_ref().to_owned()).collect());
            survey.add(&parts.unwrap_or_default(), meta)?;
        }
        survey.unknown.sort_by(|a, b| a.object.cmp(&b.object));
        survey.add_temporaries(inner, name).await?;
        Ok(survey)
    }

    /// Temporary files, which no listing shows.
    async fn add_temporaries(&mut self, inner: &Inner, name: &CheckpointName) -> Result<(), Error> {
        let Some(disk) = &inner.local else { return Ok(()) };
        let attempts = inner.layout.attempts(name);
        let found = disk.temporaries(&attempts).await;
        for temporary in found.map_err(|source| Error::storage("list", &attempts, source))? {
            let directory = temporary.path.parent().and_then(|parent| parent.file_name()?.to_str());
            if let Some(attempt) = directory.and_then(layout::parse_attempt_name) {
                self.attempts.entry(attempt).or_default().temporaries.push(temporary);
            }
        }
        Ok(())
    }

    /// Whether an object was there, by its path relative to the checkpoint's directory.
    pub(super) fn has(&self, relative: &str) -> bool {
        self.relative.contains(relative)
    }

    fn add(&mut self, parts: &[String], meta: ObjectMeta) -> Result<(), Error> {
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts[..] {
            ["tail"] => {}
            ["log", name] => {
                let slot = layout::parse_entry_name(name).ok_or_else(|| foreign_entry(&meta))?;
                self.entries.insert(slot, StoreTime::of(&meta));
            }
            ["log", ..] => return Err(foreign_entry(&meta)),
            ["attempts", attempt, ref rest @ ..] if !rest.is_empty() => match layout::parse_ulid(attempt) {
                Some(id) => self.add_to_attempt(AttemptId(id), rest, parts.join("/"), meta),
                None => self.add_unknown(&meta),
            },
            _ => self.add_unknown(&meta),
        }
        Ok(())
    }

    fn add_to_attempt(&mut self, attempt: AttemptId, rest: &[&str], relative: String, meta: ObjectMeta) {
        let kind = match rest {
            [name] => layout::parse_attempt_object(name),
            _ => None,
        };
        let directory = self.attempts.entry(attempt).or_default();
        match kind {
            Some(kind) => {
                self.relative.insert(relative.clone());
                directory.objects.push(Found { kind, relative, meta });
            }
            None => {
                directory.has_unknown = true;
                self.add_unknown(&meta);
            }
        }
    }

    fn add_unknown(&mut self, meta: &ObjectMeta) {
        self.unknown.push(UnknownObject::of(meta));
    }
}

impl Directory {
    /// The last sign that somebody is at work: the heartbeat, or anything else of ours that was written later.
    pub(super) fn last_sign(&self) -> Option<StoreTime> {
        let objects = self.objects.iter().map(|found| StoreTime::of(&found.meta));
        let temporaries = self.temporaries.iter().map(|found| StoreTime::of_system(found.written));
        objects.chain(temporaries).max()
    }

    pub(super) fn has_record(&self) -> bool {
        self.objects.iter().any(|found| found.kind == AttemptObject::Record)
    }
}

fn foreign_entry(meta: &ObjectMeta) -> Error {
    Error::ForeignObject {
        object: meta.location.to_string(),
        detail: "it is not the name of a log entry".to_owned(),
    }
}
