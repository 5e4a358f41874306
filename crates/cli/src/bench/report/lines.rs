//! The chart of the time that several runs take together, with checkpoints and without.

use std::fmt::Write;

use super::html::escape;
use super::words::time;

/// Pixels of the field, and of the numbers below it.
const HEIGHT: f64 = 220.0;
const BELOW: f64 = 44.0;
/// Where the first and the last run stand, in percent.
const LEFT: f64 = 3.0;
const RIGHT: f64 = 97.0;

/// Times in milliseconds.
pub(super) struct Growth {
    /// A run without checkpoints.
    pub(super) off: f64,
    /// The first run with them, and each one after it.
    pub(super) cold: f64,
    pub(super) warm: f64,
    /// How many runs are shown; at least two.
    pub(super) runs: u64,
}

impl Growth {
    /// All `runs` without checkpoints.
    fn without(&self, runs: u64) -> f64 {
        self.off * runs as f64
    }

    /// All `runs` with them.
    fn with(&self, runs: u64) -> f64 {
        self.cold + self.warm * runs.saturating_sub(1) as f64
    }

    /// The chart.
    pub(super) fn chart(&self, id: &str, title: &str, description: &str) -> String {
        let last = self.runs.max(2);
        let most = self.without(last).max(self.with(last)).max(self.cold).max(f64::MIN_POSITIVE);
        let x = |run: u64| LEFT + (RIGHT - LEFT) * (run - 1) as f64 / (last - 1) as f64;
        // A little room above the highest point.
        let y = |ms: f64| HEIGHT - ms / most * (HEIGHT - 20.0);
        let mut drawn = String::new();
        for part in [0.0, 0.5, 1.0] {
            let at = y(most * part);
            let _ =
                writeln!(drawn, "<line class=\"grid\" x1=\"0\" y1=\"{at:.1}\" x2=\"100%\" y2=\"{at:.1}\"/>");
            if part > 0.0 {
                let label = escape(&time(most * part));
                let _ = writeln!(drawn, "<text class=\"tick\" x=\"0\" y=\"{:.1}\">{label}</text>", at - 4.0);
            }
        }
        let each = (last / 10).max(1);
        for run in (1..=last).filter(|run| (run - 1) % each == 0) {
            let at = HEIGHT + 17.0;
            let _ = writeln!(
                drawn,
                "<text class=\"tick\" x=\"{:.2}%\" y=\"{at}\" text-anchor=\"middle\">{run}</text>",
                x(run)
            );
        }
        let below = HEIGHT + 37.0;
        let _ = writeln!(
            drawn,
            "<text class=\"tick\" x=\"50%\" y=\"{below}\" text-anchor=\"middle\">number of runs</text>"
        );
        let mut series = |class: &str, name: &str, of: &dyn Fn(u64) -> f64| {
            let _ = writeln!(
                drawn,
                "<line class=\"series {class}\" x1=\"{LEFT}%\" y1=\"{:.1}\" x2=\"{RIGHT}%\" y2=\"{:.1}\"/>",
                y(of(1)),
                y(of(last))
            );
            for run in 1..=last {
                let what = escape(&format!("{run} runs {name}: {}", time(of(run))));
                let _ = writeln!(
                    drawn,
                    "<circle class=\"point {class}\" cx=\"{:.2}%\" cy=\"{:.1}\" r=\"4\"><title>{what}</title></circle>",
                    x(run),
                    y(of(run))
                );
            }
        };
        series("off", "without checkpoints", &|runs: u64| self.without(runs));
        series("warm", "with checkpoints", &|runs: u64| self.with(runs));
        format!(
            "<svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" width=\"100%\" height=\"{}\">\n\
             <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n{drawn}</svg>\n",
            HEIGHT + BELOW,
            escape(title),
            escape(description)
        )
    }

    /// The figures of the chart, as rows: runs, without, with.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let row = |run: u64| vec![run.to_string(), time(self.without(run)), time(self.with(run))];
        (1..=self.runs.max(2)).map(row).collect()
    }
}
