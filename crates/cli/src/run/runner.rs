//! Runs statements one by one and prints what they give.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use datafusion::common::plan_err;
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::EmptyRecordBatchStream;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlanProperties, execute_stream};
use datafusion_cli::object_storage::instrumented::InstrumentedObjectStoreRegistry;
use futures::StreamExt;
use milepost::Session;
use milepost::maintenance::{VerifyOptions, VerifyReport, verification_rows};
use milepost::scan::name_source;
use milepost::sql::{Statement, StatementKind};

use super::counter::{Counter, Shown};
use super::full_disk::full_disk;
use super::interrupt::Interrupts;
use super::script::{Script, Step};
use super::source::Source;
use super::unfilled;
use super::within::within;
use crate::failure::{Failure, Place};
use crate::notices;
use crate::object_stores;
use crate::print::{Printer, ResultSet};
use crate::progress::Progress;

/// How long is waited for what was interrupted.
const PATIENCE: Duration = Duration::from_secs(10);

const STUCK: &str =
    "the statement still does not give way and is left to itself; it ends with this program at the latest";

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Flow {
    /// Go on.
    Continue,
    /// `\q` was met.
    Quit,
}

/// A session and the way its results are shown.
pub(crate) struct Runner {
    pub(crate) session: Session,
    pub(crate) printer: Printer,
    pub(crate) interrupts: Interrupts,
    /// Requests to object stores, for profiling.
    pub(crate) stores: Arc<InstrumentedObjectStoreRegistry>,
}

/// Waits until nothing half-written of statements that ended early is left, but not for ever: what is stuck must not keep the
/// program alive.
pub(crate) async fn settle(session: &Session) {
    if within(PATIENCE, session.settle()).await.is_none() {
        notices::tell(&[STUCK.to_string()]);
    }
}

impl Runner {
    /// Parses a script whole, then runs it up to its end, its first error, or `\q`.
    ///
    /// # Errors
    /// The first step that fails.
    pub(crate) async fn source(&mut self, source: &Source) -> Result<Flow, Failure> {
        let script = Script::parse(self.session.copied_config().options(), source)?;
        self.script(&script).await
    }

    /// Runs a script up to its end, its first error, or `\q`.
    ///
    /// # Errors
    /// The first step that fails.
    pub(crate) async fn script(&mut self, script: &Script) -> Result<Flow, Failure> {
        for step in &script.steps {
            match step {
                Step::Statement(statement) => {
                    self.statement(statement, script.place(statement.line)).await?;
                }
                Step::Command { line, command } => {
                    // A command may include a file, and so come back here.
                    let place = script.place(*line);
                    if Box::pin(command.run(self, place)).await? == Flow::Quit {
                        return Ok(Flow::Quit);
                    }
                }
            }
        }
        Ok(Flow::Continue)
    }

    /// As [`settle`], of this session.
    pub(crate) async fn settle(&self) {
        settle(&self.session).await;
    }

    /// Runs one statement and prints its rows and notices.
    ///
    /// # Errors
    /// The statement's error, one of writing, or Ctrl-C. After Ctrl-C the attempt is gone when this returns.
    pub(crate) async fn statement(&mut self, statement: &Statement, place: Place) -> Result<(), Failure> {
        let mut interrupts = self.interrupts.clone();
        let outcome = interrupts.guard(self.execute_and_print(statement)).await;
        let outcome = match outcome {
            Err(interrupted) => {
                self.settle().await;
                Err(interrupted)
            }
            Ok(Err(error)) => Err(self.printer.output.take_failure().unwrap_or_else(|| {
                let failure = Failure::Statement { place, source: Box::new(error) };
                unfilled::of_run(failure, &statement.text)
            })),
            Ok(Ok(_)) => Ok(()),
        };
        self.tell_notices();
        outcome
    }

    /// Runs one piece of SQL that the program itself wrote.
    ///
    /// # Errors
    /// As for [`Runner::statement`].
    pub(crate) async fn sql(&mut self, sql: &str, place: Place) -> Result<(), Failure> {
        let parsed = self.session.statements(sql);
        let failed = |error| Failure::Statement { place: place.clone(), source: Box::new(error) };
        for statement in parsed.map_err(failed)? {
            self.statement(&statement, place.clone()).await?;
        }
        Ok(())
    }

    /// Parses and runs a script file.
    ///
    /// # Errors
    /// As for [`Runner::source`], or a file that cannot be read.
    pub(crate) async fn file(&mut self, path: &Path) -> Result<Flow, Failure> {
        self.source(&Source::file(path)?).await
    }

