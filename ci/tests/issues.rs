//! What `.ci/issues` does with the findings of a nightly run, with a stand-in for gh that notes how it is called.

use std::path::Path;
use std::process::Command;

const LABEL: &str = "[label][create][finding][--description][found by a nightly run][--force]";

/// The calls of gh for these findings, by file name and text, where these issues are there already.
fn calls(findings: &[(&str, &str)], issues: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let new = folder.path().join("new-findings");
    std::fs::create_dir(&new).unwrap();
    for (name, text) in findings {
        std::fs::write(new.join(name), text).unwrap();
    }
    let (known, log) = (folder.path().join("issues"), folder.path().join("log"));
    std::fs::write(&known, issues).unwrap();
    std::fs::write(&log, "").unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = format!("{}:{}", own.join("tests/fake").display(), std::env::var("PATH").unwrap());
    let output = Command::new(own.join("../.ci/issues"))
        .arg(&new)
        .current_dir(folder.path())
        .env("PATH", path)
        .env("GH_ISSUES", known)
        .env("GH_LOG", &log)
        .env("RUN_URL", "https://example.org/run/1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["issues", "log", "new-findings"], "a finding's text was run as a command");
    std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect()
}

const FINDING: (&str, &str) = ("page_walk-segfault.md", "# page_walk/segfault/regions\n\nOp 2 dies.\n");
const BODY: &str = "[# page_walk/segfault/regions||Op 2 dies.|||Found by https://example.org/run/1|]";

#[test]
fn a_new_signature_opens_an_issue() {
    let title = "[--title][page_walk/segfault/regions]";
    let create = format!("[issue][create][--label][finding]{title}[--body-file]{BODY}");
    assert_eq!(calls(&[FINDING], ""), [LABEL, &create]);
    let another = "7 OPEN page_walk/segfault/regions and more\n";
    assert_eq!(calls(&[FINDING], another), [LABEL, &create]);
}

#[test]
fn a_known_signature_is_added_to_its_issue() {
    let comment = format!("[issue][comment][4][--body-file]{BODY}");
    let known = "9 OPEN temp_map/hang\n4 OPEN page_walk/segfault/regions\n";
    assert_eq!(calls(&[FINDING], known), [LABEL, &comment]);
}

#[test]
fn a_closed_issue_is_opened_again() {
    let comment = format!("[issue][comment][4][--body-file]{BODY}");
    let known = "4 CLOSED page_walk/segfault/regions\n";
    assert_eq!(calls(&[FINDING], known), [LABEL, "[issue][reopen][4]", &comment]);
}

#[test]
fn what_a_finding_says_is_never_run() {
    let text = "$(touch run) `touch run`; touch run\n--label evil \" ' \\\n";
    let found = calls(&[("finding.md", text)], "1 OPEN $(touch run)\n");
    let title = "[--title][$(touch run) `touch run`; touch run]";
    assert!(found[1].starts_with(&format!("[issue][create][--label][finding]{title}[--body-file]")), "{found:?}");
}

#[test]
fn nothing_new_calls_nobody() {
    assert_eq!(calls(&[], "4 OPEN page_walk/segfault/regions\n"), Vec::<String>::new());
}

#[test]
fn a_flood_of_findings_is_cut_off() {
    let findings: Vec<(String, String)> =
        (10..35).map(|number| (format!("{number}.md"), format!("finding {number}\n"))).collect();
    let findings: Vec<_> = findings.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let found = calls(&findings, "");
    assert_eq!(found.len(), 1 + 20);
    assert!(found[20].contains("[--title][finding 29]"), "{}", found[20]);
}
