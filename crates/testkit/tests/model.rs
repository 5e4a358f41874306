//! The protocol's rules, each with the accident that it prevents, found by a search through all orders of events.
//!
//! `--nocapture` prints the shortest way to each accident in words. A larger bound: `milepost-testkit model --large`.

#![expect(clippy::panic, reason = "a test ends at the first surprise")]

use milepost_testkit::model::{Outcome, Rule, Scenario, scenarios};

/// No scenario comes near it: all of them are seen whole.
const STATES: usize = 5_000_000;

#[test]
fn with_all_rules_on_there_is_no_accident() {
    for scenario in scenarios() {
        let report = scenario.check(STATES);
        println!("{}: {} states", scenario.name, report.states);
        match report.outcome {
            Outcome::Holds => {}
            Outcome::Cut => panic!("{}: more than {STATES} states", scenario.name),
            Outcome::Found(accident, way) => {
                panic!("{}: {accident}\n  {}", scenario.name, way.join("\n  "))
            }
        }
    }
}

/// How a rule that is off ends: its accident, after this many events.
const ACCIDENTS: &[(Rule, &str, usize)] = &[
    (Rule::R1, "a snapshot that is there names a file that was deleted", 13),
    (Rule::R2, "a snapshot that is there names a file that was deleted", 10),
    (Rule::R3, "one commit stands in two slots", 7),
    (Rule::R4, "a snapshot that is there names a file that was deleted", 5),
    (Rule::R5, "a commit from before a drop of all is there after it", 8),
    (Rule::R6, "two snapshots have one version", 10),
    (Rule::R7, "one step is there twice", 12),
    (Rule::R8, "a snapshot holds rows of two versions of its source", 7),
    (Rule::R9, "one job has two open runs", 4),
    (Rule::R10, "a snapshot that is there names a file that was deleted", 9),
    (Rule::ReadVersion, "the newest snapshot counts fewer steps than were reported", 12),
    (Rule::ReadFirst, "the newest snapshot counts fewer steps than were reported", 11),
    (Rule::Later, "a recompute answers with the damage", 8),
    (Rule::OtherFiles, "a recompute answers with the damage", 14),
];

#[test]
fn every_rule_keeps_its_accident_out() {
    assert_eq!(
        ACCIDENTS.iter().map(|(rule, ..)| *rule).collect::<Vec<_>>(),
        Rule::ALL,
        "no rule is left out"
    );
    for (rule, words, events) in ACCIDENTS {
        let scenario = scenario_for(*rule);
        let report = scenario.check_without(*rule, STATES);
        let Outcome::Found(accident, way) = report.outcome else {
            panic!("{rule} is off, and nothing happens in {} states of {:?}", report.states, scenario.name);
        };
        println!("{rule} off ({}): {accident}\n  {}", rule.broken(), way.join("\n  "));
        assert_eq!((accident.to_string().as_str(), way.len()), (*words, *events), "{rule} off: {way:#?}");
    }
}

/// A rule protects every scenario that says it needs it, not only the first.
#[test]
fn every_scenario_needs_the_rules_that_it_names() {
    for scenario in scenarios() {
        for rule in scenario.needs {
            let report = scenario.check_without(*rule, STATES);
            assert!(matches!(report.outcome, Outcome::Found(..)), "{} without {rule}", scenario.name);
        }
    }
}

fn scenario_for(rule: Rule) -> Scenario {
    let found = scenarios().into_iter().find(|scenario| scenario.needs.contains(&rule));
    found.unwrap_or_else(|| panic!("no scenario needs {rule}"))
}
