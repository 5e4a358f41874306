//! `milepost verify` and `milepost gc`.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use milepost::maintenance::{
    GcOptions, GcReport, Progress, VerifyOptions, VerifyProgress, garbage_rows, verification_rows,
};
use milepost::{CheckpointName, Session, Version};

use crate::args::{GcArgs, VerifyArgs};
use crate::failure::{Failure, Place};
use crate::run::Runner;

/// Fails where nothing was ever written: what is asked about a store is not asked about a mistyped name of one. One that has lost
/// its identity is there.
///
/// # Errors
/// [`Failure::Missing`]; a store that cannot be read.
pub(crate) async fn must_be_there(session: &Session) -> Result<(), Failure> {
    match session.store().exists().await {
        Ok(true) => Ok(()),
        Err(error) if error.is_damage() => Ok(()),
        Ok(false) => {
            let url = session.store().url();
            Err(Failure::Missing(format!(
                "there is no checkpoint store at {url}: give the place of one with --store"
            )))
        }
        Err(error) => Err(Failure::Store(Box::new(error.into()))),
    }
}

/// Reads the store and prints what is not what was written.
///
/// # Errors
/// Damage, if anything is.
pub(crate) async fn verify(runner: &mut Runner, args: &VerifyArgs) -> Result<(), Failure> {
    let name = args.name.as_deref().map(CheckpointName::parse).transpose();
    let name = name.map_err(|error| Failure::Usage(error.to_string()))?;
    let bar = bar(runner.printer.quiet);
    let shown = bar.clone();
    let progress = Progress::new(move |now: VerifyProgress| {
        shown.set_length(now.bytes_total);
        shown.set_position(now.bytes_read);
    });
    let options = VerifyOptions { name, version: args.version.map(Version), progress: Some(progress) };
    let session = runner.session.clone();
    let report = runner.interrupts.guard(session.verify(options)).await?;
    bar.finish_and_clear();
    let report = report.map_err(failed)?;
    runner.rows(verification_rows(&report).map_err(failed)?).await?;
    sound(report.damaged())
}

/// Collects garbage and prints what was done, or would be.
///
/// # Errors
/// [`Failure::GarbageLeft`] if something could not be looked at; damage that was found and kept nothing else.
pub(crate) async fn gc(runner: &mut Runner, args: &GcArgs) -> Result<(), Failure> {
    let session = runner.session.clone();
    let grace = Duration::from_secs(u64::from(args.grace) * 60 * 60);
    let options = GcOptions { dry_run: args.dry_run, grace, ..session.gc_options() };
    let report = runner.interrupts.guard(session.vacuum(options)).await?.map_err(failed)?;
    runner.rows(garbage_rows(&report).map_err(failed)?).await?;
    if report.is_complete() {
        return sound(report.damaged().count());
    }
    let stops = report.checkpoints.iter().filter_map(|garbage| garbage.stopped.as_ref());
    let damaged = stops.chain(&report.stopped).chain(report.damaged()).any(milepost::StoreError::is_damage);
    Err(Failure::GarbageLeft { places: places(&report), damaged })
}

fn sound(objects: usize) -> Result<(), Failure> {
    if objects == 0 { Ok(()) } else { Err(failed(milepost::Error::FoundDamage { objects }.into())) }
}

fn places(report: &GcReport) -> String {
    let stopped = report.checkpoints.iter().filter(|garbage| garbage.stopped.is_some());
    let mut places: Vec<String> = stopped.map(|garbage| garbage.name.to_string()).collect();
    if report.stopped.is_some() {
        places.push("the store".to_string());
    }
    places.join(", ")
}

fn failed(error: datafusion::error::DataFusionError) -> Failure {
    Failure::Statement { place: Place { script: String::new(), line: 0 }, source: Box::new(error) }
}

/// A bar on stderr, where a person looks.
fn bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{spinner} {bar:20} {bytes}/{total_bytes}  {bytes_per_sec}") {
        Ok(style) => bar.with_style(style.progress_chars("━╸┈")),
        Err(_) => bar,
    }
}
