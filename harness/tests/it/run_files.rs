//! Run files: merged in any order and grouping they say the same, compared they say what changed, and whatever foreign
//! text is in them harms no report.

use memtwin::explain::story::{Came, End, Story, ToldStep};
use memtwin::report::{Format, Report};
use memtwin::run_file::{
    Finding, GrowthPoint, Kind, KnownSteps, RunFile, Status, SubjectRun, TraceRun, Verdict, compare, merge, parse,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

const FORMATS: [Format; 4] = [Format::Html, Format::Junit, Format::Sarif, Format::Md];

fn finding(signature: &str, trace: &str) -> Finding {
    let registry = memtwin::built_in();
    Finding::of(registry.dialect("guest_memory").unwrap(), signature, trace.to_owned(), 3)
}

fn subject(name: &str, findings: Vec<Finding>) -> SubjectRun {
    SubjectRun {
        component: "guest_memory".to_owned(),
        subject: name.to_owned(),
        health: "sound".to_owned(),
        defect: None,
        verdict: if findings.is_empty() { Verdict::Agreed } else { Verdict::Diverged },
        traces: 10,
        ops: 1000,
        moot: 1,
        unsupported: 2,
        rebuilt: None,
        unconfirmed: 0,
        not_judged: 0,
        seconds: 0.5,
        features: 7,
        outcomes: BTreeMap::from([("read".to_owned(), BTreeMap::from([("done".to_owned(), 900)]))]),
        shortfalls: Vec::new(),
        known_steps: Vec::new(),
        findings,
        growth: Vec::new(),
    }
}

fn campaign(seed: u64, subjects: Vec<SubjectRun>) -> RunFile {
    RunFile::new(Kind::Fuzz, seed, subjects, Vec::new())
}

fn trace(name: &str, status: Status) -> TraceRun {
    TraceRun {
        trace: name.to_owned(),
        target: "guest_memory/soft_mmu".to_owned(),
        status,
        unexpected: status == Status::New,
        expected: None,
        seen: (status == Status::New).then(|| "guest_memory/bounds/read/result".to_owned()),
        reason: None,
    }
}

/// What a file says: through its text, as other programs get it.
fn written(run: &RunFile) -> String {
    serde_json::to_string(run).unwrap()
}

fn reread(run: &RunFile) -> RunFile {
    parse(Path::new("run.json"), written(run).as_bytes()).unwrap()
}

fn findings() -> impl Strategy<Value = Vec<Finding>> {
    let one =
        (0..3_u8, 0..3_u64, proptest::option::of("[ab]"), proptest::option::of(prop::sample::select(&Status::ALL[..])));
    let one = one.prop_map(|(number, executions, known, status)| {
        let signature = ["guest_memory/bounds/read/result", "guest_memory/segfault/write", "guest_memory/hang/read"];
        Finding { executions, known, status, ..finding(signature[usize::from(number)], "a.jsonl") }
    });
    proptest::collection::vec(one, 0..3)
}

fn subjects() -> impl Strategy<Value = Vec<SubjectRun>> {
    const VERDICTS: &[Verdict] = &[Verdict::Agreed, Verdict::Known, Verdict::Diverged];
    let one = (0..3_usize, 0..1000_u64, any::<f64>(), findings(), prop::sample::select(VERDICTS), any::<bool>());
    let one = one.prop_map(|(name, ops, seconds, findings, verdict, short)| {
        let name = ["physical_memory", "soft_mmu", "third"][name];
        let seconds = if seconds.is_finite() { seconds.abs() % 1e6 } else { 0.1 };
        let growth = vec![GrowthPoint { ops, traces: ops, seconds, features: 3 }];
        let shortfalls = if short { vec!["too few".to_owned()] } else { Vec::new() };
        SubjectRun { ops, seconds, verdict, growth, shortfalls, ..subject(name, findings) }
    });
    proptest::collection::btree_map(any::<u8>(), one, 0..3).prop_map(|map| {
        let mut subjects: Vec<SubjectRun> = map.into_values().collect();
        subjects.sort_by(|one, other| one.subject.cmp(&other.subject));
        subjects.dedup_by(|one, other| one.subject == other.subject);
        subjects
    })
}

fn runs() -> impl Strategy<Value = RunFile> {
    let traces = proptest::collection::btree_map("[ab]", prop::sample::select(&Status::ALL[..]), 0..3);
    (any::<bool>(), 0..2_u64, subjects(), traces).prop_map(|(is_fuzz, seed, subjects, traces)| {
        let traces = traces.iter().map(|(name, status)| trace(name, *status)).collect();
        if is_fuzz { campaign(seed, subjects) } else { RunFile::new(Kind::Regress, 0, subjects, traces) }
    })
}

fn merged<const N: usize>(runs: [&RunFile; N]) -> RunFile {
    reread(&merge(runs.map(reread)).unwrap().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn merging_is_associative_commutative_and_idempotent(a in runs(), b in runs(), c in runs()) {
        let all = merged([&a, &b, &c]);
        prop_assert_eq!(&merged([&merged([&a, &b]), &c]), &all);
        prop_assert_eq!(&merged([&a, &merged([&b, &c])]), &all);
        prop_assert_eq!(merged([&a, &b]), merged([&b, &a]));
        prop_assert_eq!(&merged([&a, &a]), &a);
        prop_assert_eq!(&merged([&all, &all, &b]), &all);
    }

    #[test]
    fn merging_loses_no_finding_and_adds_no_count_twice(a in runs(), b in runs()) {
        let both = merged([&a, &b]);
        let signatures = |run: &RunFile| -> std::collections::BTreeSet<(String, String)> {
            run.findings().map(|(subject, finding)| (subject.name(), finding.signature.clone())).collect()
        };
        prop_assert_eq!(signatures(&both), &signatures(&a) | &signatures(&b));
        let ops = |run: &RunFile| run.totals.ops;
        prop_assert!(ops(&both) <= ops(&a) + ops(&b));
        prop_assert!(ops(&a).max(ops(&b)) <= ops(&both));
        if a.kind != b.kind || a.seed != b.seed {
            prop_assert_eq!(ops(&both), ops(&a) + ops(&b));
        }
        if !a.totals.is_as_expected() && !a.subjects.iter().any(|subject| subject.health == "broken") {
            prop_assert!(!both.totals.is_as_expected());
        }
    }

    #[test]
    fn files_survive_being_written_and_read(run in runs()) {
        prop_assert_eq!(&reread(&run), &run);
        crate::forms::is_run_file(&serde_json::from_str(&written(&run)).unwrap());
    }
}

#[test]
fn the_longer_of_two_runs_of_one_seed_holds_the_shorter() {
    let short = campaign(1, vec![subject("soft_mmu", Vec::new())]);
    let mut long = subject("soft_mmu", vec![finding("guest_memory/hang/read", "h.jsonl")]);
    (long.ops, long.features) = (5000, 9);
    let long = campaign(1, vec![long]);
    let other = campaign(2, vec![subject("soft_mmu", Vec::new())]);
    let both = merged([&short, &long]);
    assert_eq!((both.totals.ops, both.totals.findings, both.subjects[0].verdict), (5000, 1, Verdict::Diverged));
    let all = merged([&short, &long, &other]);
    assert_eq!((all.totals.ops, all.subjects[0].features, all.subjects[0].outcomes["read"]["done"]), (6000, 9, 1800));
    assert_eq!((all.runs.len(), all.kind), (3, Kind::Merged));
    crate::forms::is_run_file(&serde_json::from_str(&written(&all)).unwrap());
}

#[test]
fn comparing_says_what_is_new_fixed_and_still_there() {
    let (one, two) = (finding("guest_memory/hang/read", "1.jsonl"), finding("guest_memory/segfault/read", "2.jsonl"));
    let mut slow = subject("soft_mmu", vec![one.clone()]);
    slow.seconds = 1.0;
    let old = campaign(1, vec![slow, subject("third", vec![two.clone()])]);
    let new = campaign(2, vec![subject("soft_mmu", vec![two.clone()]), subject("physical_memory", vec![one.clone()])]);
    let compared = compare::compare(&old, &new);
    let names =
        |list: &[compare::Compared]| list.iter().map(|one| format!("{} {}", one.target, one.trace)).collect::<Vec<_>>();
    assert_eq!(names(&compared.new), ["guest_memory/physical_memory 1.jsonl", "guest_memory/soft_mmu 2.jsonl"]);
    assert_eq!(names(&compared.fixed), ["guest_memory/soft_mmu 1.jsonl"]);
    assert_eq!(names(&compared.not_run), ["guest_memory/third 2.jsonl"]);
    assert!(compared.still.is_empty() && compared.is_worse());
    assert_eq!((compared.throughput.len(), compared.throughput[0].ratio), (1, 2.0));
    let same = compare::compare(&new, &new);
    assert_eq!((same.still.len(), same.is_worse()), (2, false));

    // What is accepted is new and no worse. A Broken subject that is missed is worse.
    let mut accepted = new.clone();
    accepted
        .subjects
        .iter_mut()
        .flat_map(|subject| &mut subject.findings)
        .for_each(|finding| finding.known = Some("why".into()));
    assert!(!compare::compare(&old, &accepted).is_worse());
    let broken =
        |verdict| campaign(1, vec![SubjectRun { health: "broken".into(), verdict, ..subject("GM-01", Vec::new()) }]);
    let (caught, missed) = (broken(Verdict::Caught), broken(Verdict::Missed));
    assert!(compare::compare(&caught, &missed).is_worse() && !compare::compare(&missed, &missed).is_worse());
    assert_eq!(compare::compare(&missed, &caught).caught, ["guest_memory/GM-01"]);
}

#[test]
fn what_is_no_run_file_is_complained_about() {
    let complaint = |text: &str| parse(Path::new("run.json"), text.as_bytes()).unwrap_err().to_string();
    assert!(complaint("").starts_with("run.json is no run file: "));
    assert!(complaint("[]").starts_with("run.json is no run file: "));
    assert!(complaint("{\"schema\":\"memtwin-run/2\"}").contains("use a newer one"));
    assert!(complaint("{\"schema\":\"memtwin-run/1\"}").contains("missing field"));
    let alone = RunFile { kind: Kind::Merged, ..campaign(1, Vec::new()) };
    assert!(complaint(&written(&alone)).contains("merged"));
    let nested = merged([&campaign(1, Vec::new()), &campaign(2, Vec::new())]);
    let nested = RunFile { runs: vec![nested], ..alone };
    assert!(complaint(&written(&nested)).contains("merged"));
    // What an older version wrote is a campaign.
    let mut old = serde_json::to_value(campaign(1, vec![subject("soft_mmu", Vec::new())])).unwrap();
    for field in ["kind", "known"] {
        old.as_object_mut().unwrap().remove(field);
        old["totals"].as_object_mut().unwrap().remove(field);
    }
    assert_eq!(parse(Path::new("run.json"), old.to_string().as_bytes()).unwrap().kind, Kind::Fuzz);
}

fn memtwin(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_memtwin")).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn the_verbs_merge_compare_and_report_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, run: &RunFile| std::fs::write(folder.path().join(name), written(run)).unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    write("one.json", &campaign(1, vec![subject("soft_mmu", vec![finding("guest_memory/hang/read", "h.jsonl")])]));
    write("two.json", &campaign(2, vec![subject("soft_mmu", Vec::new())]));
    let run = |arguments: &[&str]| {
        let output = memtwin(folder.path(), arguments);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(
        run(&["merge", "one.json", "two.json", "-o", "both.json"]),
        (Some(0), "2 runs, 1 subjects, 1 findings in both.json\n".to_owned())
    );
    assert_eq!(run(&["merge", "two.json", "both.json", "one.json", "-o", "again.json"]).0, Some(0));
    assert_eq!(read("both.json"), read("again.json"));
    let (code, text) = run(&["compare", "two.json", "both.json"]);
    assert_eq!(
        (code, text.lines().next()),
        (Some(1), Some("new      guest_memory/hang/read on guest_memory/soft_mmu: h.jsonl"))
    );
    assert_eq!(
        run(&["report", "both.json", "--to", "md,junit,md", "-o", "out"]),
        (Some(0), "out/junit.xml\nout/report.md\n".to_owned())
    );
    assert_eq!(crate::forms::is_junit(&read("out/junit.xml")), (1, 1));
}

#[test]
fn the_verbs_complain_in_one_line_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.json"), "{\"schema\":\"\\u001b[31m\"}").unwrap();
    let good = campaign(1, vec![subject("soft_mmu", Vec::new())]);
    std::fs::write(folder.path().join("good.json"), written(&good)).unwrap();
    std::fs::write(folder.path().join("nothing.json"), written(&campaign(1, Vec::new()))).unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let before = std::fs::read_dir(folder.path()).unwrap().count();
    for (arguments, about) in [
        (&["report", "none.json"][..], "none.json"),
        (&["report", "bad.json"], "use a newer one"),
        (&["report", "good.json", "-o", "good.json/below"], "cannot write"),
        (&["merge", "good.json", "bad.json", "-o", "merged.json"], "bad.json"),
        (&["merge", "good.json", "-o", "good.json/below"], "cannot write"),
        (&["report", "nothing.json"], "nothing.json says nothing"),
        (&["compare", "good.json", "nothing.json"], "nothing.json says nothing"),
        (&["compare", "nothing.json", "good.json"], "nothing.json says nothing"),
        (&["merge", "nothing.json", "-o", "merged.json"], "nothing to merge"),
        (&["compare", "good.json", "empty"], "cannot read empty"),
        (&["regress", "nowhere"], "nowhere"),
        (&["regress", "empty"], "no committed trace in empty"),
        (&["regress", "good.json", "--baseline", "bad.json"], "bad.json"),
        (&["regress", "good.json", "--known", "none.json"], "none.json"),
    ] {
        let output = memtwin(folder.path(), arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{arguments:?}: {errors}");
        assert!(errors.starts_with("error: ") && errors.contains(about), "{arguments:?}: {errors}");
        assert!(output.stdout.is_empty() && !errors.trim_end().contains(char::is_control), "{arguments:?}: {errors:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before);
}

/// Text that a terminal, a browser, an XML reader, Markdown or a code host would obey.
const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;title\x07",
    "a\0b",
    "]]> & \"quoted\" 'single'",
    "`code` ``` | pipe | **bold** [link](javascript:alert(1)) @everyone",
    "\u{202e}reversed\u{2066}",
    "line\r\nfeed\ttab\u{2028}\u{feff}\u{ffff}",
    "</title></style><img src=x onerror=alert(1)>",
];

fn story(text: &str) -> Story {
    let text = || text.to_owned();
    Story {
        component: text(),
        subject: text(),
        defect: Some(text()),
        shows: Some(text()),
        trace: text(),
        setup: text(),
        earlier: 0,
        steps: vec![ToldStep { op: text(), allowed: text(), seen: Some(text()), came: Came::Died, picture: None }],
        later: 0,
        end: End::Died {
            place: text(),
            class: text(),
            words: text(),
            allowed: None,
            address: None,
            said: vec![text()],
            frames: vec![format!("{} at {}:7", text(), text())],
        },
        diagnosis: Some(text()),
        signature: Some(text()),
        replay: text(),
    }
}

fn hostile_run(text: &str) -> RunFile {
    let text = || text.to_owned();
    let finding = Finding {
        signature: text(),
        kind: text(),
        law: Some(text()),
        op: text(),
        trace: text(),
        shapes: vec![text()],
        story: Some(story(&text())),
        status: Some(Status::New),
        ..finding("guest_memory/hang/read", "h.jsonl")
    };
    let known = Finding { known: Some(text()), status: None, ..finding.clone() };
    let subject = SubjectRun {
        component: text(),
        subject: text(),
        defect: Some(text()),
        shortfalls: vec![text()],
        known_steps: vec![KnownSteps { signature: text(), steps: 3, reason: Some(text()) }],
        outcomes: BTreeMap::from([(text(), BTreeMap::from([(text(), 1)]))]),
        ..subject("", vec![finding, known])
    };
    let target = subject.name();
    let row = |status| TraceRun {
        trace: text(),
        target: target.clone(),
        expected: Some(text()),
        seen: Some(text()),
        reason: Some(text()),
        ..trace("", status)
    };
    let alone = TraceRun { target: text(), seen: None, unexpected: true, ..row(Status::Gone) };
    let traces = Status::ALL.map(row).into_iter().chain([alone]).collect();
    let missed = SubjectRun { health: "broken".into(), verdict: Verdict::Missed, ..subject.clone() };
    RunFile {
        engine: Some(text()),
        shard: Some(text()),
        ..RunFile::new(Kind::Regress, 0, vec![subject, missed], traces)
    }
}

#[test]
fn foreign_text_harms_no_form() {
    let registry = memtwin::built_in();
    // An op of ten megabytes, and a trace named so.
    let mut long = hostile_run("");
    for finding in &mut long.subjects[0].findings {
        finding.trace = "x".repeat(10 << 20);
        finding.story.as_mut().unwrap().steps[0].op = "y".repeat(10 << 20);
    }
    let texts = HOSTILE.map(str::to_owned).into_iter().chain([HOSTILE.concat()]);
    for run in texts.map(|text| hostile_run(&text)).chain([long]) {
        let run = reread(&run);
        let report = Report::new(&run).unwrap();
        for format in FORMATS {
            let text = report.render(&registry, format).unwrap();
            let obeyed =
                |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202e}' | '\u{2066}' | '\u{2028}' | '\u{ffff}');
            assert!(!text.contains(obeyed), "{format:?} has a raw character");
            assert!(text.len() < 1 << 20, "{format:?} has {} bytes", text.len());
        }
        let [html, junit, sarif, comment] = FORMATS.map(|format| report.render(&registry, format).unwrap());
        assert!(!html.contains("<script>alert") && !html.contains("<img") && !html.contains("</style></title>"));
        crate::forms::is_junit(&junit);
        crate::forms::is_sarif(&sarif);
        // Outside of code spans there is nothing of it.
        assert!(!without_code(&comment).contains(['<', '@', '[']), "{}", without_code(&comment));
    }
}

/// Markdown without its code spans, as CommonMark finds them.
fn without_code(markdown: &str) -> String {
    let mut rest = markdown;
    let mut without = String::new();
    while let Some(start) = rest.find('`') {
        without.push_str(&rest[..start]);
        let fence = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let inside = &rest[start + fence..];
        let mut at = 0;
        let end = loop {
            let Some(next) = inside[at..].find('`').map(|next| at + next) else { break None };
            let run = inside[next..].len() - inside[next..].trim_start_matches('`').len();
            if run == fence {
                break Some(next + fence);
            }
            at = next + run;
        };
        match end {
            Some(end) => rest = &inside[end..],
            None => {
                without.push_str(&rest[start..start + fence]);
                rest = inside;
            }
        }
    }
    without + rest
}

#[test]
fn a_hundred_findings_and_ten_thousand_traces_are_small_reports() {
    let findings: Vec<_> = (0..100)
        .map(|number| Finding {
            story: Some(story(&"a story of some length, ".repeat(80))),
            status: Some(Status::New),
            ..finding(
                &format!("guest_memory/bounds/read/field_{number}"),
                &format!("target/memtwin/guest_memory/{number}.jsonl"),
            )
        })
        .collect();
    let traces = (0..10_000)
        .map(|number| {
            trace(&format!("corpus/guest_memory/seed-number-{number:05}"), Status::ALL[number % Status::ALL.len()])
        })
        .collect();
    let run = RunFile::new(Kind::Regress, 0, vec![subject("soft_mmu", findings)], traces);
    let report = Report::new(&run).unwrap();
    let registry = memtwin::built_in();
    for format in FORMATS {
        let text = report.render(&registry, format).unwrap();
        assert!(text.len() <= 5_000_000, "{format:?} has {} bytes", text.len());
    }
    let comment = report.render(&registry, Format::Md).unwrap();
    assert!(comment.len() <= 60_200 && comment.contains("more lines are left out"), "{} bytes", comment.len());
    assert_eq!(crate::forms::is_junit(&report.render(&registry, Format::Junit).unwrap()), (10_000, 1_250));
    crate::forms::is_sarif(&report.render(&registry, Format::Sarif).unwrap());
}
