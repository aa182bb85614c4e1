//! Streams that are closed, full, or whose reader goes away. What was red without may not be green with it.

use super::Count;
use super::judge::complaints;
use super::place::Place;
use memtwin::drivers::command::Trouble;

/// A trace whose header lies, so that its replay is red.
const RED: &str = "streams/red.jsonl";

/// Calls, and whether they are run in the short form too.
const CALLS: &[(&str, bool)] = &[
    ("replay streams/red.jsonl", true),
    ("replay --json crashes/guest_memory", true),
    ("explain crashes/guest_memory/GM-01.jsonl", true),
    ("explain --json crashes/guest_memory/GM-01.jsonl", false),
    ("list", true),
    ("doctor", false),
    ("fuzz guest_memory/GM-01 guest_memory/physical_memory --seed 1 --ops 200k --workers 1 --out OUT", true),
    ("fuzz guest_memory/GM-01 --seed 1 --ops 200k --workers 1 --json --out OUT", false),
    ("fuzz guest_memory/GM-09 --seed 1 --ops 100 --workers 1 --out OUT", true),
    ("regress crashes/guest_memory/GM-01.jsonl --out OUT", false),
    ("report reports/baseline.json --to html,md -o OUT", false),
    ("compare reports/baseline.json reports/baseline.json --json", true),
    ("corpus check corpus", false),
    ("export crashes/guest_memory/GM-01.jsonl --to rust-test", true),
    ("export crashes/heap/HP-01.jsonl --to c", true),
    ("exhaustive guest_memory/physical_memory --depth 1 --out OUT", false),
    ("completions bash", false),
    ("--help", true),
];

/// Scripts around a call, and whether its output is lost, so that it may say less than the truth by its code: 2, or
/// 141.
const FORMS: [(&str, bool); 10] = [
    ("\"$@\" <&-", false),
    ("\"$@\" >&-", true),
    ("\"$@\" 2>&-", true),
    ("\"$@\" <&- >&- 2>&-", true),
    ("\"$@\" >/dev/full", true),
    ("\"$@\" 2>/dev/full", true),
    ("\"$@\" >/dev/full 2>&1", true),
    // The reader has gone before the first line, and after it. Its end is waited for; the writer's code is what counts.
    ("{ { sleep 0.1; \"$@\"; echo $? >&3; } | true; } 3>&1 | { read -r code; exit \"$code\"; }", true),
    ("{ { \"$@\"; echo $? >&3; } | head -n 1 >&2; } 3>&1 | { read -r code; exit \"$code\"; }", true),
    ("{ { \"$@\" 2>&1 >&4; echo $? >&3; } 4>/dev/null | true; } 3>&1 | { read -r code; exit \"$code\"; }", true),
];

pub(super) fn run(place: &Place) -> Result<Count, Trouble> {
    std::fs::create_dir_all(place.root().join("streams"))?;
    let good = std::fs::read_to_string(place.root().join("crashes/guest_memory/GM-01.jsonl"))?;
    let red = good.replacen("\"expect\":\"", "\"expect\":\"guest_memory/x\\n::stop-commands::y\\n", 1);
    std::fs::write(place.root().join(RED), red)?;
    let calls = CALLS.iter().filter(|(_, short)| place.long || *short);
    let done = place.each(calls, |(words, _)| {
        let plain = |out: &str| words.split(' ').map(|word| word.replace("OUT", out)).collect::<Vec<_>>();
        let undisturbed = place.call(plain(&place.fresh())).run()?.code;
        for (script, is_lost) in FORMS {
            let call = place.script(script, plain(&place.fresh())).needing(["streams"]);
            let mut ended = call.run()?;
            let lost: &[i32] = if undisturbed == 0 { &[0, 1, 2, 141] } else { &[1, 2, 141] };
            let same = [undisturbed];
            // Where errors go is closed, or is where the reader was: lines cannot be counted.
            if is_lost && ended.code == 2 {
                ended.err = b"error\n".to_vec();
            }
            let found = complaints(&ended, if is_lost { lost } else { &same });
            if !found.is_empty() {
                place.failures.tell("streams", &found, &call)?;
            }
        }
        Ok(())
    })?;
    Ok(Count { what: format!("{} calls", done * FORMS.len()), skipped: Vec::new() })
}
