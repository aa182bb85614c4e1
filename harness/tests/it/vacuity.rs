//! A vacuous pass is a failure: where nothing ran, or nothing was judged, no verb says that all is well.

use crate::command_line::{HEADER, Room};

#[test]
fn a_shard_without_work_is_refused() {
    let room = Room::new();
    let shard = |shard: &str, ops: &str| {
        let fuzz = ["fuzz", "guest_memory", "--seed", "1", "--ops", ops, "--shard", shard].map(str::to_owned);
        fuzz.to_vec()
    };
    for (part, ops) in [("2/2", "1k"), ("2/2", "4M"), ("2/18446744073709551615", "1k")] {
        let arguments = shard(part, ops);
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        room.complains(
            &arguments,
            &format!("nothing to run: the op budget leaves no epoch and no Broken subject for shard {part}"),
        );
    }
    let broken = ["fuzz", "guest_memory/GM-02", "--seed", "1", "--ops", "1M", "--shard", "2/2"];
    room.complains(&broken, "nothing to run");
    // The second epoch of very many parts is its one epoch: what comes after cannot be counted, and is no other part's.
    let arguments = shard("2/18446744073709551615", "4000001");
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--json"]).collect();
    let run = room.json(0, &arguments);
    for subject in run["subjects"].as_array().unwrap() {
        assert!((1..1000).contains(&subject["ops"].as_u64().unwrap()), "{subject}");
    }
}

#[test]
fn a_sound_subject_that_ran_no_op_has_not_agreed() {
    let room = Room::new();
    // Two subjects of which one has its only epoch elsewhere.
    let fuzz = ["fuzz", "guest_memory", "guest_memory/GM-01", "--seed", "1", "--ops", "1M", "--shard", "1/2", "--json"];
    room.json(0, &fuzz);
    let fuzz = fuzz.map(|word| if word == "1/2" { "2/2" } else { word });
    let fuzz = fuzz.map(|word| if word == "guest_memory/GM-01" { "guest_memory/GM-02" } else { word });
    let mut fuzz = fuzz.to_vec();
    fuzz.insert(2, "guest_memory/GM-01");
    let run = room.json(1, &fuzz);
    let sound: Vec<_> =
        run["subjects"].as_array().unwrap().iter().filter(|subject| subject["health"] == "sound").collect();
    assert!(!sound.is_empty());
    for subject in sound {
        assert_eq!(subject["shortfalls"][0], "no op ran: an agreement over nothing says nothing");
    }
}

#[test]
fn however_short_the_time_each_sound_subject_has_a_turn() {
    let room = Room::new();
    let run = room.json(0, &["fuzz", "guest_memory", "--time", "1ms", "--workers", "1", "--json"]);
    let subjects = run["subjects"].as_array().unwrap();
    assert_eq!(subjects.len(), 3);
    for subject in subjects {
        assert!(1 < subject["traces"].as_u64().unwrap() && 100 < subject["ops"].as_u64().unwrap(), "{subject}");
    }
}

#[test]
fn nothing_judged_is_said() {
    let room = Room::new();
    std::fs::create_dir_all(room.path("empty/guest_memory")).unwrap();
    room.complains(&["corpus", "check", "empty"], "empty holds no input of an engine, so there is nothing to check");
    room.complains(&["replay", "empty"], "no trace in empty");
    room.complains(&["regress", "empty"], "no committed trace in empty");
    let devices = r#""0x10000","devices":[{"base":"0x0","size":8}]"#;
    room.file("devices.jsonl", HEADER.replace("\"0x10000\"", devices));
    room.file("foreign.jsonl", HEADER.replace("guest_memory", "brain"));
    for arguments in [&["replay", "devices.jsonl", "--subject", "physical_memory"][..], &["regress", "foreign.jsonl"]] {
        let output = room.run(arguments);
        let (said, errors) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert_eq!(output.status.code(), Some(2), "{said}{errors}");
        assert!(errors.starts_with("error: nothing was judged") && errors.lines().count() == 1, "{said}{errors}");
    }
}

/// A trace that is judged here and there is as good as its greater part.
#[test]
fn traces_that_are_mostly_moot_or_skipped_are_not_judged() {
    let room = Room::new();
    let header = HEADER.replace("0x10000", "0x200000");
    let (dump, size) = (r#"{"op":"dump","owner":0}"#, r#"{"op":"memory_size","owner":0}"#);
    let heap = r#"{"memtwin":1,"component":"brk_heap","setup":{"bss_bytes":16,"frames":64},"subject":"hardened"}"#;
    let (raw, verify) = (r#"{"op":"raw_brk","request":{"at":"0x402000"}}"#, r#"{"op":"verify","slot":0}"#);
    let alloc = r#"{"op":"alloc","slot":0,"size":"0x40","align":"0x1"}"#;
    for (name, lines, is_judged) in [
        ("skipped", [&header, dump, dump, size], false),
        ("half", [&header, dump, size, ""], true),
        ("moot", [heap, alloc, raw, verify], false),
        ("late", [heap, alloc, alloc, raw], true),
    ] {
        let trace = room.file(&format!("{name}.jsonl"), lines.join("\n"));
        let trace = trace.to_str().unwrap();
        for arguments in [&["replay", trace][..], &["replay", "--in-process", trace], &["regress", trace]] {
            let output = room.run(arguments);
            let [said, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
            let code = if is_judged { 0 } else { 2 };
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{errors}");
            assert_eq!(errors.contains("error: nothing was judged"), !is_judged, "{arguments:?}: {said}{errors}");
        }
    }
}

#[test]
fn a_file_is_no_folder_to_write_to() {
    let room = Room::new();
    let (trace, out) = (room.file("one.jsonl", HEADER), room.file("out", ""));
    let (trace, out) = (trace.to_str().unwrap(), out.to_str().unwrap());
    for arguments in [
        &["fuzz", "guest_memory", "--ops", "1k", "--out", out][..],
        &["exhaustive", "guest_memory", "--depth", "1", "--out", out],
        &["regress", trace, "--out", out],
        &["report", "run.json", "--out", out],
    ] {
        room.complains(arguments, &format!("cannot write below {out}: it is a file, and --out names a folder"));
    }
}
