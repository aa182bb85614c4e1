//! One page for a browser.

use crate::run_file::RunFile;
use quick_xml::escape::escape;
use std::fmt::Write as _;

/// The run as a page.
#[must_use]
pub fn html(run: &RunFile) -> String {
    let mut page =
        String::from("<!doctype html>\n<meta charset=\"utf-8\">\n<title>memtwin</title>\n<h1>memtwin</h1>\n<table>\n");
    for subject in &run.subjects {
        let _ = writeln!(page, "<tr><th>{}<td>{}", escape(subject.name()), subject.verdict.word());
        for finding in &subject.findings {
            let _ = writeln!(page, "<tr><td>{}<td>{}", escape(&finding.signature), escape(&finding.trace));
        }
    }
    page.push_str("</table>\n");
    page
}
