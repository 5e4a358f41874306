//! Whose functions are trusted, and how far.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use super::*;
use crate::identity::{FunctionKind, Registries};

pub(super) fn user_function(name: &str, volatility: Volatility, result: i64) -> ScalarUDF {
    create_udf(
        name,
        vec![DataType::Int64],
        DataType::Int64,
        volatility,
        Arc::new(move |_| Ok(ColumnarValue::Scalar(ScalarValue::Int64(Some(result))))),
    )
}

async fn with(context: &SessionContext, registries: &Registries, sql: &str) -> PlanIdentity {
    let state = context.state();
    identify(&analysed(&state, sql).await, &state, registries, &run()).await.unwrap()
}

fn declared(version: &str) -> Registries {
    let mut registries = hasty();
    registries.functions.declare(FunctionKind::Scalar, "f", version);
    registries
}

#[tokio::test]
async fn an_undeclared_function_is_volatile_whatever_it_claims() {
    let context = session();
    context.register_udf(user_function("f", Volatility::Immutable, 1));
    let identity = of(&context, "SELECT f(a) FROM t").await;
    assert_eq!(identity.determinism.as_str(), "volatile");
    assert!(identity.determinism.reason().unwrap().contains("declared version"));
}

#[tokio::test]
async fn a_declared_function_holds_as_far_as_it_claims() {
    for (volatility, expected) in [
        (Volatility::Immutable, "immutable"),
        (Volatility::Stable, "run"),
        (Volatility::Volatile, "volatile"),
    ] {
        let context = session();
        context.register_udf(user_function("f", volatility, 1));
        let identity = with(&context, &declared("1"), "SELECT f(a) FROM t").await;
        assert_eq!(identity.determinism.as_str(), expected);
    }
}

#[tokio::test]
async fn another_version_of_a_function_is_another_query() {
    let context = session();
    context.register_udf(user_function("f", Volatility::Immutable, 1));
    let sql = "SELECT f(a) FROM t";
    let one = with(&context, &declared("1"), sql).await;
    let same = with(&context, &declared("1"), sql).await;
    let two = with(&context, &declared("2"), sql).await;
    let none = of(&context, sql).await;
    assert_eq!(one.fingerprint, same.fingerprint);
    assert_ne!(one.fingerprint, two.fingerprint);
    assert_ne!(one.fingerprint, none.fingerprint);
}

#[tokio::test]
async fn a_user_function_does_not_pass_for_a_built_in_one() {
    let sql = "SELECT abs(a) FROM t";
    let real = of(&session(), sql).await;
    let context = session();
    context.register_udf(user_function("abs", Volatility::Immutable, 1));
    let mut registries = hasty();
    let undeclared = with(&context, &registries, sql).await;
    registries.functions.declare(FunctionKind::Scalar, "abs", "1");
    let declared = with(&context, &registries, sql).await;
    assert_eq!(real.determinism.as_str(), "immutable");
    assert_eq!(undeclared.determinism.as_str(), "volatile");
    assert_ne!(real.fingerprint, undeclared.fingerprint);
    assert_ne!(real.fingerprint, declared.fingerprint);
}

#[tokio::test]
async fn declaring_a_built_in_function_changes_nothing() {
    let mut registries = hasty();
    registries.functions.declare(FunctionKind::Scalar, "abs", "1");
    let sql = "SELECT abs(a) FROM t";
    assert_eq!(with(&session(), &registries, sql).await.signature, of(&session(), sql).await.signature);
}

/// Within one run, a function that is registered anew under its name may be another one.
#[tokio::test]
async fn a_replaced_function_is_another_query_even_within_the_run() {
    let context = session();
    let sql = "SELECT replaced(a) FROM t";
    context.register_udf(user_function("replaced", Volatility::Immutable, 1));
    let before = of(&context, sql).await;
    assert_eq!(before.signature, of(&context, sql).await.signature);
    context.register_udf(user_function("replaced", Volatility::Immutable, 2));
    assert_ne!(before.signature, of(&context, sql).await.signature);
}

/// Every function that a new session offers is DataFusion's own, so that none of them makes results volatile by
/// accident.
#[test]
fn all_functions_of_a_session_are_known() {
    use crate::identity::functions::{Function, FunctionVersions, Origin};
    let state = SessionContext::new().state();
    let versions = FunctionVersions::default();
    let scalar = state.scalar_functions().values().map(Function::Scalar);
    let aggregate = state.aggregate_functions().values().map(Function::Aggregate);
    let window = state.window_functions().values().map(Function::Window);
    let higher_order = state.higher_order_functions().values().map(Function::HigherOrder);
    for function in scalar.chain(aggregate).chain(window).chain(higher_order) {
        assert_eq!(
            function.origin(state.config_options(), &versions),
            Origin::BuiltIn,
            "{}",
            function.name()
        );
    }
}

/// `now()` follows the time zone of the session and stays a built-in function.
#[tokio::test]
async fn functions_that_follow_the_settings_are_known() {
    let context = session();
    context.sql("SET datafusion.execution.time_zone = '+02:00'").await.unwrap();
    assert_eq!(of(&context, "SELECT now()").await.determinism.as_str(), "run");
    assert_eq!(of(&context, "SELECT to_timestamp(b) FROM t").await.determinism.as_str(), "immutable");
}