    /// Prints rows that the program itself made.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) async fn rows(&mut self, batch: RecordBatch) -> Result<(), Failure> {
        let place = Place { script: String::new(), line: 0 };
        let shown = async {
            let frame = self.session.read_batch(batch)?;
            let (result, _) = open(frame, true, Instant::now()).await?;
            self.printer.print(result).await
        };
        let shown: DataFusionResult<()> = shown.await;
        shown.map_err(|error| {
            let unwritten = self.printer.output.take_failure();
            unwritten.unwrap_or_else(|| Failure::Statement { place, source: Box::new(error) })
        })
    }

    /// Runs one statement and prints its rows. Dropping the future stops it.
    ///
    /// # Errors
    /// The statement's error, or one of writing, which the output tells apart.
    pub(crate) async fn execute_and_print(&mut self, statement: &Statement) -> DataFusionResult<Shown> {
        let started = Instant::now();
        let progress = Progress::watch(&self.session, self.printer.quiet);
        let verified = self.verified(statement).await?;
        let frame = match &verified {
            Some(report) => self.session.read_batch(verification_rows(report)?)?,
            None => object_stores::execute(&self.session, statement).await?,
        };
        let shown = match self.print(statement, frame, progress, started).await {
            Err(Unprinted { error, is_whole: true }) if is_repairable(&error) => {
                self.tell_notices();
                let progress = Progress::watch(&self.session, self.printer.quiet);
                let again = self.session.execute_again(statement).await?;
                self.print(statement, again, progress, started).await
            }
            shown => shown,
        };
        let shown = shown.map_err(|unprinted| unprinted.error)?;
        self.printer.store_requests(&self.stores)?;
        match verified.map_or(0, |report| report.damaged()) {
            0 => Ok(shown),
            objects => Err(milepost::Error::FoundDamage { objects }.into()),
        }
    }

    /// Runs a statement's frame and prints its rows.
    async fn print(
        &mut self,
        statement: &Statement,
        frame: DataFrame,
        progress: Progress,
        started: Instant,
    ) -> Result<Shown, Unprinted> {
        let reading = frame.logical_plan().clone();
        let show_all = shows_every_row(statement, &reading);
        // What a COPY has written when it fails, nobody can tell.
        let only_reads = !matches!(reading, LogicalPlan::Copy(_) | LogicalPlan::Dml(_) | LogicalPlan::Ddl(_));
        let named = |error| name_source(error, &reading);
        let whole = |error| Unprinted { error, is_whole: only_reads };
        let (result, counter) = open(frame, show_all, started).await.map_err(named).map_err(whole)?;
        progress.finish();
        self.tell_notices();
        let printed = self.printer.print(result).await.map_err(named);
        printed.map_err(|error| Unprinted {
            error: full_disk(statement, error),
            is_whole: only_reads && counter.read().rows == 0,
        })?;
        Ok(counter.read())
    }

    /// What a VERIFY has found. It is printed like any other result, and is a failure all the same if it is damage.
    async fn verified(&self, statement: &Statement) -> DataFusionResult<Option<VerifyReport>> {
        let StatementKind::Verify { name, version } = &statement.kind else { return Ok(None) };
        let options = VerifyOptions { name: name.clone(), version: *version, progress: None };
        self.session.verify(options).await.map(Some)
    }

    /// Prints what people should notice.
    pub(crate) fn tell_notices(&self) {
        let notices = self.session.take_notices();
        if !self.printer.quiet {
            notices::tell(&notices);
        }
    }
}

/// A statement whose rows could not be printed.
struct Unprinted {
    error: DataFusionError,
    /// Whether nothing of it was printed or written, so that it can be run again.
    is_whole: bool,
}

/// Whether the statement, run again in this session, computes anew what it found damaged.
fn is_repairable(error: &DataFusionError) -> bool {
    matches!(milepost::Error::find(error), Some(milepost::Error::DamagedSnapshot { again: true, .. }))
}

/// Plans the statement, which writes its checkpoints, and starts it.
async fn open(
    frame: DataFrame,
    show_all: bool,
    started: Instant,
) -> DataFusionResult<(ResultSet, Arc<Counter>)> {
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await?;
    let endless = plan.boundedness().is_unbounded();
    if endless && plan.pipeline_behavior() == EmissionType::Final {
        return plan_err!("this query gives its rows when its source ends, and its source has no end");
    }
    let stream = from_its_first_rows(execute_stream(plan, Arc::clone(&task))?).await?;
    let format_options = task.session_config().options().format.clone();
    let memory = Arc::clone(task.memory_pool());
    let (stream, counter) = Counter::watch(stream);
    Ok((ResultSet { stream, endless, show_all, format_options, memory, started }, counter))
}

/// The same stream, once its first rows are there. Nothing is printed of a statement that fails before.
async fn from_its_first_rows(
    mut stream: SendableRecordBatchStream,
) -> DataFusionResult<SendableRecordBatchStream> {
    let schema = stream.schema();
    let Some(first) = stream.next().await.transpose()? else {
        return Ok(Box::pin(EmptyRecordBatchStream::new(schema)));
    };
    let whole = futures::stream::iter([Ok(first)]).chain(stream);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, whole)))
}

/// Whether somebody who asked for this wants to see all of it: plans, descriptions and settings.
fn shows_every_row(statement: &Statement, plan: &LogicalPlan) -> bool {
    let shows = || statement.text.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("show"));
    statement.is_ours()
        || shows()
        || matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_))
}
