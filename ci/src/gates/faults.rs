//! The faults, in the order they are planted, each with the steps that must catch it and the words that they must say.

use super::harm::{add, append, cut, replace};
use std::io;
use std::path::Path;

/// The test command of README.md; no step.
pub(super) const TESTS: &str = "cargo test";

pub(super) struct Fault {
    /// The fault, in words, for a table.
    pub(super) what: &'static str,
    pub(super) plant: fn(&Path) -> io::Result<()>,
    /// Steps, and the words of which each must be in what the step prints.
    pub(super) caught_by: &'static [(&'static str, &'static [&'static str])],
    /// Steps that must run before these.
    pub(super) first: &'static [&'static str],
    /// Whether all runs on nightly Rust.
    pub(super) on_nightly: bool,
}

impl Fault {
    /// The words that a step must say; none if the fault is not for it.
    pub(super) fn words_of(&self, step: &str) -> Option<&'static [&'static str]> {
        self.caught_by.iter().find(|(name, _)| *name == step).map(|(_, words)| *words)
    }
}

/// Steps without a fault, and why.
pub(super) const NO_FAULT: &[(&str, &str)] =
    &[("gates", "none: its unit tests hold that a fault which is not caught, or for another reason, is missed")];

type Caught = &'static [(&'static str, &'static [&'static str])];

const fn fault(what: &'static str, caught_by: Caught, plant: fn(&Path) -> io::Result<()>) -> Fault {
    Fault { what, plant, caught_by, first: &[], on_nightly: false }
}

const PHYSICAL: &str = "harness/subjects/src/guest_memory/hardened/physical.rs";
const READ: &str = "self.memory.load_bulk(pa, buffer)";
const TOOLCHAIN: &str = "ci/src/toolchain.rs";

