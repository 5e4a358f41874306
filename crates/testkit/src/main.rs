//! Runs the loops and the model as often as one likes: `milepost-testkit soak --full`.

use std::process::ExitCode;

use milepost_testkit::model::{Outcome, scenarios};
use milepost_testkit::soak::{Arguments, Command, USAGE, soak, table};

fn main() -> ExitCode {
    let done = match Command::parse(std::env::args().skip(1)) {
        Ok(Command::Soak(arguments)) => run_loops(&arguments),
        Ok(Command::Model { large, states }) => Ok(search(large, states)),
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found.
fn run_loops(arguments: &Arguments) -> Result<bool, milepost_testkit::Failure> {
    let tallies = soak(arguments, |tally| {
        eprintln!("{}: {} cases in {:.1} s", tally.name, tally.cases, tally.time.as_secs_f64());
        if tally.showed_nothing() {
            eprintln!("{}: nothing happened ({}): another seed may show more", tally.name, tally.unit);
        }
        if let Some(failure) = &tally.failure {
            eprintln!("FAILED {}: {failure}", tally.name);
        }
    })?;
    print!("{}", table(&tallies));
    Ok(tallies.iter().all(|tally| tally.failure.is_none()))
}

/// Whether all rules together keep every accident out, and each of them its own.
fn search(large: bool, states: usize) -> bool {
    let mut good = true;
    for scenario in scenarios() {
        let scenario = if large { scenario.larger() } else { scenario };
        let report = scenario.check(states);
        println!("{}: {} states", scenario.name, report.states);
        match report.outcome {
            Outcome::Holds => println!("  all rules on: no accident"),
            Outcome::Cut => println!("  all rules on: no accident so far, there are more states"),
            Outcome::Found(accident, way) => {
                good = false;
                println!("  all rules on: {accident}\n    {}", way.join("\n    "));
            }
        }
        for rule in scenario.needs {
            match scenario.check_without(*rule, states).outcome {
                Outcome::Found(accident, way) => {
                    println!("  {rule} off ({}): {accident}\n    {}", rule.broken(), way.join("\n    "));
                }
                _ => {
                    good = false;
                    println!("  {rule} off: nothing was found");
                }
            }
        }
    }
    good
}
