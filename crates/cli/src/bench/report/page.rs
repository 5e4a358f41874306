//! The page: one file, without a script, that loads nothing.

use std::ffi::OsStr;
use std::path::Path;

use super::Report;
use super::figures;
use super::html::escape;
use super::sections::{checkpoints, growth, statements, totals};
use super::words::{equal, verdict};
use crate::units::{bytes, counted};

const STYLE: &str = include_str!("page.css");

/// The report as HTML.
pub(in crate::bench) fn page(report: &Report) -> String {
    let file = escape(name(report));
    let sections = [
        totals(report),
        growth(report),
        statements(report),
        checkpoints(report),
        comparison(report),
        runs(report),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>Milepost benchmark of {file}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}{}</main>\n</body>\n</html>\n",
        header(report),
        sections.concat()
    )
}

/// The script's name, without the folder that it lies in.
fn name(report: &Report) -> &str {
    Path::new(&report.script.file).file_name().and_then(OsStr::to_str).unwrap_or(&report.script.file)
}

fn header(report: &Report) -> String {
    let machine = &report.machine;
    let mut facts: Vec<String> = report.measured_at.clone().into_iter().collect();
    facts.extend([
        counted(u64::from(report.settings.rounds), "round"),
        counted(report.statements.len() as u64, "statement"),
        counted(machine.cores as u64, "core"),
    ]);
    facts.extend(machine.memory_bytes.map(|memory| format!("{} of memory", bytes(memory))));
    facts.extend(
        report.settings.memory_limit_bytes.map(|limit| format!("{} for queries", bytes(limit as u64))),
    );
    facts.push(machine.processor.clone().unwrap_or_else(|| machine.os.clone()));
    facts.push(format!("Milepost {} on DataFusion {}", report.program.milepost, report.program.datafusion));
    let facts: String = facts.iter().map(|fact| format!("<li>{}</li>", escape(fact))).collect();
    let verdict: String = verdict(report).iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
    let class = if report.comparison.different.is_empty() { "same" } else { "different" };
    format!(
        "<header>\n<p class=\"over\">Milepost benchmark</p>\n<h1>{}</h1>\n<ul class=\"facts\">{facts}</ul>\n\
         <ul class=\"verdict\">{verdict}</ul>\n<p class=\"badge {class}\">{}</p>\n</header>\n",
        escape(name(report)),
        escape(&equal(report))
    )
}

/// What was compared, and what was not.
fn comparison(report: &Report) -> String {
    let found = &report.comparison;
    let list = |heading: &str, items: Vec<(u64, &str)>| {
        if items.is_empty() {
            return String::new();
        }
        let items: String = items
            .iter()
            .map(|(number, what)| {
                format!("<li><code>{}</code>: {}</li>", escape(&report.label(*number)), escape(what))
            })
            .collect();
        format!("<h3>{heading}</h3>\n<ul class=\"found\">{items}</ul>\n")
    };
    let different = found.different.iter().map(|one| (one.statement, one.what.as_str())).collect();
    let open = found.open.iter().map(|one| (one.statement, one.what.as_str())).collect();
    let exempt = found.exempt.iter().map(|one| (one.statement, one.why.as_str())).collect();
    format!(
        "<section id=\"rows\">\n<h2>The rows</h2>\n<p class=\"says\">{}</p>\n{}{}{}</section>\n",
        escape(&equal(report)),
        list("Different", different),
        list("Different, as SQL allows", open),
        list("Not compared", exempt),
    )
}

fn runs(report: &Report) -> String {
    let script = escape(&report.script.hash);
    format!(
        "<section id=\"runs\">\n<h2>Every run</h2>\n<p class=\"says\">Each run was a process of its own; the order rotated from round to \
         round.</p>\n<details>\n<summary>All runs</summary>\n{}</details>\n<p>The script’s hash: <code class=\"hash\">{script}</code></p>\n</section>\n",
        figures::rounds(report)
    )
}
