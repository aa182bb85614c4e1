//! docs/claims.md: what the five reports claim, each claim with its evidence, which is run here row by row.

use memtwin::Registry;
use memtwin::finding::Ending;
use memtwin::isolate::Isolation;
use memtwin::lockstep::Audits;
use memtwin::trace_files::load;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How many traces a row's campaign draws: with the time it takes in mind, and beyond where the catalogue is caught.
const DRAWN_TRACES: u64 = 400;
const SEED: u64 = 7;

/// A row of the page.
#[derive(Debug)]
struct Row {
    component: String,
    claim: String,
    verdict: String,
    evidence: String,
    subject: String,
    end: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rows() -> Vec<Row> {
    let text = std::fs::read_to_string(root().join("docs/claims.md")).expect("the page is there");
    let (mut component, mut rows) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut component);
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [claim, verdict @ ("confirmed" | "refuted"), evidence, subject, end] = cells[..] else { continue };
        rows.push(Row {
            component: component.clone(),
            claim: claim.to_owned(),
            verdict: verdict.to_owned(),
            evidence: evidence.replace('`', ""),
            subject: subject.replace('`', ""),
            end: end.replace('`', ""),
        });
    }
    rows
}

/// Traces drawn for a subject of a component, as bytes.
fn drawn(registry: &Registry, target: usize) -> Vec<Vec<u8>> {
    let target = registry.targets().nth(target).expect("the index is the registry's");
    let mut source = target.traces();
    (0..DRAWN_TRACES)
        .map(|index| {
            let mut wire = Vec::new();
            source.write(SEED, index, &mut wire);
            wire
        })
        .collect()
}

#[test]
fn every_claim_ends_as_the_page_says() {
    let registry = memtwin::built_in();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_memtwin"));
    let mut isolation =
        Isolation::start_from(program, Arc::new(AtomicBool::new(false))).expect("the program serves as a zygote");
    let rows = rows();
    let mut wrong = Vec::new();
    for row in &rows {
        let index = registry.index_of(&row.component, &row.subject).expect("the subject is in the registry");
        let dialect = registry.targets().nth(index).expect("it has an index").dialect();
        let traces = if row.evidence == "drawn traces" {
            drawn(&registry, index)
        } else {
            vec![load(&registry, &root().join(&row.evidence)).expect("the evidence is committed").wire]
        };
        for wire in traces {
            let seen = match isolation.replay(index, &wire, Audits::Full).expect("workers can be forked") {
                Some(Ending::Agreed) => "agreement".to_owned(),
                Some(Ending::Failed(failure)) => dialect.signature(&wire, &failure).as_str().to_owned(),
                Some(Ending::Unsupported(_)) => continue,
                other => panic!("{row:?}: {other:?}"),
            };
            // The law or the kind of death is a part of the signature; the whole of it is one, too.
            let is_so = match row.end.strip_prefix("no ") {
                Some(absent) => !format!("/{seen}/").contains(&format!("/{absent}/")),
                None => row.end == seen,
            };
            if !is_so {
                wrong.push(format!("{} {}: {}: not {}, but {seen}", row.component, row.subject, row.claim, row.end));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn claims_of_every_report_are_confirmed_and_refuted() {
    let rows = rows();
    for component in ["guest_memory", "brk_heap", "header_free", "page_walk", "temp_map"] {
        for verdict in ["confirmed", "refuted"] {
            let count = rows.iter().filter(|row| row.component == component && row.verdict == verdict).count();
            assert!(2 <= count, "{component} has {count} claims that are {verdict}");
        }
    }
}
