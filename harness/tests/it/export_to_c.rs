//! Exported programs in C: they compile without a warning, the host's libc passes all of them, and a malloc family with
//! a defect is told which law it breaks at which op.

use memtwin::engines::TraceSource as _;
use memtwin::engines::random::Generated;
use memtwin::explain::Telling;
use memtwin::export::c_program;
use memtwin::models::Contract as _;
use memtwin::models::heap::{Heap, HeapContract};
use memtwin::trace::Header;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// Flags that every project may have set.
const WARNINGS: [&str; 5] = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"];

/// A malloc family over an array that gives nothing out twice. `wrong_` is its prefix.
const RIGHT_FAMILY: &str = r#"
#include <errno.h>
#include <stdint.h>
#include <string.h>
static unsigned char room[1 << 20] __attribute__((aligned(4096)));
static size_t used;
void *wrong_malloc(size_t size)
{
    size_t start = (used + 31) / 16 * 16;
    if (sizeof room - start < size || sizeof room < start) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(room + start - 8, &size, sizeof size);
    used = start + size;
    return room + start;
}
void wrong_free(void *block) { (void)block; }
void *wrong_calloc(size_t count, size_t size)
{
    if (size != 0 && SIZE_MAX / size < count) {
        errno = ENOMEM;
        return NULL;
    }
    unsigned char *block = wrong_malloc(count * size);
    return block == NULL ? NULL : memset(block, 0, count * size);
}
void *wrong_realloc(void *block, size_t size)
{
    size_t old;
    memcpy(&old, (unsigned char *)block - 8, sizeof old);
    unsigned char *moved = wrong_malloc(size);
    return moved == NULL ? NULL : memcpy(moved, block, old < size ? old : size);
}
size_t wrong_malloc_usable_size(void *block)
{
    size_t size;
    memcpy(&size, (unsigned char *)block - 8, sizeof size);
    return size;
}
"#;

/// A trace of a malloc library, as JSON lines.
fn trace(expect: &str, ops: &[&str]) -> String {
    let header = r#"{"memtwin":1,"component":"heap","setup":{"first_bytes":4096},"subject":"paged_malloc""#;
    format!("{header},\"expect\":\"{expect}\"}}\n{}\n", ops.join("\n"))
}

/// Whether there is a compiler for C. Where there is none, the line that says so is all that these tests come to.
#[allow(clippy::print_stderr)] // nobody should take silence for a pass
fn has_compiler() -> bool {
    let has = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        eprintln!("there is no cc: programs in C were not compiled, and this test says nothing");
    }
    has
}

/// Compiles a program, perhaps for a family of one's own, and runs it.
fn run(folder: &TempDir, name: &str, text: &str, family: Option<&str>) -> Output {
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("finding.c"), text).unwrap();
    let mut command = Command::new("cc");
    command.args(WARNINGS).args(["finding.c", "-o", name]);
    if let Some(family) = family {
        std::fs::write(path("family.c"), family).unwrap();
        command.args(["-DPREFIX=wrong_", "family.c"]);
    }
    let compiled = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    assert!(compiled.status.success(), "{name}: {}\n{text}", String::from_utf8_lossy(&compiled.stderr));
    Command::new(path(name)).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
}

