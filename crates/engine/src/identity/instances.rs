//! Numbers for undeclared user functions, so that a function that was replaced under its name within one run is
//! another function.

use std::collections::HashMap;
use std::sync::{LazyLock, Weak};

use datafusion::logical_expr::{AggregateUDFImpl, HigherOrderUDFImpl, ScalarUDFImpl, WindowUDFImpl};
use parking_lot::Mutex;

use super::functions::FunctionKind;

/// A function object. The weak reference keeps its address from being given to another one.
pub(super) enum Instance {
    Scalar(Weak<dyn ScalarUDFImpl>),
    Aggregate(Weak<dyn AggregateUDFImpl>),
    Window(Weak<dyn WindowUDFImpl>),
    HigherOrder(Weak<dyn HigherOrderUDFImpl>),
}

impl Instance {
    fn address(&self) -> *const () {
        match self {
            Self::Scalar(weak) => weak.as_ptr().cast(),
            Self::Aggregate(weak) => weak.as_ptr().cast(),
            Self::Window(weak) => weak.as_ptr().cast(),
            Self::HigherOrder(weak) => weak.as_ptr().cast(),
        }
    }

    fn is_gone(&self) -> bool {
        match self {
            Self::Scalar(weak) => weak.strong_count() == 0,
            Self::Aggregate(weak) => weak.strong_count() == 0,
            Self::Window(weak) => weak.strong_count() == 0,
            Self::HigherOrder(weak) => weak.strong_count() == 0,
        }
    }
}

#[derive(Default)]
struct Numbered {
    next: u64,
    living: Vec<(Instance, u64)>,
}

static SEEN: LazyLock<Mutex<HashMap<(FunctionKind, String), Numbered>>> = LazyLock::new(Mutex::default);

/// The number of a function among those of its name: 0 for the first that this process identified. A number is never
/// given twice, so a resumed process that registers the same functions in the same order finds the same numbers.
pub(super) fn number(kind: FunctionKind, name: &str, instance: Instance) -> u64 {
    let mut seen = SEEN.lock();
    let numbered = seen.entry((kind, name.to_owned())).or_default();
    let address = instance.address();
    if let Some((_, number)) =
        numbered.living.iter().find(|(other, _)| std::ptr::eq(other.address(), address))
    {
        return *number;
    }
    numbered.living.retain(|(other, _)| !other.is_gone());
    let number = numbered.next;
    numbered.next += 1;
    numbered.living.push((instance, number));
    number
}
