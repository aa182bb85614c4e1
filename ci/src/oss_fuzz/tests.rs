//! Folders that break the contract in one way each. The targets are links to one script, which no test writes: a
//! program that is open for writing anywhere cannot be started.

use super::contract::{dictionary_offences, offences, option_offences, seed_offences};
use super::programs::{coverage_offences, form_offences, fuzzing_offences, is_call_of_sanitizer};
use super::{Sanitizer, hold};
use memtwin::drivers::command::Trouble;
use memtwin::target::Dialect;
use sha1::{Digest as _, Sha1};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const OPTIONS: &str = "[libfuzzer]\nmax_len = 1048576\ntimeout = 25\n";

fn digest(seed: &str) -> String {
    Sha1::digest(seed).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write_archive(path: &Path, seeds: &[(String, &str)]) {
    let mut archive = ZipWriter::new(fs::File::create(path).unwrap());
    for (name, seed) in seeds {
        archive.start_file(name, SimpleFileOptions::default()).unwrap();
        archive.write_all(seed.as_bytes()).unwrap();
    }
    archive.finish().unwrap();
}

fn add_target(out: &Path, name: &str, seeds: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/oss_fuzz/tests/target.sh");
    symlink(script, out.join(name)).unwrap();
    fs::write(out.join(format!("{name}.options")), OPTIONS).unwrap();
    let seeds: Vec<_> = seeds.iter().map(|seed| (digest(seed), *seed)).collect();
    write_archive(&out.join(format!("{name}_seed_corpus.zip")), &seeds);
}

/// A folder with these targets, each with one seed.
fn out(targets: &[&str]) -> TempDir {
    let out = tempfile::tempdir().unwrap();
    for target in targets {
        add_target(out.path(), target, &["a seed"]);
    }
    out
}

fn names(targets: &[&str]) -> BTreeSet<String> {
    targets.iter().map(|&target| target.to_owned()).collect()
}

/// The one way in which this folder, which should hold the target `heap`, breaks the contract.
#[track_caller]
fn check(out: &TempDir, expected: &[&str]) {
    let found = offences(out.path(), &names(&["heap"])).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn a_folder_as_it_should_be_has_no_offences() {
    let out = out(&["heap"]);
    fs::write(out.path().join("heap.dict"), "# sizes\nhuge=\"\\xff\\xff\"\n\"\\\\\"\n").unwrap();
    fs::write(out.path().join("llvm-symbolizer"), "of the image").unwrap();
    check(&out, &[]);
    assert_eq!(fuzzing_offences(out.path(), "heap").unwrap(), Vec::<String>::new());
}

#[test]
fn a_target_is_not_renamed_to_what_runners_ignore() {
    let out = out(&["heap"]);
    fs::rename(out.path().join("heap"), out.path().join("heap.v2")).unwrap();
    check(
        &out,
        &[
            "heap.v2: runners ignore a target whose name has other characters than letters, digits, _ and -",
            "heap: there is no such target",
        ],
    );
}

#[test]
fn a_target_is_not_renamed_to_what_no_component_is_called() {
    let out = out(&["heaps"]);
    check(
        &out,
        &[
            "heap: there is no such target",
            "heaps.options: there is no target heaps",
            "heaps: there is no such component",
            "heaps_seed_corpus.zip: there is no target heaps",
        ],
    );
}

#[test]
fn a_target_is_an_executable_with_the_entry_point() {
    let offence = "heap: a target is an executable that holds the string LLVMFuzzerTestOneInput";
    for (text, mode) in [("no entry", 0o755), ("LLVMFuzzerTestOneInput", 0o644)] {
        let out = out(&["heap"]);
        let program = out.path().join("heap");
        fs::remove_file(&program).unwrap();
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        check(&out, &[offence, "heap: there is no such target"]);
    }
}

#[test]
fn a_target_has_seeds_and_options() {
    for missing in ["heap_seed_corpus.zip", "heap.options"] {
        let out = out(&["heap"]);
        fs::remove_file(out.path().join(missing)).unwrap();
        check(&out, &[&format!("{missing}: missing")]);
    }
}

#[test]
fn seeds_are_flat_not_empty_and_named_by_their_sha_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heap_seed_corpus.zip");
    let check = |seeds: &[(String, &str)], expected: &[String]| {
        write_archive(&path, seeds);
        assert_eq!(seed_offences(&path).unwrap(), expected);
    };
    check(&[(digest("one"), "one"), (digest("two"), "two")], &[]);
    check(&[], &["holds no seed".to_owned()]);
    let nested = format!("corpus/{}", digest("one"));
    check(&[(nested.clone(), "one")], &[format!("{nested} lies in a folder")]);
    let misnamed = format!("seed-small is not named by its SHA-1, {}", digest("one"));
    check(&[("seed-small".to_owned(), "one")], &[misnamed]);
    check(&[(digest(""), "")], &[format!("{} is empty", digest(""))]);
}

#[test]
fn options_are_what_runners_can_read_and_know_the_longest_input() {
    assert_eq!(option_offences(OPTIONS), Vec::<String>::new());
    assert_eq!(option_offences(&format!("# why\n{OPTIONS}[asan]\nquarantine_size_mb=1\n")), Vec::<String>::new());
    let longest = "[libfuzzer] does not say max_len = 1048576, the wire format's limit";
    assert_eq!(option_offences("[libfuzzer]\nmax_len = 4096\n"), [longest]);
    assert_eq!(option_offences("[asan]\nmax_len = 1048576\n"), [longest]);
    assert_eq!(option_offences(&format!("timeout = 1\n{OPTIONS}")), ["line 1: timeout = 1"]);
    assert_eq!(option_offences(&format!("{OPTIONS}timeout\n")), ["line 4: timeout"]);
    assert_eq!(option_offences(&format!("{OPTIONS}[fuzzer]\n")), ["line 4: no runner reads the section fuzzer"]);
}

#[test]
fn dictionaries_are_words_in_quotes() {
    assert_eq!(dictionary_offences("\n# edges\n\"\\x00\\xfF\"\nname=\"a b\"\n"), Vec::<String>::new());
    for line in ["word", "\"open", "\"\"", "\"\\x0\"", "\"\\n\"", "a b=\"x\"", "\"quote\"inside\"", "\"\\\""] {
        assert_eq!(dictionary_offences(line), [format!("line 1: {line}")]);
    }
}

#[test]
fn no_seed_makes_a_target_fail() {
    let out = tempfile::tempdir().unwrap();
    add_target(out.path(), "heap", &["a seed", "a fatal seed"]);
    let offences = fuzzing_offences(out.path(), "heap").unwrap();
    assert_eq!(offences.len(), 1);
    assert!(offences[0].starts_with("heap: a seed makes it fail: "), "{}", offences[0]);
    assert!(offences[0].ends_with("deadly signal"), "{}", offences[0]);
}

#[test]
fn a_target_survives_its_first_runs_and_is_instrumented() {
    let first_words = |target: &str| {
        let offences = fuzzing_offences(out(&[target]).path(), target).unwrap();
        offences.iter().filter_map(|offence| offence.split(": ").nth(1).map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(first_words("dies_at_once"), ["does not survive 4 runs"]);
    assert_eq!(first_words("partly_instrumented"), ["fewer than 100 edges"]);
}

#[test]
fn a_target_for_coverage_leaves_a_profile() {
    let offences = |target: &str| coverage_offences(out(&[target]).path(), target).unwrap();
    assert_eq!(offences("profiled"), Vec::<String>::new());
    assert_eq!(offences("heap"), ["heap: leaves no profile of what it covers"]);
}

#[test]
fn a_script_is_no_program_for_x86_64() {
    let out = out(&["heap"]);
    let offences = form_offences(out.path(), "heap", Sanitizer::Address).unwrap();
    assert_eq!(offences, ["heap: not a program for x86-64"]);
}

#[test]
fn a_program_without_address_sanitizer_is_known_by_its_calls() {
    let out = tempfile::tempdir().unwrap();
    symlink("/bin/sh", out.path().join("heap")).unwrap();
    let offences = form_offences(out.path(), "heap", Sanitizer::Address).unwrap();
    assert_eq!(offences, ["heap: 0 calls into AddressSanitizer, at least 1000 expected"]);
    assert!(is_call_of_sanitizer("  401136:\te8 f5 fe ff ff       \tcall   401030 <__asan_report_load8>"));
    assert!(is_call_of_sanitizer("  401136:\te8 f5 fe ff ff       \tcallq  401030 <__asan_init>"));
    assert!(!is_call_of_sanitizer("0000000000401030 <__asan_report_load8>:"));
    assert!(!is_call_of_sanitizer("  401136:\teb f5                \tjmp    401030 <__asan_init>"));
    assert!(!is_call_of_sanitizer("  401136:\te8 f5 fe ff ff       \tcall   401030 <__ubsan_handle_add>"));
}

#[test]
fn a_folder_needs_every_component() {
    let components: Vec<_> = memtwin::built_in().dialects().map(Dialect::name).collect();
    let out = out(&components[1..]);
    let Err(Trouble::Failed(what)) = hold(out.path(), Sanitizer::Address) else { panic!("{components:?}") };
    assert_eq!(what, format!("{}: there is no such target", components[0]));
}