fn exported(folder: &TempDir, text: &str) -> Output {
    let path = folder.path().join("trace.jsonl");
    std::fs::write(&path, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_memtwin"));
    command.arg("export").arg(&path).args(["--to", "c"]).current_dir(folder.path());
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_hosts_libc_passes_the_programs_of_drawn_traces() {
    if !has_compiler() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let registry = memtwin::built_in();
    let header = Header::plain();
    let mut traces = Generated::<Heap>::new(&HeapContract::C);
    let (mut wire, mut count) = (Vec::new(), 0);
    for index in 0..40 {
        traces.write(7, 64 * index + index, &mut wire);
        let telling =
            Telling { dialect: registry.dialect("heap").unwrap(), wire: &wire, header: &header, name: "drawn" };
        let made = c_program(&telling, None, &HeapContract::C.claimed(), &AtomicBool::new(false));
        let text = match made {
            Ok(text) => text.unwrap(),
            Err(why) => {
                assert!(
                    ["system refuses", "no counterpart", "several threads"].iter().any(|known| why.contains(known)),
                    "{why}"
                );
                continue;
            }
        };
        let output = run(&folder, "drawn", &text, None);
        assert!(output.status.success(), "trace {index}: {}", String::from_utf8_lossy(&output.stderr));
        count += 1;
    }
    assert!(10 < count, "only {count} traces became programs");
}

/// What is wrong with the family, what a program does, and which law it says to be broken at which op.
const DEFECTS: [(&str, &str, &[&str], &str); 12] = [
    ("(used + 31) / 16 * 16", "used + 9", &[MALLOC_40], "op 0: law aligned"),
    ("used = start + size;", "used = start + size / 4;", &[MALLOC_40, OTHER_40], "op 1: law disjoint"),
    ("old < size ? old : size", "old / 2", &[MALLOC_40, REALLOC_100], "op 1: law kept"),
    ("old < size ? old : size", "size", &[MALLOC_40, OTHER_40, REALLOC_100], "op 2: law over_read"),
    ("memset(block, 0, count", "memset(block, 1, count", &[CALLOC], "op 0: law zeroed"),
    ("SIZE_MAX / size < count", "0", &[CALLOC_TOO_MUCH], "op 0: law refusal: a block"),
    ("sizeof room - start < size", "30 < size", &[MALLOC_40], "op 0: law refusal: null"),
    (
        "errno = ENOMEM;\n        return NULL;\n    }\n    memcpy",
        "return NULL;\n    }\n    memcpy",
        &[HUGE],
        "op 0: law errno",
    ),
    ("(void)block;", "(void)block; errno = 0;", &[MALLOC_40, FREE], "op 1: law errno"),
    ("return size;", "return size - 1;", &[MALLOC_40, USABLE], "op 1: law usable"),
    ("return size;", "return size + 64;", &[MALLOC_40, OTHER_40, USABLE], "op 2: law usable"),
    ("(void)block;", "room[40] ^= 1; (void)block;", &[OTHER_40, MALLOC_40, FREE, LOOK], "op 3: law contents"),
];
const MALLOC_40: &str = r#"{"op":"malloc","slot":0,"size":"0x28"}"#;
const OTHER_40: &str = r#"{"op":"malloc","slot":1,"size":"0x28"}"#;
const HUGE: &str = r#"{"op":"malloc","slot":0,"size":"0x4000000000000000"}"#;
const REALLOC_100: &str = r#"{"op":"realloc","slot":0,"size":"0x64"}"#;
const CALLOC: &str = r#"{"op":"calloc","slot":0,"count":"0x5","size":"0x7"}"#;
const CALLOC_TOO_MUCH: &str = r#"{"op":"calloc","slot":0,"count":"0x100000000","size":"0x100000000"}"#;
const USABLE: &str = r#"{"op":"usable_size","slot":0}"#;
const FREE: &str = r#"{"op":"free","slot":0}"#;
const LOOK: &str = r#"{"op":"verify","slot":1}"#;

#[test]
fn a_family_with_a_defect_is_told_the_law_and_the_op() {
    if !has_compiler() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (right, wrong, ops, says) in DEFECTS {
        let output = exported(&folder, &trace("heap/some/op/field", ops));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let passed = run(&folder, "right", &text, Some(RIGHT_FAMILY));
        assert!(passed.status.success(), "{says}: {}", String::from_utf8_lossy(&passed.stderr));
        assert!(RIGHT_FAMILY.contains(right), "{right}");
        let failed = run(&folder, "wrong", &text, Some(&RIGHT_FAMILY.replacen(right, wrong, 1)));
        let errors = String::from_utf8_lossy(&failed.stderr);
        assert_eq!(failed.status.code(), Some(1), "{says}: {errors}");
        assert!(errors.starts_with(says), "{says}: {errors}");
    }
}

#[test]
fn what_no_program_in_c_can_show_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let fault = trace("heap/some/op/field", &[FREE])
        .replace(r#""first_bytes":4096"#, r#""first_bytes":4096,"fault":{"request":"map","after":1}"#);
    let other = r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10"}}"#;
    for (text, about) in [
        (fault, "the system refuses"),
        (trace("heap/bounded/cycle/held", &[FREE]), "does not look at"),
        (trace("heap/some/op/field", &[FREE, r#"{"op":"extend","bytes":16}"#]), "no counterpart"),
        (trace("heap/some/op/field", &[]), "no counterpart"),
        (trace("heap/books/audit/live_blocks", &[FREE]), "does not look at"),
        (format!("{other}\n"), "only allocators"),
    ] {
        let output = exported(&folder, &text);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{text}: {errors}");
        assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{errors}");
        assert!(errors.contains(about), "{about}: {errors}");
    }
}

#[test]
fn foreign_text_stays_in_comments_and_takes_no_line_in() {
    let folder = tempfile::tempdir().unwrap();
    let story = r#""story":"one\nint evil;\u001b[31m */ \\\\","expect":"heap/some/op/field""#;
    let text = trace("heap/some/op/field", &[MALLOC_40]).replace(r#""expect":"heap/some/op/field""#, story);
    let output = exported(&folder, &text);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = text.lines().find(|line| line.contains("evil")).unwrap();
    assert!(line.starts_with("// ") && line.ends_with('.') && !text.contains('\x1b'), "{line}");
    if has_compiler() {
        assert!(run(&folder, "foreign", &text, None).status.success());
    }
}
