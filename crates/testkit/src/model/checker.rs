//! A breadth-first search: the first accident that it meets is one with the shortest way to it.

use std::collections::{HashSet, VecDeque};
use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};

/// What can be searched.
pub trait Model {
    /// Everything that decides what can happen next.
    type State: Clone + Hash;
    /// One event.
    type Action: Display;
    /// What must not be.
    type Accident: Copy + PartialEq;

    /// How it begins.
    fn start(&self) -> Self::State;

    /// Everything that can happen next, in a fixed order.
    fn actions(&self, state: &Self::State) -> Vec<Self::Action>;

    /// What an event makes of a state.
    fn after(&self, state: &Self::State, action: &Self::Action) -> Self::State;

    /// What is wrong with a state, if anything.
    fn accident(&self, state: &Self::State) -> Option<Self::Accident>;
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<A> {
    /// Every state within the bound was seen, and none is an accident.
    Holds,
    /// No accident among the states that were seen, but there are more.
    Cut,
    /// An accident, and the shortest way to it in words.
    Found(A, Vec<String>),
}

/// A search and its size.
#[derive(Clone, Debug)]
pub struct Report<A> {
    /// How it ended.
    pub outcome: Outcome<A>,
    /// How many different states were seen.
    pub states: usize,
}

/// Where a state came from: the state before it, and which of that one's actions led here.
struct Step {
    parent: usize,
    action: usize,
}

/// Looks at all states that can be reached, up to `limit` of them. States count as equal by a 64-bit hash.
pub fn check<M: Model>(model: &M, limit: usize) -> Report<M::Accident> {
    let start = model.start();
    let mut seen = HashSet::from([fingerprint(&start)]);
    let mut steps = vec![Step { parent: 0, action: 0 }];
    let mut queue = VecDeque::from([(start, 0)]);
    while let Some((state, at)) = queue.pop_front() {
        if let Some(accident) = model.accident(&state) {
            let outcome = Outcome::Found(accident, way_to(model, &steps, at));
            return Report { outcome, states: steps.len() };
        }
        for (index, action) in model.actions(&state).iter().enumerate() {
            let next = model.after(&state, action);
            if seen.insert(fingerprint(&next)) {
                queue.push_back((next, steps.len()));
                steps.push(Step { parent: at, action: index });
            }
        }
        if steps.len() > limit {
            return Report { outcome: Outcome::Cut, states: steps.len() };
        }
    }
    Report { outcome: Outcome::Holds, states: steps.len() }
}

/// The words of all actions from the start to a state.
fn way_to<M: Model>(model: &M, steps: &[Step], mut at: usize) -> Vec<String> {
    let mut taken = vec![];
    while at != 0 {
        taken.push(steps[at].action);
        at = steps[at].parent;
    }
    let mut state = model.start();
    let mut words = vec![];
    for index in taken.into_iter().rev() {
        let Some(action) = model.actions(&state).into_iter().nth(index) else { break };
        words.push(action.to_string());
        state = model.after(&state, &action);
    }
    words
}

fn fingerprint(state: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    state.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts up by one or by three, and must not meet a number.
    struct Count {
        forbidden: u32,
    }

    impl Model for Count {
        type State = u32;
        type Action = u32;
        type Accident = u32;

        fn start(&self) -> u32 {
            0
        }

        fn actions(&self, state: &u32) -> Vec<u32> {
            if *state < 10 { vec![1, 3] } else { vec![] }
        }

        fn after(&self, state: &u32, action: &u32) -> u32 {
            state + action
        }

        fn accident(&self, state: &u32) -> Option<u32> {
            (*state == self.forbidden).then_some(*state)
        }
    }

    #[test]
    fn the_shortest_way_is_told() {
        let report = check(&Count { forbidden: 7 }, 100);
        assert_eq!(report.outcome, Outcome::Found(7, vec!["1".to_owned(), "3".to_owned(), "3".to_owned()]));
    }

    #[test]
    fn all_states_are_seen_or_it_says_so() {
        let report = check(&Count { forbidden: 99 }, 100);
        assert_eq!((report.outcome, report.states), (Outcome::Holds, 13));
        assert_eq!(check(&Count { forbidden: 99 }, 5).outcome, Outcome::Cut);
    }
}
