//! Checkpoints on DataFusion's own `DataFrame`.

use async_trait::async_trait;
use datafusion::common::Result;
use datafusion::dataframe::DataFrame;
use milepost_store::CheckpointName;

use crate::config::{MilepostConfig, Reuse};
use crate::context::{Home, Milepost, settings};
use crate::error::store_error;
use crate::logical::{Checkpoint, checkpoint_plan, without_false_claims};
use crate::resolve::{Mode, Request, Resolver};
use crate::scan::scan_as;

/// How a frame is checkpointed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckpointOptions {
    /// The checkpoint's name. Default: one made of the signature.
    pub name: Option<String>,
    /// Written by the first action that needs it. Default: at once.
    pub lazy: bool,
    /// Written although a fresh snapshot exists. Default: false. A lazy checkpoint ignores it.
    pub force: bool,
    /// The options of SQL's `WITH (…)`, such as `("compression", "small")`. Default: none.
    pub settings: Vec<(String, String)>,
}

impl CheckpointOptions {
    /// Options for a checkpoint called `name`.
    pub fn named(name: &str) -> Self {
        Self { name: Some(name.to_string()), ..Self::default() }
    }

    /// With one more setting, as in SQL's `WITH (key = value)`.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_string(), value.to_string()));
        self
    }
}

/// Checkpoints on a [`DataFrame`] of a session with checkpoints.
///
/// ```
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use datafusion::functions_aggregate::expr_fn::count;
/// use datafusion::prelude::*;
/// use milepost::{CheckpointExt, Session};
///
/// let session = Session::open("memory://").await?;
/// let numbers = session.sql("SELECT i, i % 3 AS rest FROM range(0, 10) AS t(i)").await?;
/// let odd = numbers.filter((col("i") % lit(2)).eq(lit(1)))?.checkpoint("odd").await?;
/// let by_rest = odd.aggregate(vec![col("rest")], vec![count(lit(1))])?.checkpoint_lazy("by_rest")?;
/// assert_eq!(by_rest.count().await?, 3);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait CheckpointExt: Sized {
    /// Makes sure that a fresh snapshot exists, and goes on from a scan of it.
    ///
    /// # Errors
    /// An invalid name, a query that fails, a store that fails, a session without checkpoints.
    async fn checkpoint(self, name: &str) -> Result<Self>;

    /// The same, done by the first action that needs it and kept for all later ones of this frame.
    ///
    /// # Errors
    /// An invalid name, or a session without checkpoints.
    fn checkpoint_lazy(self, name: &str) -> Result<Self>;

    /// Eager or lazy, named or not, with settings.
    ///
    /// # Errors
    /// As the two above; unknown settings.
    async fn checkpoint_with(self, options: CheckpointOptions) -> Result<Self>;

    /// A temporary checkpoint on local disk, gone with the session. It cuts a plan that grows in a loop.
    ///
    /// # Errors
    /// A query that fails, no room in the temporary folder, a session without checkpoints.
    async fn local_checkpoint(self) -> Result<Self>;
}

#[async_trait]
impl CheckpointExt for DataFrame {
    async fn checkpoint(self, name: &str) -> Result<Self> {
        self.checkpoint_with(CheckpointOptions::named(name)).await
    }

    fn checkpoint_lazy(self, name: &str) -> Result<Self> {
        lazy(self, CheckpointOptions::named(name))
    }

    async fn checkpoint_with(self, options: CheckpointOptions) -> Result<Self> {
        if options.lazy {
            return lazy(self, options);
        }
        let (state, _) = self.clone().into_parts();
        let home = Milepost::of(&state)?.home.clone();
        let config = settings(&state).with_options(&options.settings)?;
        let name = parse_name(options.name.as_deref())?;
        Box::pin(eager(self, &home, name, config, &options)).await
    }

    async fn local_checkpoint(self) -> Result<Self> {
        let (state, _) = self.clone().into_parts();
        let milepost = Milepost::of(&state)?;
        let home = milepost.scratch().await?;
        let config = MilepostConfig {
            reuse: Reuse::Off,
            durability: milepost_store::Durability::None,
            ..settings(&state)
        };
        let id = milepost.store().clock().ulid().to_string().to_ascii_lowercase();
        let name = parse_name(Some(&format!("local_{id}")))?;
        Box::pin(eager(self, &home, name, config, &CheckpointOptions::default())).await
    }
}

fn parse_name(name: Option<&str>) -> Result<Option<CheckpointName>> {
    name.map(CheckpointName::parse).transpose().map_err(store_error)
}

async fn eager(
    frame: DataFrame,
    home: &Home,
    name: Option<CheckpointName>,
    config: MilepostConfig,
    options: &CheckpointOptions,
) -> Result<DataFrame> {
    let (state, plan) = frame.into_parts();
    if !config.enabled {
        return Ok(DataFrame::new(state, plan));
    }
    let plan = without_false_claims(plan)?;
    let milepost = Milepost::of(&state)?;
    let request = Request {
        home,
        name,
        plan: &plan,
        definition: None,
        options: &options.settings,
        config,
        force: options.force,
    };
    let resolver = Resolver::new(milepost, &state, Mode::Stage);
    let snapshot = resolver.ensure(&request).await?.snapshot;
    let scan = scan_as(home, &snapshot, plan.schema())?;
    Ok(DataFrame::new(state, scan))
}

fn lazy(frame: DataFrame, options: CheckpointOptions) -> Result<DataFrame> {
    let (state, plan) = frame.into_parts();
    Milepost::of(&state)?;
    let config = settings(&state).with_options(&options.settings)?;
    if !config.enabled {
        return Ok(DataFrame::new(state, plan));
    }
    let name = parse_name(options.name.as_deref())?;
    let plan = without_false_claims(plan)?;
    let node = Checkpoint::new(plan, name).with_options(options.settings).pinned();
    Ok(DataFrame::new(state, checkpoint_plan(node)?))
}
