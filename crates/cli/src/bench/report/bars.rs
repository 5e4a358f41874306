//! Charts of bars.
//!
//! Lengths are parts of the chart's width and heights are pixels, so that a chart fits any screen while its letters keep
//! their size. A group is a line of text and its bars below it.

use std::fmt::Write;

use super::html::escape;

/// One bar.
pub(super) struct Bar {
    /// The class that gives its colour.
    pub(super) class: &'static str,
    /// How long it is, in the chart's unit; none if there is nothing to show but the text.
    pub(super) value: Option<f64>,
    /// The least and the greatest measurement.
    pub(super) whiskers: Option<(f64, f64)>,
    /// What stands behind it.
    pub(super) text: String,
    /// What is told when somebody points at it.
    pub(super) title: String,
}

/// Bars that belong together.
pub(super) struct Group {
    /// To the left above them.
    pub(super) label: String,
    /// To the right above them.
    pub(super) note: String,
    pub(super) bars: Vec<Bar>,
}

/// How a chart looks.
pub(super) struct Look {
    /// The height of a bar, in pixels.
    pub(super) thick: u32,
    /// The width of the longest bar, in percent.
    pub(super) widest: f64,
}

/// The pixels of a group's line of text, and those below a group.
const LINE: u32 = 20;
const GAP: u32 = 14;

/// A chart. `id` tells it from others on the page.
pub(super) fn bars(id: &str, title: &str, description: &str, look: &Look, groups: &[Group]) -> String {
    let longest = groups.iter().flat_map(|group| &group.bars).filter_map(|bar| {
        let whisker = bar.whiskers.map_or(0.0, |(_, most)| most);
        bar.value.map(|value| value.max(whisker))
    });
    let longest = longest.fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let scale = look.widest / longest;
    let (mut drawn, mut top) = (String::new(), 0);
    for group in groups {
        let _ = writeln!(
            drawn,
            "<text class=\"label\" x=\"0\" y=\"{}\">{}</text>",
            top + 14,
            escape(&group.label)
        );
        if !group.note.is_empty() {
            let note = escape(&group.note);
            let _ = writeln!(
                drawn,
                "<text class=\"note\" x=\"100%\" y=\"{}\" text-anchor=\"end\">{note}</text>",
                top + 14
            );
        }
        top += LINE;
        for bar in &group.bars {
            draw(&mut drawn, bar, top, look.thick, scale);
            top += look.thick + 3;
        }
        top += GAP;
    }
    let height = top.saturating_sub(GAP);
    format!(
        "<svg role=\"img\" aria-labelledby=\"{id}-t {id}-d\" width=\"100%\" height=\"{height}\">\n\
         <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n{drawn}</svg>\n",
        escape(title),
        escape(description)
    )
}

fn draw(drawn: &mut String, bar: &Bar, top: u32, thick: u32, scale: f64) {
    let middle = f64::from(top) + f64::from(thick) / 2.0;
    let at = |value: f64| value.max(0.0) * scale;
    let mut end = 0.0;
    let _ = writeln!(drawn, "<g><title>{}</title>", escape(&bar.title));
    if let Some(value) = bar.value {
        end = at(value);
        let class = bar.class;
        let _ = writeln!(
            drawn,
            "<rect class=\"bar {class}\" x=\"0\" y=\"{top}\" width=\"{end:.2}%\" height=\"{thick}\" rx=\"2\"/>"
        );
    }
    if let Some((least, most)) = bar.whiskers {
        let (from, to) = (at(least), at(most));
        end = end.max(to);
        let mut line = |x1: f64, y1: f64, x2: f64, y2: f64| {
            let _ = writeln!(
                drawn,
                "<line class=\"whisker\" x1=\"{x1:.2}%\" y1=\"{y1}\" x2=\"{x2:.2}%\" y2=\"{y2}\"/>"
            );
        };
        let (high, low) = (middle - 5.0, middle + 5.0);
        line(from, middle, to, middle);
        line(from, high, from, low);
        line(to, high, to, low);
    }
    if !bar.text.is_empty() {
        let gap = if bar.value.is_some() { 6 } else { 0 };
        let _ = writeln!(
            drawn,
            "<text class=\"value\" x=\"{end:.2}%\" dx=\"{gap}\" y=\"{:.1}\">{}</text>",
            middle + 4.0,
            escape(&bar.text)
        );
    }
    drawn.push_str("</g>\n");
}

/// A list of colours and what they stand for.
pub(super) fn legend(entries: &[(&str, &str)]) -> String {
    let entries: String = entries
        .iter()
        .map(|(class, text)| format!("<li><span class=\"swatch {class}\"></span>{}</li>", escape(text)))
        .collect();
    format!("<ul class=\"legend\">{entries}</ul>\n")
}
