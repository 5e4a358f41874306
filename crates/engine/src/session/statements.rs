//! What each of our statements does.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Schema;
use datafusion::common::Result;
use datafusion::common::config::ExtensionOptions;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::ViewTable;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{ExplainFormat, ExplainOption, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::sql::parser::{ResetStatement, Statement as DFStatement};
use futures::future::BoxFuture;
use milepost_store::{CheckpointName, DropOutcome, Snapshot, StepOutcome, Version, redact};

use super::hidden::hide_secrets;
use super::run_time::{at_once, when_collected};
use super::{Session, rows};
use crate::catalog::{refuse_misuse, refuse_taken, snapshot_to_refresh};
use crate::config::MilepostConfig;
use crate::context::settings;
use crate::error::{Error, store_error};
use crate::logical::{release, with_true_dependencies};
use crate::resolve::{
    Ensured, Freshness, Mode, Ran, Request, Resolver, definition, explain_checkpoint, freshness,
    outcome_line, refresh,
};
use crate::scan::name_source;
use crate::sql::{CreateCheckpoint, Statement, StatementKind, lists_tables, text_without_secrets};
use crate::stage::UnitCounts;

/// How many damaged snapshots a statement repairs on its way. A disk that damages whatever is written is given up.
const DAMAGES: usize = 8;

impl Session {
    /// Runs a parsed statement; see [`Session::sql`].
    ///
    /// # Errors
    /// A statement that does not plan or run.
    pub async fn execute(&self, statement: &Statement) -> Result<DataFrame> {
        let batch = match &statement.kind {
            StatementKind::DataFusion(inner) => {
                if let Some(key) = reset_of_ours(inner) {
                    return self.reset(&key);
                }
                if lists_tables(inner) {
                    self.checkpoint_names().await;
                }
                let state = self.context.state();
                let mut plan = state.statement_to_plan(inner.as_ref().clone()).await?;
                hide_secrets(&mut plan, inner);
                refuse_misuse(&self.milepost, &state, &plan).await?;
                let plan = with_true_dependencies(plan)?.data;
                return self.run_plan(plan).await;
            }
            StatementKind::Checkpoint(create) => {
                self.despite_damage(|| Box::pin(self.create(create))).await?
            }
            StatementKind::Refresh { name, force } => {
                self.despite_damage(|| Box::pin(self.refresh(name, *force))).await?
            }
            StatementKind::Drop { name, if_exists, version } => {
                self.drop_checkpoint(name, *if_exists, *version).await?
            }
            StatementKind::ShowCheckpoints { like } => {
                Box::pin(self.show_checkpoints(like.as_deref())).await?
            }
            StatementKind::ShowSnapshots { name } => self.show_snapshots(name).await?,
            StatementKind::Describe { name, version } => {
                rows::columns(&self.snapshot(name, *version).await?)?
            }
            StatementKind::Verify { name, version } => self.verify_statement(name.as_ref(), *version).await?,
            StatementKind::Vacuum { dry_run } => self.vacuum_statement(*dry_run).await?,
            StatementKind::Explain { analyze: true, create, .. } => {
                Box::pin(self.explain_analyze(create)).await?
            }
            StatementKind::Explain { verbose, format, create, .. } => {
                let option = ExplainOption::default().with_verbose(*verbose);
                let option = option.with_format(format.clone().unwrap_or(ExplainFormat::Indent));
                Box::pin(self.explain(create, option)).await?
            }
        };
        self.context.read_batch(batch)
    }

    /// Runs a statement once more of whose rows none was used, because reading them met damage that a second look repairs. In a job
    /// its checkpoints are those of the first try.
    ///
    /// # Errors
    /// As [`Session::execute`].
    pub async fn execute_again(&self, statement: &Statement) -> Result<DataFrame> {
        self.milepost.turn.begin_step_again();
        self.execute(statement).await
    }

    /// Runs a statement that hands nothing out before its end, and again where it met damage that a second look at the
    /// snapshot repairs.
    async fn despite_damage<'f>(
        &'f self,
        statement: impl Fn() -> BoxFuture<'f, Result<RecordBatch>>,
    ) -> Result<RecordBatch> {
        let mut met: Vec<(String, u64)> = Vec::new();
        loop {
            let error = match statement().await {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            let Some(Error::DamagedSnapshot { name, version, again: true, .. }) = Error::find(&error) else {
                return Err(error);
            };
            let damaged = (name.clone(), *version);
            if met.contains(&damaged) || met.len() >= DAMAGES {
                return Err(error);
            }
            met.push(damaged);
            self.milepost.turn.begin_step_again();
        }
    }

    /// Runs a plan of DataFusion's; in a job under the run's `now()`.
    async fn run_plan(&self, plan: LogicalPlan) -> Result<DataFrame> {
        // These read their files at once.
        let reading = matches!(plan, LogicalPlan::Ddl(_)).then(|| plan.clone());
        let run = self.run_in_turn(plan).await;
        run.map_err(|error| match &reading {
            Some(plan) => name_source(error, plan),
            None => error,
        })
    }

    async fn run_in_turn(&self, plan: LogicalPlan) -> Result<DataFrame> {
        if !self.milepost.turn.goes_on {
            return Box::pin(self.context.execute_logical_plan(plan)).await;
        }
        let now = self.milepost.run.now();
        let plan = at_once(plan, now, &self.context.state())?;
        let frame = Box::pin(self.context.execute_logical_plan(plan)).await?;
        Ok(when_collected(frame, now))
    }

    /// DataFusion's RESET knows the settings of DataFusion only.
    fn reset(&self, key: &str) -> Result<DataFrame> {
        let default = MilepostConfig::default().entries().into_iter().find(|entry| entry.key == key);
        let value = default.and_then(|entry| entry.value).unwrap_or_default();
        let state = self.context.state_ref();
        state.write().config_mut().options_mut().set(key, &value)?;
        self.context.read_batch(RecordBatch::new_empty(Arc::new(Schema::empty())))
    }

    async fn create(&self, create: &CreateCheckpoint) -> Result<RecordBatch> {
        let state = self.context.state();
        let plan = state.statement_to_plan(create.query.as_ref().clone()).await?;
        if !settings(&state).enabled {
            return self.create_view(create, plan);
        }
        rows::ensured(&self.ensure(&state, create, &plan).await?)
    }

    async fn ensure(
        &self,
        state: &SessionState,
        create: &CreateCheckpoint,
        plan: &LogicalPlan,
    ) -> Result<Ensured> {
        let resolver = Resolver::new(Arc::clone(&self.milepost), state, Mode::Stage);
        resolver.ensure(&self.request(state, create, plan)?).await
    }

    fn request<'a>(
        &'a self,
        state: &SessionState,
        create: &'a CreateCheckpoint,
        plan: &'a LogicalPlan,
    ) -> Result<Request<'a>> {
        Ok(Request {
            home: &self.milepost.home,
            name: Some(create.name.clone()),
            plan,
            definition: definition(state, &create.query_text),
            options: &create.options,
            config: settings(state).with_options(&create.options)?,
            force: false,
        })
    }

    /// With `milepost.enabled = false` a checkpoint is a view, so that a script can be run with and without.
    fn create_view(&self, create: &CreateCheckpoint, plan: LogicalPlan) -> Result<RecordBatch> {
        let state = self.context.state();
        let name = create.name.as_str();
        settings(&state).with_options(&create.options)?;
        refuse_taken(&self.milepost, &state, &create.name)?;
        let text = text_without_secrets(&create.query);
        let text = text.unwrap_or_else(|| redact(&create.query_text).into_owned());
        self.milepost.set_view(name, Arc::new(ViewTable::new(plan, Some(text))));
        rows::viewed(name)
    }

    async fn refresh(&self, name: &CheckpointName, force: bool) -> Result<RecordBatch> {
        let state = self.context.state();
        let snapshot = match self.milepost.turn.as_of(name) {
            // In a job it is what the steps before it have made, and not what others have made since.
            Some(as_of) => match snapshot_to_refresh(&self.milepost, name, &as_of).await? {
                Some(snapshot) => snapshot,
                None => return Err(self.milepost.missing(name, None).await?.into()),
            },
            None => self.snapshot(name, None).await?,
        };
        let resolver = Resolver::new(Arc::clone(&self.milepost), &state, Mode::Stage);
        let options: Vec<_> = snapshot.manifest.options.clone().into_iter().collect();
        let config = settings(&state).with_options(&options)?;
        let home = &self.milepost.home;
        if !force
            && freshness(&resolver, &snapshot).await? == Freshness::Fresh
            && resolver.is_whole(home, &config, &snapshot).await?
        {
            let saved_ms = snapshot.manifest.elapsed_ms;
            let (outcome, elapsed_ms) = (StepOutcome::Reused, 0);
            let units = UnitCounts::default();
            let reused = Ensured { snapshot, outcome, elapsed_ms, saved_ms, units, ran: None };
            self.milepost.turn.found(reused.for_the_job(true));
            self.milepost.means_checkpoint(name.as_str());
            return rows::ensured(&reused);
        }
        rows::ensured(&refresh(&resolver, &snapshot, force).await?)
    }

    async fn drop_checkpoint(
        &self,
        name: &CheckpointName,
        if_exists: bool,
        version: Option<Version>,
    ) -> Result<RecordBatch> {
        if version.is_none() && self.milepost.drop_view(name.as_str()) {
            return rows::dropped(name.as_str(), &[]);
        }
        let store = self.store();
        let driver = self.milepost.turn.driver().map_err(store_error)?;
        let outcome = match version {
            Some(version) => store.drop_version_in(driver.as_deref(), name, version).await,
            None => store.drop_checkpoint_in(driver.as_deref(), name).await,
        };
        match outcome.map_err(store_error)? {
            DropOutcome::Dropped(versions) => {
                if store.newest(name).await.map_err(store_error)?.is_none() {
                    self.milepost.forget(name.as_str());
                }
                let versions: Vec<u64> = versions.iter().map(|live| live.version.0).collect();
                rows::dropped(name.as_str(), &versions)
            }
            DropOutcome::NotFound if if_exists => rows::dropped(name.as_str(), &[]),
            DropOutcome::NotFound => Err(self.milepost.missing(name, version).await?.into()),
        }
    }

    /// One version of a checkpoint, or its newest.
    pub(super) async fn snapshot(&self, name: &CheckpointName, version: Option<Version>) -> Result<Snapshot> {
        let found = match version {
            Some(version) => self.store().snapshot(name, version).await,
            None => self.store().newest(name).await,
        };
        match found.map_err(store_error)? {
            Some(snapshot) => Ok(snapshot),
            None => Err(self.milepost.missing(name, version).await?.into()),
        }
    }

    async fn explain(&self, create: &CreateCheckpoint, option: ExplainOption) -> Result<RecordBatch> {
        let mut state = self.context.state();
        let plan = state.statement_to_plan(create.query.as_ref().clone()).await?;
        refuse_taken(&self.milepost, &state, &create.name)?;
        let request = self.request(&state, create, &plan)?;
        let mut shown = explain_checkpoint(Arc::clone(&self.milepost), &state, &request).await?;
        let explain = LogicalPlanBuilder::from(plan).explain_option_format(option)?.build()?;
        // A checkpoint is computed from its own sources, whatever else the store holds.
        release(&mut state);
        for batch in DataFrame::new(state, explain).collect().await? {
            let (kinds, plans) = (batch.column(0).as_string::<i32>(), batch.column(1).as_string::<i32>());
            shown.extend(
                (0..batch.num_rows()).map(|row| (kinds.value(row).to_string(), plans.value(row).to_string())),
            );
        }
        rows::explanation(&shown)
    }

    async fn explain_analyze(&self, create: &CreateCheckpoint) -> Result<RecordBatch> {
        let state = self.context.state();
        let plan = state.statement_to_plan(create.query.as_ref().clone()).await?;
        let ensured = self.ensure(&state, create, &plan).await?;
        let mut shown = vec![("checkpoint".to_string(), outcome_line(&ensured))];
        if let Some(Ran { plan, times }) = &ensured.ran {
            let units = ensured.units;
            let ms = |time: Duration| time.as_millis();
            let spent = format!(
                "{} units ({} reused), all together: compute {} ms, encode {} ms, write {} ms, sync {} ms, \
                 receipts and heartbeats {} ms; commit {} ms",
                units.all,
                units.reused,
                ms(times.compute),
                ms(times.encode),
                ms(times.write),
                ms(times.sync),
                ms(times.receipts),
                ms(times.commit),
            );
            shown.push(("time".to_string(), spent));
            let metrics = DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(true).to_string();
            shown.push(("Plan with Metrics".to_string(), metrics));
        }
        rows::explanation(&shown)
    }
}

/// The key of `RESET milepost.…`.
fn reset_of_ours(statement: &DFStatement) -> Option<String> {
    let DFStatement::Reset(reset) = statement else { return None };
    let ResetStatement::Variable(name) = reset;
    let key = name.to_string().replace('"', "").to_ascii_lowercase();
    key.starts_with("milepost.").then_some(key)
}
