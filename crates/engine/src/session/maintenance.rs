//! VERIFY and VACUUM, and what programs need for them.

use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::DateTime;
use datafusion::common::Result;
use milepost_store::gc::{AbandonReason, CheckpointGarbage, DropReason, KeptReason, StoreTime};
use milepost_store::{CheckpointName, Version};

pub use milepost_store::verify::Progress;
pub use milepost_store::{GcOptions, GcReport, VerifyOptions, VerifyProgress, VerifyReport};

use super::Session;
use super::rows::batch;
use crate::columns::{numbers, texts};
use crate::context::settings;
use crate::error::store_error;

impl Session {
    /// Reads everything that readers of the snapshots rely on, and names whatever is not what was written.
    ///
    /// # Errors
    /// The store cannot be listed, or there is no such checkpoint or version. Damage is no error: it is in the report.
    pub async fn verify(&self, options: VerifyOptions) -> Result<VerifyReport> {
        if let Some(name) = &options.name {
            self.snapshot(name, options.version).await.map(|_| ()).or_else(|error| {
                // A log that cannot be read is what the verification is for.
                let damage = crate::Error::find(&error).is_some_and(crate::Error::is_damage);
                if damage { Ok(()) } else { Err(error) }
            })?;
        }
        self.store().verify(options).await.map_err(store_error)
    }

    /// Drops the versions that are too many or too old by the session's settings or their own, and deletes what nothing can
    /// need any more.
    ///
    /// # Errors
    /// The store cannot be listed or written. What stops the collection at one checkpoint is in the report.
    pub async fn vacuum(&self, options: GcOptions) -> Result<GcReport> {
        let report = self.store().collect_garbage(options).await.map_err(store_error)?;
        self.checkpoint_names().await;
        Ok(report)
    }

    /// How the session's settings want garbage collected.
    pub fn gc_options(&self) -> GcOptions {
        let config = settings(&self.context.state());
        GcOptions { keep_versions: Some(config.keep_versions), ttl: config.ttl, ..GcOptions::default() }
    }

    pub(super) async fn verify_statement(
        &self,
        name: Option<&CheckpointName>,
        version: Option<Version>,
    ) -> Result<RecordBatch> {
        let options = VerifyOptions { name: name.cloned(), version, ..VerifyOptions::default() };
        verification_rows(&self.verify(options).await?)
    }

    pub(super) async fn vacuum_statement(&self, dry_run: bool) -> Result<RecordBatch> {
        garbage_rows(&self.vacuum(GcOptions { dry_run, ..self.gc_options() }).await?)
    }
}

/// One row for each object that is not what was written, and one that says what was looked at.
pub fn verification_rows(report: &VerifyReport) -> Result<RecordBatch> {
    let found = || report.findings.iter();
    let checked = &report.checked;
    let summary = format!(
        "{} checkpoints, {} jobs, {} log entries, {} snapshots, {} receipts, {} data files, {} bytes",
        checked.checkpoints,
        checked.jobs,
        checked.entries,
        checked.snapshots,
        checked.receipts,
        checked.data_files,
        report.bytes_read
    );
    let end = |text: &str| std::iter::once(Some(text.to_string()));
    let verdict = if report.is_sound() { "sound" } else { "damaged" };
    let none = || std::iter::once(None);
    let versions = |versions: &[Version]| {
        let shown: Vec<String> = versions.iter().map(ToString::to_string).collect();
        (!shown.is_empty()).then(|| shown.join(", "))
    };
    batch(vec![
        ("checkpoint", texts(found().map(|f| f.checkpoint.as_ref().map(ToString::to_string)).chain(none()))),
        ("versions", texts(found().map(|f| versions(&f.versions)).chain(none()))),
        ("state", texts(found().map(|f| Some(f.what.to_string())).chain(end(verdict)))),
        ("object", texts(found().map(|f| Some(f.object.clone())).chain(end(&summary)))),
        ("expected", texts(found().map(|f| Some(f.expected.clone())).chain(none()))),
        ("found", texts(found().map(|f| Some(f.found.clone())).chain(none()))),
    ])
}

/// What was done to one object or version.
struct Deed {
    checkpoint: Option<String>,
    action: &'static str,
    object: String,
    bytes: u64,
    why: Option<String>,
}

