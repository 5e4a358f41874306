//! Tallies as a Markdown table.

use super::Tally;

/// One row for each loop.
#[must_use]
pub fn table(tallies: &[Tally]) -> String {
    let mut text = String::from("| loop | cases | seeds | seconds | failures |\n|---|---:|---|---:|---:|\n");
    for tally in tallies {
        let last = tally.seeds.end.saturating_sub(1);
        text += &format!(
            "| {} | {} {} | {} to {last} | {:.1} | {} |\n",
            tally.name,
            thousands(tally.cases),
            tally.unit,
            tally.seeds.start,
            tally.time.as_secs_f64(),
            usize::from(tally.failure.is_some()),
        );
    }
    text
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_row_for_each_loop() {
        let (seeds, time) = (0..10_000, Duration::from_millis(1_250));
        let tally = Tally { name: "power", seeds, cases: 10_000, unit: "cuts", time, failure: None };
        let text = table(std::slice::from_ref(&tally));
        assert_eq!(text.lines().last(), Some("| power | 10,000 cuts | 0 to 9999 | 1.2 | 0 |"));
        assert!(!tally.showed_nothing() && Tally { cases: 0, ..tally }.showed_nothing());
    }
}
