//! A small real program for allocators to serve: threads that write JSON, parse it, and sort the strings they found.

use serde_json::{Value, json};
use std::thread;

const THREADS: u64 = 4;
const PEOPLE: u64 = 400;

/// What a thread knows of its people: their names sorted, and the sum of their numbers.
#[derive(Debug, PartialEq, Eq)]
struct Summary {
    names: Vec<String>,
    sum: u64,
}

/// Runs the program and checks what it computes against plain arithmetic.
pub(crate) fn run() {
    let threads: Vec<_> = (0..THREADS).map(|thread| thread::spawn(move || summarise(&document(thread)))).collect();
    for (number, thread) in (0..).zip(threads) {
        let summary = thread.join().expect("a thread ended in a panic");
        assert!(summary.names.is_sorted());
        let mut expected: Vec<_> = (0..PEOPLE).map(|index| name(number, index)).collect();
        expected.sort_unstable();
        assert_eq!(summary, Summary { names: expected, sum: (0..PEOPLE).map(|index| index * index).sum() });
    }
}

/// Names of many lengths, in an order that is not theirs.
fn name(thread: u64, index: u64) -> String {
    let tail = (index * 7919 + thread * 104_729) % 1_000_003;
    format!("{tail:0width$}-of-{thread}", width = 1 + (index % 90) as usize)
}

fn document(thread: u64) -> String {
    let person = |index| json!({"name": name(thread, index), "number": index, "tags": ["a", "\u{e4}\n", index]});
    Value::from_iter((0..PEOPLE).map(person)).to_string()
}

fn summarise(text: &str) -> Summary {
    let document: Value = serde_json::from_str(text).expect("the document is JSON");
    let people = document.as_array().expect("the document is a list");
    let mut names = Vec::new();
    let mut sum = 0;
    for person in people {
        names.push(person["name"].as_str().expect("a name is a string").to_owned());
        let number = person["number"].as_u64().expect("a number is one");
        assert_eq!(person["tags"][2].as_u64(), Some(number));
        sum += number * number;
    }
    names.sort();
    Summary { names, sum }
}
