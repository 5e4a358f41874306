//! The four ways in which a script is measured, and their order in a round.

use serde::Serialize;

/// A measured way to run the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    /// Without checkpoints.
    Off,
    /// With checkpoints, none of which is there yet.
    Cold,
    /// The same once more: all that can be reused is there.
    Warm,
    /// Started again after a kill in the middle.
    Resumed,
}

impl Mode {
    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Self; 4] = [Self::Off, Self::Cold, Self::Warm, Self::Resumed];

    /// Its name.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Cold => "cold",
            Self::Warm => "warm",
            Self::Resumed => "resumed",
        }
    }

    /// What it means, for people.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Off => "is without checkpoints",
            Self::Cold => "writes them into an empty store",
            Self::Warm => "finds them there",
            Self::Resumed => "was killed in the middle and is started again",
        }
    }
}

/// The modes of a round, numbered from 1, in order. Warm follows cold, whose store it needs; apart from that each has its
/// turn at being first, so that a machine that grows slower or faster favours none. The first round has cold before
/// resumed, which needs to know where the middle is.
pub(super) fn order(round: u32, resume: bool) -> Vec<Mode> {
    let mut blocks: Vec<&[Mode]> = vec![&[Mode::Off], &[Mode::Cold, Mode::Warm]];
    if resume {
        blocks.push(&[Mode::Resumed]);
    }
    let first = round.saturating_sub(1) as usize % blocks.len();
    blocks.rotate_left(first);
    blocks.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_rotates_and_keeps_warm_behind_cold() {
        use Mode::{Cold, Off, Resumed, Warm};
        assert_eq!(order(1, true), [Off, Cold, Warm, Resumed]);
        assert_eq!(order(2, true), [Cold, Warm, Resumed, Off]);
        assert_eq!(order(3, true), [Resumed, Off, Cold, Warm]);
        assert_eq!(order(4, true), order(1, true));
        assert_eq!(order(2, false), [Cold, Warm, Off]);
    }
}
