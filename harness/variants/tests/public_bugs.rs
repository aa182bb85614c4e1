//! docs/public-bugs.md is written from the table of public bugs, and each planted one is caught while it is written.
//! `UPDATE_EXPECT=1 cargo test -p memtwin-variants` writes the page anew.

use expect_test::expect_file;
use memtwin::Registry;
use memtwin_variants::public_bugs::{Answer, CASES, Case};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEAD: &str = "\
# Bugs that others reported, and what memtwin says

Each row is a bug that a project reported in public: a failure of the kind that a component here stands for. *Planted as* names the
broken subjects that have it: those of the catalogue (`memtwin list`), and others in `harness/variants`. Beside each stands the law that
it is caught by. Where code may do what was reported because its documentation says so, the freedom to claim is named.

The page is written by a test, which runs each of them: `UPDATE_EXPECT=1 cargo test -p memtwin-variants`.
";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The law of a signature.
fn law(signature: &str) -> &str {
    signature.split('/').next().unwrap_or_default()
}

/// The law that a broken subject is caught by: that of its committed trace, or of a campaign.
fn caught_by(component: &str, name: &str) -> String {
    let committed = root().join("crashes").join(component).join(format!("{name}.jsonl"));
    if let Ok(text) = std::fs::read_to_string(committed) {
        let header: serde_json::Value =
            serde_json::from_str(text.lines().next().unwrap_or_default()).expect("a header");
        let signature = header["expect"].as_str().expect("it says what to expect");
        return law(signature.strip_prefix(component).expect("of its component").trim_start_matches('/')).to_owned();
    }
    let out = tempfile::tempdir().expect("there is room");
    let run = Command::new(env!("CARGO_BIN_EXE_memtwin-variants"))
        .args(["fuzz", &format!("{component}/{name}"), "--broken", "--ops", "4M", "--seed", "7", "--workers", "1"])
        .arg("--out")
        .arg(out.path())
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let mut words = text.lines().find(|line| line.starts_with('✓')).unwrap_or_default().split_whitespace();
    let signature = words.by_ref().skip_while(|word| *word != "trace").nth(2);
    law(signature.unwrap_or_else(|| panic!("{component}/{name} was not caught: {text}"))).to_owned()
}

fn planted(case: &Case, names: &[&str]) -> String {
    let rows = names.iter().map(|name| format!("`{name}` (`{}`)", caught_by(case.component, name)));
    rows.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_page_is_up_to_date_and_each_planted_bug_is_caught() {
    let mut page = HEAD.to_owned();
    let mut component = "";
    for case in CASES {
        if case.component != component {
            component = case.component;
            let _ =
                write!(page, "\n## {component}\n\n| Reported | What was wrong | Planted as |\n| --- | --- | --- |\n");
        }
        let answer = match case.answer {
            Answer::Broken(names) => planted(case, names),
            Answer::Strict(names, freedom) => format!("{}; freedom `{freedom}`", planted(case, names)),
            Answer::Absent(why) => format!("not planted: {why}"),
        };
        let _ = writeln!(page, "| {} | {} | {answer} |", case.source, case.what);
    }
    expect_file![root().join("docs/public-bugs.md")].assert_eq(&page);
}

#[test]
fn what_the_table_names_exists() {
    let registries: [Registry; 2] = [memtwin::built_in(), memtwin_variants::registry()];
    for case in CASES {
        let (names, freedom): (&[&str], _) = match case.answer {
            Answer::Broken(names) => (names, None),
            Answer::Strict(names, freedom) => (names, Some(freedom)),
            Answer::Absent(_) => (&[], None),
        };
        for name in names {
            let found = registries.iter().find_map(|registry| {
                let index = registry.index_of(case.component, name)?;
                registry.targets().nth(index).map(memtwin::Target::is_sound)
            });
            assert_eq!(found, Some(false), "{name} of {}", case.source);
        }
        if let Some(freedom) = freedom {
            let dialect = registries[0].dialect(case.component).expect("the component is built in");
            assert!(dialect.freedoms().iter().any(|known| known.name == freedom), "{freedom} of {}", case.source);
        }
    }
}