/// Every fault.
pub(super) const FAULTS: &[Fault] = &[
    fault("an AFL++ target that is not formatted", &[("format", &["Diff in"])], |tree| {
        append(tree, "fuzz/afl/src/bin/brk_heap.rs", "\nfn  unformatted( ) { }\n")
    }),
    fault("a function that nobody calls", &[("clippy", &["never_called"])], |tree| {
        append(tree, TOOLCHAIN, "\nfn never_called() {}\n")
    }),
    fault("a component that needs another one", &[("components", &["unresolved import `crate::heap`"])], |tree| {
        append(tree, "models/src/page_walk/mod.rs", "\n#[doc(hidden)]\npub use crate::heap::Heap as Planted;\n")
    }),
    fault("a link to an item that there is not", &[("docs", &["nowhere_at_all"])], |tree| {
        replace(tree, TOOLCHAIN, "/// The nightly to use:", "/// See [`nowhere_at_all`]. The nightly to use:")
    }),
    Fault {
        on_nightly: true,
        ..fault("an item of a newer Rust, built with nightly", &[("msrv", &["assert_matches"])], |tree| {
            let new = "\n#[test]\nfn is_new() {\n    std::assert_matches!(Some(1), Some(_));\n}\n";
            append(tree, TOOLCHAIN, new)
        })
    },
    fault("a crate under a licence that is not allowed", &[("dependencies", &["planted", "WTFPL"])], |tree| {
        let manifest = "[package]\nname = \"planted\"\nversion = \"0.1.0\"\nedition = \"2024\"\nlicense = \"WTFPL\"\n";
        add(tree, "ci/planted/Cargo.toml", manifest.as_bytes())?;
        add(tree, "ci/planted/src/lib.rs", b"//! Planted.\n")?;
        replace(
            tree,
            "ci/Cargo.toml",
            "[dependencies]\n",
            "[dependencies]\nplanted = { path = \"planted\", version = \"0.1.0\" }\n",
        )
    }),
    fault("a version of smallvec that overflows", &[("advisories", &["RUSTSEC-2021-0003"])], |tree| {
        replace(tree, "docs/own-subject/Cargo.toml", "[dependencies]\n", "[dependencies]\nsmallvec = \"=0.6.13\"\n")
    }),
    fault(
        "a wrong byte in a golden file, and a module called utils",
        &[("test", &["golden", "modules_are_named_after_what_they_hold"]), (TESTS, &["FAILED"])],
        |tree| {
            let golden = "harness/tests/golden/guest_memory-1.wire";
            let mut bytes = std::fs::read(tree.join(golden))?;
            bytes.iter_mut().skip(9).take(1).for_each(|byte| *byte ^= 1);
            std::fs::write(tree.join(golden), bytes)?;
            add(tree, "ci/tests/fake/utils.rs", b"//! Planted.\n")
        },
    ),
    fault(
        "a trace that expects another finding",
        &[("replay", &["GM-01.jsonl on", "expected guest_memory/segfault/write_bulk"])],
        |tree| {
            let trace = "crashes/guest_memory/GM-01.jsonl";
            replace(tree, trace, "guest_memory/segfault/read_bulk", "guest_memory/segfault/write_bulk")
        },
    ),
    fault(
        "a trace whose defect shows no more",
        &[("regress", &["planted.jsonl on guest_memory/GM-06: expected"])],
        |tree| {
            let text = std::fs::read_to_string(tree.join("crashes/guest_memory/GM-01.jsonl"))?;
            let agrees = text.replacen("\"subject\":\"GM-01\"", "\"subject\":\"GM-06\"", 1);
            add(tree, "crashes/guest_memory/planted.jsonl", agrees.as_bytes())
        },
    ),
    fault("an example whose broken subject is right", &[("own-subject", &["off_by_one missed"])], |tree| {
        replace(tree, "docs/own-subject/src/main.rs", "end < size", "end <= size")
    }),
    fault("a template whose broken subject is right", &[("new", &["half_write missed"])], |tree| {
        replace(tree, "harness/src/cli/new/guest_memory.rs", "size: 4,", "size: 8,")
    }),
    fault(
        "a model that takes every block for aligned",
        &[("libraries", &["libmimalloc.so.2.0: the known finding"])],
        |tree| replace(tree, "models/src/heap/model/answers.rs", "!address.is_multiple_of(align)", "align == 0"),
    ),
    fault("workflows whose limit in time is no number", &[("workflows", &["ci.yml"])], |tree| {
        replace(tree, ".github/workflows/ci.yml", "timeout-minutes: ", "timeout-minutes: soon")
    }),
    Fault {
        first: &["format"],
        ..fault("a step that leaves a file behind", &[("worktree", &["left-behind"])], |tree| {
            let begin = "pub(super) fn format(room: &Room) -> Result<(), Trouble> {\n";
            let leaves = format!("{begin}    std::fs::write(room.root.join(\"left-behind\"), [])?;\n");
            replace(tree, "ci/src/steps/source.rs", begin, &leaves)
        })
    },
    fault("a sanitised target without its seeds", &[("oss-fuzz", &["_seed_corpus.zip: missing"])], |tree| {
        replace(tree, ".clusterfuzzlite/build.sh", "    zip -q -j", "    true zip -q -j")
    }),
    fault("a seed that reaches nothing", &[("cmin", &["seed-planted"])], |tree| {
        add(tree, "corpus/brk_heap/seed-planted", &[1, 0])
    }),
    fault("an op of the benchmark that panics", &[("bench", &["planted"])], |tree| {
        replace(
            tree,
            "harness/benches/lockstep/main.rs",
            "fn main() {",
            "fn main() {\n    assert!(TRACES == 0, \"planted\");",
        )
    }),
    fault("a test of the models that reads freed memory", &[("miri-models", &["Undefined Behavior"])], |tree| {
        // The word is put in, so that tidy checks do not take this file for one that does so.
        let text = format!(
            "//! Planted.\n#[test]\nfn reads_freed_memory() {{\n    let freed = {{ let own = Box::new(1_u8); &raw \
             const *own }};\n    // SAFETY: there is none.\n    assert_eq!({} {{ *freed }}, 1);\n}}\n",
            "unsafe"
        );
        add(tree, "models/tests/planted.rs", text.as_bytes())
    }),
    fault(
        "a published crate read in the wrong byte order",
        &[("third-party", &["✗ guest_memory/vm_memory"])],
        |tree| {
            replace(
                tree,
                "harness/third-party/src/vm_memory.rs",
                "Ok(u64::from_le_bytes(bytes))",
                "Ok(u64::from_be_bytes(bytes))",
            )
        },
    ),
    fault(
        "a variant whose bounds are not those of its backings",
        &[("variants", &["bounds_by_subtraction diverged"])],
        |tree| replace(tree, "harness/variants/src/page_walk/equivalents.rs", "length <= left", "length < left"),
    ),
    fault("a report that takes texts for markup", &[("report-page", &["check.mjs"])], |tree| {
        let text = "made.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child \
                    !== false));";
        let markup = "for (const child of children.flat(2)) if (typeof child === 'string') made.innerHTML += child; \
                      else if (child) made.append(child);";
        replace(tree, "harness/report/src/html/elements.js", text, markup)
    }),
    fault(
        "GM-06 without its defect",
        &[
            ("seeds", &["GM-06 missed"]),
            ("campaign", &["GM-06 missed"]),
            ("libfuzzer-finds", &["GM-06 was not found"]),
            ("asan-finds", &["GM-06 was not found"]),
            ("afl-finds", &["did not find GM-06"]),
        ],
        |tree| {
            let file = "harness/subjects/src/guest_memory/defects/gm_06_bulk_store_keeps_reservations.rs";
            cut(tree, file, "    fn write_bulk", "\n}\n")
        },
    ),
    fault("BH-10 without its defect", &[("nightly", &["not 1"])], |tree| {
        let file = "harness/subjects/src/brk_heap/defects/bh_10_padding_not_counted.rs";
        replace(tree, file, "head.checked_add(size)", "_aligned.checked_add(size).filter(|end| head <= *end)")
    }),
    fault(
        "a hardened subject that reads a wrong byte",
        &[
            ("libfuzzer", &["guest_memory:"]),
            ("asan", &["guest_memory:"]),
            ("exhaustive", &["✗ guest_memory/physical_memory"]),
            ("afl", &["guest_memory"]),
            ("corpora", &["guest_memory"]),
        ],
        |tree| {
            let wrong = "self.memory.load_bulk(pa, buffer)?;\n        buffer.iter_mut().take(1).for_each(|byte| *byte \
                         ^= 1);\n        Ok(())";
            replace(tree, PHYSICAL, READ, wrong)
        },
    ),
    fault("a hardened subject that asks the clock", &[("workers", &["do not find the same"])], |tree| {
        let now = "let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();";
        let wrong = format!(
            "{now}\n        if time.subsec_nanos() % 4096 == 0 {{\n            return Ok(());\n        }}\n        \
             {READ}"
        );
        replace(tree, PHYSICAL, READ, &wrong)
    }),
    fault("a panic on an empty trace", &[("attack", &["a panic", "empty"])], |tree| {
        let old = "return Err(TraceError::Empty { path: path.to_owned() });";
        replace(tree, "harness/core/src/trace_files.rs", old, "panic!(\"planted\");")
    }),
    fault("errors of two lines", &[("attack-long", &["2 lines of errors"])], |tree| {
        replace(
            tree,
            "harness/core/src/cli/screen.rs",
            "{BAD}error:{BAD:#} {}\", text::line(text))",
            "{BAD}error:{BAD:#}\\n{}\", text::line(text))",
        )
    }),
    fault("a model that drops a bit of a frame's address", &[("witness", &["differ"])], |tree| {
        replace(tree, "models/src/page_walk/translate.rs", "0x000f_ffff_ffff_f000;", "0x000f_ffff_fffe_f000;")
    }),
    fault("a model whose fault codes are a user's", &[("witness-emulator", &["differ"])], |tree| {
        let old = "Mode::Kernel => 0,\n            Mode::User => Self::USER,";
        replace(tree, "models/src/temp_map/mmu.rs", old, "Mode::Kernel | Mode::User => Self::USER,")
    }),
];
