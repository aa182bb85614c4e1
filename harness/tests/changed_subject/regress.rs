//! Regression runs: one line of a hardened subject is broken, and the run says exactly that, in every form; it is
//! mended, and the run says `fixed`.

use crate::forms;
use crate::room::{Room, findings, of_status, rows, text};
use crate::subject::SUBJECT;
use libtest_mimic::Failed;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

pub(crate) fn a_broken_line() -> Result<(), Failed> {
    let room = Room::new()?;
    let before = room.regress(0, "built_in", "before.json", &[]);
    assert!(of_status(&before, "new").is_empty());
    assert!(100 <= of_status(&before, "still_failing").len() && 200 <= of_status(&before, "passed").len());

    // Replaying says independently of baselines which traces show the broken line.
    let traces = ["replay", "--json", "--subject", "soft_mmu", "crashes/guest_memory", "corpus/guest_memory"];
    let replays: Value = serde_json::from_str(&room.expect(1, "changed", &traces))?;
    let failed = replays["replays"].as_array().into_iter().flatten().filter(|row| row["verdict"] == "failed");
    let shown: BTreeSet<_> =
        failed.map(|row| (text(&row["trace"]).to_owned(), text(&row["target"]).to_owned())).collect();
    assert!(!shown.is_empty(), "no committed trace shows the broken line");

    let broken = room.regress(1, "changed", "broken.json", &["--baseline", "before.json", "--out", "found"]);
    assert_eq!(of_status(&broken, "new"), shown);
    // All else is as it was.
    let others = |run: &Value| -> Vec<Value> {
        let is_other =
            |row: &&Value| !shown.contains(&(text(&row["trace"]).to_owned(), text(&row["target"]).to_owned()));
        rows(run).filter(is_other).cloned().collect()
    };
    assert_eq!(others(&broken), others(&before));
    assert_eq!(broken["totals"]["unexpected"], shown.len());
    shrunk_and_told(&room, &broken);
    in_every_form(&room, "broken.json", &broken, shown.len());

    // The number of workers does not show.
    let again =
        room.regress(1, "changed", "again.json", &["--baseline", "before.json", "--out", "found", "--workers", "1"]);
    assert_eq!(again, broken);

    // Mended.
    let mended = room.regress(0, "built_in", "mended.json", &["--baseline", "broken.json"]);
    assert_eq!(of_status(&mended, "fixed"), shown);
    assert!(of_status(&mended, "new").is_empty());
    // Accepted as the baseline, the failures are no news.
    let accepted = room.regress(0, "changed", "accepted.json", &["--baseline", "broken.json"]);
    assert!(shown.is_subset(&of_status(&accepted, "still_failing")));

    let compared = room.expect(1, "built_in", &["compare", "before.json", "broken.json", "--json"]);
    let compared: Value = serde_json::from_str(&compared)?;
    let count = findings(&broken, "soft_mmu").count();
    assert_eq!(compared["new"].as_array().map(Vec::len), Some(count));
    let compared = room.expect(0, "built_in", &["compare", "broken.json", "mended.json"]);
    assert!(compared.ends_with(&format!("0 new, {count} fixed, 0 still there, 0 newly missed\n")), "{compared}");
    Ok(())
}

/// Each new finding has a trace of few ops that fails alike, and a story.
fn shrunk_and_told(room: &Room, broken: &Value) {
    let mut count = 0;
    for finding in findings(broken, "soft_mmu") {
        count += 1;
        assert_eq!((&finding["status"], &finding["story"]["signature"]), (&json!("new"), &finding["signature"]));
        let trace = text(&finding["trace"]);
        assert!(trace.starts_with("found/guest_memory/soft_mmu-"), "{finding}");
        let ops = std::fs::read_to_string(room.path(trace)).expect("it was filed").lines().count() - 1;
        assert!(ops <= 2, "{ops} ops are left in {trace}, which needs a write and a read");
        // The header expects the signature, so that replaying it passes.
        room.expect(0, "changed", &["replay", trace]);
        room.expect(1, "built_in", &["replay", trace]);
    }
    assert!(0 < count);
}

