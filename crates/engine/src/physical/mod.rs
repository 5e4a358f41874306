//! Keeps physical plans from defects of DataFusion 55.2 that give wrong rows: its rules, each with a look at the plan that comes
//! before it. See docs/adr/0020-guarded-rules.md.

mod any_order;
mod counted_already;
mod dictionary_joins;
mod hiding;
mod kept_limits;
mod least_and_greatest;
mod lost_filters;
mod merged_order;
mod topmost_groups;
mod topmost_of_windows;
mod true_scans;
mod windows_below_limits;

use std::sync::Arc;

use datafusion::common::config::{ConfigOptions, OptimizerOptions};
use datafusion::common::{Result, plan_err};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;

use self::any_order::without_false_claims;
use self::kept_limits::{with_limits_apart, with_limits_joined};
use self::lost_filters::{SEND, Sent};
use self::merged_order::with_merged_orders;
use self::true_scans::with_true_scans;

pub(crate) use self::hiding::{HidingExec, Shown};

/// A rule of DataFusion's.
type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// Puts a guard around each rule of DataFusion's that can make a plan give wrong rows.
pub(crate) fn guard_rules(optimizer: &mut PhysicalOptimizer) {
    for rule in &mut optimizer.rules {
        if rule.name() == ORDERS {
            *rule = Arc::new(Ordered { rule: Arc::clone(rule) });
        }
        if SEND.contains(&rule.name()) {
            *rule = Arc::new(Sent { rule: Arc::clone(rule) });
        }
        for guard in GUARDS.iter().filter(|guard| guard.rule == rule.name()).collect::<Vec<_>>() {
            *rule = Arc::new(Guarded { rule: Arc::clone(rule), guard });
        }
    }
}

const GUARDS: &[Guard] = &[
    counted_already::GUARD,
    dictionary_joins::GUARD,
    least_and_greatest::GUARD,
    topmost_groups::GUARD,
    topmost_of_windows::GUARD,
    windows_below_limits::GUARD,
];

/// The rule that decides what is sorted, dealt out and merged, and drops what seems to be so already.
const ORDERS: &str = "EnsureRequirements";

/// How often it is run again for merges that claim too much.
const ROUNDS: usize = 8;

/// That rule, which sees no false claims and drops no limits.
#[derive(Debug)]
struct Ordered {
    rule: Rule,
}

impl PhysicalOptimizerRule for Ordered {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = with_limits_apart(without_false_claims(with_true_scans(plan)?)?)?;
        let mut plan = self.rule.optimize(plan, config)?;
        for _ in 0..ROUNDS {
            let Some(corrected) = with_merged_orders(&plan)? else { return with_limits_joined(plan) };
            plan = self.rule.optimize(corrected, config)?;
        }
        plan_err!("DataFusion 55.2 finds no order for this query that all of its parts agree to")
    }

    fn name(&self) -> &str {
        self.rule.name()
    }

    fn schema_check(&self) -> bool {
        self.rule.schema_check()
    }
}

/// A part of a rule that is right for some plans only.
#[derive(Debug)]
struct Guard {
    /// The rule's name.
    rule: &'static str,
    /// Whether the part may go wrong with this plan.
    may_err: fn(&Arc<dyn ExecutionPlan>) -> bool,
    /// Switches the part off. Without it, the rule is not run at all.
    without: Option<fn(&mut OptimizerOptions)>,
}

/// A rule that is run without a part of it where that could go wrong.
#[derive(Debug)]
struct Guarded {
    rule: Rule,
    guard: &'static Guard,
}

impl PhysicalOptimizerRule for Guarded {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !(self.guard.may_err)(&plan) {
            return self.rule.optimize(plan, config);
        }
        let Some(without) = self.guard.without else { return Ok(plan) };
        let mut config = config.clone();
        without(&mut config.optimizer);
        self.rule.optimize(plan, &config)
    }

    fn name(&self) -> &str {
        self.rule.name()
    }

    fn schema_check(&self) -> bool {
        self.rule.schema_check()
    }
}

/// Whether `is` holds for some node of the plan.
fn any(plan: &Arc<dyn ExecutionPlan>, is: &impl Fn(&Arc<dyn ExecutionPlan>) -> bool) -> bool {
    is(plan) || plan.children().into_iter().any(|child| any(child, is))
}
