//! Another name, version or hold of a user function is another signature; another instance of it is the same one.

use datafusion::logical_expr::Volatility;
use milepost_store::ids::Signature;

use super::*;
use crate::identity::tests::functions::user_function;
use crate::identity::{Determinism, FunctionKind};

/// What a program says of a function that it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Declared {
    name: &'static str,
    version: &'static str,
    volatility: Volatility,
}

fn declared() -> impl Strategy<Value = Declared> {
    // One name is that of a built-in function. Some versions look like one another.
    let name = prop::sample::select(vec!["f", "g", "f1", "abs"]);
    let version = prop::sample::select(vec!["", "1", "1.0", " 1", "11", "f", "a\0b"]);
    let volatility =
        prop::sample::select(vec![Volatility::Immutable, Volatility::Stable, Volatility::Volatile]);
    (name, version, volatility).prop_map(|(name, version, volatility)| Declared { name, version, volatility })
}

/// The identity of a query that calls the function, in a session and a registry of its own: each call is as another process.
fn identity(function: &Declared, run: &RunPin, others: &[(FunctionKind, &str)]) -> PlanIdentity {
    let Declared { name, version, volatility } = *function;
    let context = session();
    context.register_udf(user_function(name, volatility, 1));
    let mut registries = hasty();
    registries.functions.declare(FunctionKind::Scalar, name, version);
    for (kind, other) in others {
        registries.functions.declare(*kind, *other, "another");
    }
    block_on(async {
        let state = context.state();
        let plan = analysed(&state, &format!("SELECT {name}(a) FROM t")).await;
        identify(&plan, &state, &registries, run).await.unwrap()
    })
}

fn signature(function: &Declared) -> Signature {
    identity(function, &run(), &[]).signature
}

/// Stable and volatile functions hold as far as each other: until the run ends.
fn holds_in_every_run(function: &Declared) -> bool {
    function.volatility == Volatility::Immutable
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn another_declaration_has_another_signature(one in declared(), two in declared()) {
        let told_apart = |function: &Declared| (function.name, function.version, holds_in_every_run(function));
        prop_assert_eq!(signature(&one) == signature(&two), told_apart(&one) == told_apart(&two));
    }

    /// One change, which two random declarations seldom are.
    #[test]
    fn one_change_is_enough(function in declared(), change in 0..3) {
        let mut changed = function.clone();
        match change {
            0 => changed.name = if function.name == "f" { "g" } else { "f" },
            1 => changed.version = if function.version == "1" { "2" } else { "1" },
            _ => changed.volatility = match function.volatility {
                Volatility::Immutable => Volatility::Stable,
                Volatility::Stable | Volatility::Volatile => Volatility::Immutable,
            },
        }
        prop_assert_ne!(signature(&function), signature(&changed));
        prop_assert_eq!(signature(&function), signature(&function));
    }

    #[test]
    fn only_an_immutable_function_holds_in_another_run(function in declared()) {
        let other = RunPin { id: "run-2".to_owned(), ..run() };
        let (here, there) = (identity(&function, &run(), &[]), identity(&function, &other, &[]));
        prop_assert_eq!(here.fingerprint, there.fingerprint);
        prop_assert_eq!(here.signature == there.signature, holds_in_every_run(&function));
        prop_assert_eq!(here.determinism == Determinism::Immutable, holds_in_every_run(&function));
    }

    /// What is declared of functions that the query does not call.
    #[test]
    fn other_declarations_do_not_matter(function in declared()) {
        let others = [(FunctionKind::Scalar, "other"), (FunctionKind::Aggregate, function.name)];
        prop_assert_eq!(identity(&function, &run(), &others).signature, signature(&function));
    }
}