/// Every form names the new findings, and no others as failures.
fn in_every_form(room: &Room, file: &str, broken: &Value, failures: usize) {
    let listed = room.expect(0, "built_in", &["report", file, "--to", "html,junit,sarif,md", "-o", "reports"]);
    assert_eq!(listed.lines().count(), 4);
    let read = |name: &str| std::fs::read_to_string(room.path("reports").join(name)).expect("it was written");
    let signatures: BTreeSet<_> = findings(broken, "soft_mmu").map(|finding| text(&finding["signature"])).collect();
    for name in ["report.html", "junit.xml", "report.sarif", "report.md"] {
        let report = read(name);
        assert!(
            signatures.iter().all(|signature| report.contains(signature)),
            "{name} does not name all of {signatures:?}"
        );
    }
    assert_eq!(forms::is_junit(&read("junit.xml")), (rows(broken).count(), failures));
    let sarif = forms::is_sarif(&read("report.sarif"));
    let results = || sarif["runs"][0]["results"].as_array().into_iter().flatten();
    let errors: BTreeSet<_> = results()
        .filter(|result| result["level"] == "error")
        .collect::<Vec<_>>()
        .into_iter()
        .map(|result| {
            assert_eq!((&result["kind"], &result["baselineState"]), (&json!("fail"), &json!("new")));
            let fingerprint = text(&result["partialFingerprints"]["memtwinSignature/v1"]);
            fingerprint.split_once('|').map(|(_, signature)| signature).unwrap_or_default()
        })
        .collect();
    assert_eq!(errors, signatures);
    let rules: BTreeSet<_> = sarif["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|rule| {
            assert!(20 < text(&rule["fullDescription"]["text"]).len(), "{rule} has no sentence");
            text(&rule["id"])
        })
        .collect();
    assert!(results().all(|result| rules.contains(text(&result["ruleId"]))));
    assert!(rules.contains("guest_memory/segfault") && !rules.contains("guest_memory"), "{rules:?}");
    let comment = read("report.md");
    assert!(comment.contains(&format!("| new | {failures} |")), "{comment}");
}