/// One row for each version that went, each attempt that was closed, and each object that was deleted, kept or unknown.
pub fn garbage_rows(report: &GcReport) -> Result<RecordBatch> {
    let mut deeds: Vec<Deed> = report.checkpoints.iter().flat_map(of_checkpoint).collect();
    deeds.extend(report.leftovers.iter().map(|deleted| Deed {
        checkpoint: None,
        action: "deleted",
        object: deleted.object.clone(),
        bytes: deleted.bytes,
        why: Some("a leftover".to_string()),
    }));
    deeds.extend(report.unknown.iter().map(|unknown| Deed {
        checkpoint: None,
        action: "unknown",
        object: unknown.object.clone(),
        bytes: unknown.bytes,
        why: Some("it is none of ours, and stays".to_string()),
    }));
    deeds.extend(report.stopped.iter().map(|error| error_at(None, "stopped", error)));
    batch(vec![
        ("checkpoint", texts(deeds.iter().map(|deed| deed.checkpoint.clone()))),
        ("action", texts(deeds.iter().map(|deed| Some(deed.action.to_string())))),
        ("object", texts(deeds.iter().map(|deed| Some(deed.object.clone())))),
        ("bytes", numbers(deeds.iter().map(|deed| deed.bytes))),
        ("why", texts(deeds.iter().map(|deed| deed.why.clone()))),
    ])
}

fn of_checkpoint(garbage: &CheckpointGarbage) -> Vec<Deed> {
    let deed = |action, object: String, bytes, why: Option<String>| Deed {
        checkpoint: Some(garbage.name.to_string()),
        action,
        object,
        bytes,
        why,
    };
    let mut deeds = Vec::new();
    for dropped in &garbage.dropped {
        let why = dropped_because(dropped.reason);
        deeds.push(deed("dropped", format!("version {}", dropped.version), 0, Some(why)));
    }
    for later in &garbage.postponed {
        let why = format!(
            "{}; it is dropped when it is old enough, from {} on",
            dropped_because(later.reason),
            moment(later.until)
        );
        deeds.push(deed("kept", format!("version {}", later.version), 0, Some(why)));
    }
    for abandoned in &garbage.abandoned {
        let why = match abandoned.reason {
            AbandonReason::Silent(silence) => format!("no sign of life for {}", seconds(silence)),
            AbandonReason::Surplus(version) => {
                format!("it has files that its version {version} does not name")
            }
            AbandonReason::Dropped(version) => format!("its version {version} is dropped"),
        };
        deeds.push(deed("closed", format!("attempt {}", abandoned.attempt), 0, Some(why)));
    }
    deeds.extend(
        garbage.deleted.iter().map(|object| deed("deleted", object.object.clone(), object.bytes, None)),
    );
    deeds.extend(
        garbage.kept.iter().map(|object| {
            deed("kept", object.object.clone(), object.bytes, Some(kept_because(object.reason)))
        }),
    );
    deeds.extend(garbage.unknown.iter().map(|object| {
        deed(
            "unknown",
            object.object.clone(),
            object.bytes,
            Some("it is none of ours, and stays".to_string()),
        )
    }));
    deeds.extend(garbage.damaged.iter().map(|error| error_at(Some(&garbage.name), "damaged", error)));
    deeds.extend(garbage.stopped.iter().map(|error| error_at(Some(&garbage.name), "stopped", error)));
    deeds
}

fn dropped_because(reason: DropReason) -> String {
    match reason {
        DropReason::Superseded { keep_versions: 1 } => "1 newer one is kept".to_string(),
        DropReason::Superseded { keep_versions } => format!("{keep_versions} newer ones are kept"),
        DropReason::Expired { ttl } => format!("it is older than {}", seconds(ttl)),
    }
}

fn seconds(time: Duration) -> String {
    match time.as_secs() {
        1 => "1 second".to_string(),
        many => format!("{many} seconds"),
    }
}

fn kept_because(reason: KeptReason) -> String {
    match reason {
        KeptReason::NamedBy(version) => format!("version {version} has it"),
        KeptReason::Grace { until } => format!("whoever reads it may go on until {}", moment(until)),
        KeptReason::Alive { until } => format!("its writer may be alive until {}", moment(until)),
        KeptReason::MayBeAdopted { by } => format!("attempt {by} may be using it"),
        KeptReason::Unreadable => "the record of its attempt is damaged".to_string(),
        KeptReason::Describes => "it describes what is still there".to_string(),
    }
}

fn moment(time: StoreTime) -> String {
    let shown = DateTime::from_timestamp_millis(time.0);
    shown.map_or_else(|| time.to_string(), |shown| shown.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn error_at(
    checkpoint: Option<&CheckpointName>,
    action: &'static str,
    error: &milepost_store::Error,
) -> Deed {
    Deed {
        checkpoint: checkpoint.map(ToString::to_string),
        action,
        object: String::new(),
        bytes: 0,
        why: Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let expired = |seconds| dropped_because(DropReason::Expired { ttl: Duration::from_secs(seconds) });
        assert_eq!(
            (expired(1).as_str(), expired(7).as_str()),
            ("it is older than 1 second", "it is older than 7 seconds")
        );
        let superseded = |keep_versions| dropped_because(DropReason::Superseded { keep_versions });
        assert_eq!(
            (superseded(1).as_str(), superseded(2).as_str()),
            ("1 newer one is kept", "2 newer ones are kept")
        );
    }
}
