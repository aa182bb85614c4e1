//! The page that says what a subject that agreed was held to.

use crate::command_line::Room;

#[test]
fn a_subject_that_agreed_has_a_bill_and_no_other_has() {
    let room = Room::new();
    let both = ["fuzz", "heap/free_list", "heap/HP-01", "--ops", "300k", "--seed", "5", "--json"];
    room.file("run.json", room.expect(0, &both));
    let path = room.expect(0, &["report", "run.json", "--to", "bill", "--out", "bills"]);
    let bill = std::fs::read_to_string(room.path(path.trim())).unwrap();
    assert!(bill.starts_with("# `heap/free_list` agrees with its model\n"), "{bill}");
    assert_eq!(bill.matches("\n# ").count() + 1, 1, "a broken subject has no bill: {bill}");
    for part in [
        "engine guided, seed 5",
        "- **disjoint**: a block shares no byte",
        "- `block_overhead=24`: A block takes",
        "| `alloc_zeroed` | `done` ",
        "never asked for: `malloc`",
        "memtwin fuzz heap/free_list --ops 30",
    ] {
        assert!(bill.contains(part), "{part} is not in {bill}");
    }
    room.file("caught.json", room.expect(0, &["fuzz", "heap/HP-01", "--ops", "1M", "--seed", "5", "--json"]));
    room.complains(&["report", "caught.json", "--to", "bill"], "there is no bill to make");
}