pub(crate) fn known_findings() -> Result<(), Failed> {
    let room = Room::new()?;
    let broken = room.regress(1, "changed", "broken.json", &["--out", "found"]);
    let entry = |finding: &Value| json!({ "signature": finding["signature"], "subject": SUBJECT, "reason": "the <b>top</b> byte is lost", "until": "2030-02-28" });
    let entries: Vec<_> = findings(&broken, "soft_mmu").map(entry).collect();
    std::fs::create_dir(room.path("reports"))?;
    std::fs::write(room.path("reports/known-findings.json"), serde_json::to_string(&entries)?)?;

    // The committed list is used without being named.
    let known = room.regress(0, "changed", "known.json", &["--today", "2030-02-28", "--out", "found"]);
    assert_eq!(of_status(&known, "known"), of_status(&broken, "new"));
    assert!(of_status(&known, "new").is_empty());
    room.expect(0, "built_in", &["report", "known.json", "--to", "sarif", "-o", "forms"]);
    let sarif = forms::is_sarif(&std::fs::read_to_string(room.path("forms/report.sarif"))?);
    let results = sarif["runs"][0]["results"].as_array().into_iter().flatten();
    let suppressed: Vec<_> = results.filter(|result| result["suppressions"].is_array()).collect();
    assert_eq!(suppressed.len(), entries.len());
    assert!(suppressed.iter().all(|result| text(&result["suppressions"][0]["justification"]).contains("<b>top</b>")));

    // One day later it counts again, and the run says why.
    let late = room.expect(1, "changed", &["regress", "--today", "2030-03-01", "--out", "found"]);
    assert!(late.contains("expired: ") && late.contains("was accepted until 2030-02-28"), "{late}");
    // A baseline from before does not keep it alive.
    let arguments = ["--today", "2030-03-01", "--baseline", "known.json", "--out", "found"];
    let late = room.regress(1, "changed", "late.json", &arguments);
    assert_eq!(of_status(&late, "new"), of_status(&broken, "new"));

    // A campaign honours it too.
    let fuzz = |day| ["fuzz", SUBJECT, "--ops", "50k", "--seed", "1", "--json", "--out", "found", "--today", day];
    let run: Value = serde_json::from_str(&room.expect(0, "changed", &fuzz("2030-02-28")))?;
    forms::is_run_file(&run);
    assert_eq!((&run["subjects"][0]["verdict"], &run["totals"]["known"]), (&json!("known"), &json!(1)));
    room.expect(1, "changed", &fuzz("2030-03-01"));
    std::fs::write(room.path("none.json"), "[]")?;
    room.expect(1, "changed", &[&fuzz("2030-02-28")[..], &["--known", "none.json"]].concat());

    for (bad, about) in [
        ("{}", "is no list of known findings"),
        (
            r#"[{"signature":"a/b/c","subject":"a/s","reason":"r","until":"2030-02-29"}]"#,
            "is no list of known findings",
        ),
        (r#"[{"signature":"a/b/c","subject":"a/s","reason":" ","until":"2030-02-28"}]"#, "gives no reason"),
        (r#"[{"signature":"a/b/c","subject":"b/s","reason":"r","until":"2030-02-28"}]"#, "of different components"),
    ] {
        std::fs::write(room.path("bad.json"), bad)?;
        let output = room.run("built_in", &["regress", "--known", "bad.json"])?;
        let errors = String::from_utf8(output.stderr)?;
        assert_eq!((output.status.code(), errors.lines().count()), (Some(2), 1), "{errors}");
        assert!(errors.contains(about), "{errors}");
    }
    Ok(())
}

pub(crate) fn vanished_evidence() -> Result<(), Failed> {
    let room = Room::new()?;
    let evidence = std::fs::read_to_string(room.path("crashes/guest_memory/GM-01.jsonl"))?;
    let header = evidence.lines().next().ok_or("the trace is empty")?;
    std::fs::create_dir_all(room.path("evidence/guest_memory"))?;
    std::fs::write(room.path("evidence/guest_memory/GM-01.jsonl"), format!("{header}\n"))?;
    let run = room.regress(1, "built_in", "run.json", &["evidence"]);
    let own: Vec<_> = rows(&run).filter(|row| row["target"] == "guest_memory/GM-01").collect();
    assert_eq!((own.len(), &own[0]["status"], &own[0]["unexpected"]), (1, &json!("fixed"), &json!(true)));
    assert_eq!((&run["totals"]["missed"], &run["totals"]["unexpected"]), (&json!(1), &json!(1)));
    room.expect(0, "built_in", &["report", "run.json", "--to", "junit,sarif,md", "-o", "forms"]);
    assert_eq!(forms::is_junit(&std::fs::read_to_string(room.path("forms/junit.xml"))?).1, 1);
    forms::is_sarif(&std::fs::read_to_string(room.path("forms/report.sarif"))?);
    let comment = std::fs::read_to_string(room.path("forms/report.md"))?;
    assert!(comment.contains("Evidence that shows its defect no more"), "{comment}");
    Ok(())
}

/// The sound subjects of guest_memory.
const SOUND: usize = 3;

pub(crate) fn gone() -> Result<(), Failed> {
    let room = Room::new()?;
    std::fs::create_dir_all(room.path("kept/guest_memory"))?;
    let header = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x1000"}}"#;
    let write = |name: &str, text: &str| std::fs::write(room.path("kept/guest_memory").join(name), text);
    write("stays.jsonl", &format!("{header}\n"))?;
    write("goes.jsonl", &format!("{header}\n"))?;
    let before = room.regress(0, "built_in", "before.json", &["kept"]);
    assert_eq!(rows(&before).count(), 2 * SOUND, "two traces on each sound subject");

    // A file that was removed is no failure; one that cannot be read any more is.
    std::fs::remove_file(room.path("kept/guest_memory/goes.jsonl"))?;
    write("of_nobody.jsonl", &format!("{}\n", header.replace("\"setup\"", "\"subject\":\"nobody\",\"setup\"")))?;
    let after = room.regress(0, "built_in", "after.json", &["kept", "--baseline", "before.json"]);
    let reason = |run: &Value, trace: &str| {
        let row = rows(run).find(|row| row["status"] == "gone" && text(&row["trace"]).ends_with(trace));
        row.map(|row| text(&row["reason"]).to_owned()).unwrap_or_default()
    };
    assert_eq!(of_status(&after, "gone").len(), SOUND + 1, "{after}");
    assert_eq!(reason(&after, "goes.jsonl"), "the file is not there any more");
    assert_eq!(reason(&after, "of_nobody.jsonl"), "there is no such subject");
    // Other places are none of this run's business.
    let elsewhere = room.regress(0, "built_in", "elsewhere.json", &["crashes/temp_map", "--baseline", "before.json"]);
    assert!(of_status(&elsewhere, "gone").is_empty());

    write("stays.jsonl", "{\"memtwin\":1,\"component\":\"guest_memory\"\n")?;
    let broken = room.regress(1, "built_in", "broken.json", &["kept"]);
    assert!(reason(&broken, "stays.jsonl").contains("stays.jsonl:1"), "{broken}");
    Ok(())
}

pub(crate) fn committed_baseline() -> Result<(), Failed> {
    let room = Room::new()?;
    let baseline = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/baseline.json");
    let committed: Value = serde_json::from_str(&std::fs::read_to_string(&baseline)?)?;
    forms::is_run_file(&committed);
    let run = room.regress(0, "built_in", "run.json", &["--baseline", baseline.to_str().ok_or("not UTF-8")?]);
    assert!(of_status(&run, "fixed").is_empty() && of_status(&run, "gone").is_empty());
    let now: Vec<&Value> = rows(&run).collect();
    let changed: Vec<&Value> = rows(&committed).filter(|row| !now.contains(row)).collect();
    assert_eq!(changed, [&Value::Null; 0], "write it anew: memtwin regress, and copy regress.json");
    Ok(())
}
