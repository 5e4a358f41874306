//! The command line.

use std::time::Duration;

/// What can be asked for.
pub const USAGE: &str = "\
usage: milepost-testkit soak [--minutes N | --full] [--only NAME] [--seed S]
       milepost-testkit model [--large] [--states N]

soak   runs the loops of docs/reliability.md and prints a table; without a choice as often as the tests do
model  searches the protocol's model for accidents and prints the shortest way to each";

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run loops.
    Soak(Arguments),
    /// Search the model.
    Model {
        /// With one more fault, one more round, one more driver.
        large: bool,
        /// How many states of each scenario.
        states: usize,
    },
}

/// Which loops, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// How often.
    pub extent: Extent,
    /// The name of one loop.
    pub only: Option<String>,
    /// One seed.
    pub seed: Option<u64>,
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// As often as the tests.
    Short,
    /// As often as it takes to believe it.
    Full,
    /// As often as there is time, shared by all loops.
    Time(Duration),
}

/// Enough for all but the largest scenarios, in a few gigabytes.
const STATES: usize = 20_000_000;

impl Command {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut words = arguments.into_iter();
        match words.next().as_deref() {
            Some("soak") => soak(words).map(Self::Soak),
            Some("model") => model(words),
            Some(other) => Err(format!("there is no command {other}")),
            None => Err("a command is missing".to_owned()),
        }
    }
}

fn soak(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments { extent: Extent::Short, only: None, seed: None };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--full" => arguments.extent = Extent::Full,
            "--minutes" => {
                let minutes = number(&word, words.next())?;
                arguments.extent = Extent::Time(Duration::from_secs(minutes.saturating_mul(60)));
            }
            "--only" => arguments.only = Some(words.next().ok_or("--only needs a name")?),
            "--seed" => arguments.seed = Some(number(&word, words.next())?),
            other => return Err(format!("soak knows no {other}")),
        }
    }
    Ok(arguments)
}

fn model(mut words: impl Iterator<Item = String>) -> Result<Command, String> {
    let (mut large, mut states) = (false, STATES);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--large" => large = true,
            "--states" => {
                states = usize::try_from(number(&word, words.next())?).map_err(|error| error.to_string())?;
            }
            other => return Err(format!("model knows no {other}")),
        }
    }
    Ok(Command::Model { large, states })
}

fn number(option: &str, word: Option<String>) -> Result<u64, String> {
    let word = word.ok_or_else(|| format!("{option} needs a number"))?;
    word.parse().map_err(|error| format!("{option} {word}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn the_command_line_is_read() {
        let short = Arguments { extent: Extent::Short, only: None, seed: None };
        assert_eq!(parse("soak"), Ok(Command::Soak(short.clone())));
        let time = Extent::Time(Duration::from_secs(300));
        assert_eq!(parse("soak --minutes 5"), Ok(Command::Soak(Arguments { extent: time, ..short.clone() })));
        let one = Arguments { only: Some("power".to_owned()), seed: Some(17), ..short };
        assert_eq!(parse("soak --only power --seed 17"), Ok(Command::Soak(one)));
        assert_eq!(parse("model --large --states 9"), Ok(Command::Model { large: true, states: 9 }));
    }

    #[test]
    fn what_it_does_not_know_is_refused() {
        for line in ["", "walk", "soak --minutes", "soak --seed x", "soak --large", "model --full"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
