//! Campaigns that begin with a corpus in which the change shows.

use crate::room::{Room, text};
use crate::subject::{RARE, SUBJECT};
use libtest_mimic::Failed;
use memtwin::trace_files::load;
use serde_json::{Value, json};

/// What a sound subject fails on in the corpus is a finding like any other, though hardly an op was drawn.
pub(crate) fn a_corpus_that_shows_it() -> Result<(), Failed> {
    let room = Room::new()?;
    let fuzz = ["fuzz", SUBJECT, "--seed", "1", "--ops", "1", "--json", "--out", "found"];
    room.expect(0, "rarely_changed", &fuzz);

    // As any engine leaves it: wire bytes, in a file with a name of its own, beside others that agree.
    let folder = room.path("kept/guest_memory");
    std::fs::create_dir_all(&folder)?;
    let trace = room.path("shows.jsonl");
    let header = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10000"}}"#;
    let write = format!(r#"{{"op":"write","owner":0,"address":"0x100","size":8,"value":"{RARE:#x}"}}"#);
    let read = r#"{"op":"read","owner":0,"address":"0x100","size":8}"#;
    std::fs::write(&trace, format!("{header}\n{read}\n{write}\n{read}\n{read}\n"))?;
    std::fs::write(folder.join("id:000003,src:000001,op:havoc"), &load(&memtwin::built_in(), &trace)?.wire)?;
    std::fs::write(&trace, format!("{header}\n{read}\n"))?;
    std::fs::write(folder.join("0123456789abcdef"), &load(&memtwin::built_in(), &trace)?.wire)?;

    let with_corpus = [&fuzz[..], &["--corpus", "kept"]].concat();
    room.expect(0, "built_in", &with_corpus);
    let run: Value = serde_json::from_str(&room.expect(1, "rarely_changed", &with_corpus))?;
    let subject = &run["subjects"][0];
    assert_eq!((&subject["verdict"], &run["totals"]["findings"]), (&json!("diverged"), &json!(1)));
    let finding = &subject["findings"][0];
    assert_eq!(
        (&finding["signature"], &finding["executions"]),
        (&json!("guest_memory/flat_memory/read/value"), &json!(2))
    );
    let filed = text(&finding["trace"]);
    assert_eq!(std::fs::read_to_string(room.path(filed))?.lines().count(), 3, "a write and a read are left");
    room.expect(0, "rarely_changed", &["replay", filed]);
    // The campaign's log has it.
    let again: Value =
        serde_json::from_str(&room.expect(1, "rarely_changed", &["fuzz", "--resume", "--json", "--out", "found"]))?;
    assert_eq!(again["subjects"][0]["findings"], subject["findings"]);
    Ok(())
}

/// A later run that finds the same by a longer trace leaves the shorter one, as long as that still fails so.
pub(crate) fn a_shorter_trace_stays() -> Result<(), Failed> {
    let room = Room::new()?;
    let find = |seed: &str, out: &str| -> Result<(String, usize), Failed> {
        let fuzz = ["fuzz", "page_walk/PW-16", "--seed", seed, "--ops", "300k", "--json", "--out", out];
        let run: Value = serde_json::from_str(&room.expect(0, "built_in", &fuzz))?;
        let filed = text(&run["subjects"][0]["findings"][0]["trace"]).to_owned();
        assert!(filed.ends_with("PW-16-buffer-pop-result.jsonl"), "{filed}");
        let lines = std::fs::read_to_string(room.path(&filed))?.lines().count();
        Ok((filed, lines))
    };
    let (long, short) = (find("4", "long")?.1, find("11", "short")?.1);
    assert!(short < long, "these seeds no longer find traces of different lengths: {short}, {long}");
    let (path, kept) = find("4", "short")?;
    assert_eq!(kept, short);
    room.expect(0, "built_in", &["replay", &path]);

    // One that does not fail any more is no evidence, however short.
    let header = std::fs::read_to_string(room.path(&path))?.lines().next().unwrap_or_default().to_owned();
    std::fs::write(room.path(&path), header + "\n")?;
    assert_eq!(find("4", "short")?.1, long);
    Ok(())
}
