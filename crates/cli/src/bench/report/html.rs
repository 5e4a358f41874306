//! Text that is safe in HTML, and tables.

use std::fmt::Write;

/// Text as HTML shows it, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Nothing that HTML forbids or that turns the direction of the text around.
            c if c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c) =>
            {
                safe.push('\u{fffd}');
            }
            c => safe.push(c),
        }
    }
    safe
}

/// A column of a table.
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Whether it holds figures, which stand to the right.
    pub(super) figures: bool,
}

/// A column of words.
pub(super) const fn words(head: &'static str) -> Column {
    Column { head, figures: false }
}

/// A column of figures.
pub(super) const fn figures(head: &'static str) -> Column {
    Column { head, figures: true }
}

/// Heads of rows that are longer may take several lines.
const LONG: usize = 20;

/// A table. The first cell of a row is its head. Cells are text, not HTML.
pub(super) fn table(caption: &str, columns: &[Column], rows: &[Vec<String>]) -> String {
    let class = |column: &Column| if column.figures { " class=\"n\"" } else { "" };
    let caption = escape(caption);
    let long = rows.iter().filter_map(|row| row.first()).any(|head| head.chars().count() > LONG);
    let class_of_table = if long { " class=\"long\"" } else { "" };
    // It scrolls by itself where the screen is narrow, also with the keyboard.
    let mut text = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{caption}\">\n<table{class_of_table}>\n<caption>{caption}</caption>\n<thead><tr>"
    );
    for column in columns {
        let _ = write!(text, "<th scope=\"col\"{}>{}</th>", class(column), escape(column.head));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        text.push_str("<tr>");
        for (index, (cell, column)) in row.iter().zip(columns).enumerate() {
            let cell = escape(cell);
            let _ = if index == 0 {
                write!(text, "<th scope=\"row\">{cell}</th>")
            } else {
                write!(text, "<td{}>{cell}</td>", class(column))
            };
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table>\n</div>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_script_becomes_markup() {
        assert_eq!(
            escape("<script>\"a\" & 'b'</script>"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;"
        );
        assert_eq!(escape("a\u{202e}b\u{7}"), "a\u{fffd}b\u{fffd}");
    }
}
