//! The part of the contract that the programs in $OUT show: how they were compiled, and that they run and agree on
//! their seeds. The numbers and arguments are those of OSS-Fuzz's check of builds.

use super::Sanitizer;
use super::contract::{DICTIONARY, OPTIONS, SEEDS, libfuzzer_arguments};
use memtwin::drivers::command::{Printed, Run, Trouble, last_lines};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use zip::ZipArchive;

/// A program with fewer calls into AddressSanitizer was not compiled with it.
const LEAST_SANITIZER_CALLS: usize = 1000;
/// A program with fewer edges is instrumented in part only.
const LEAST_EDGES: u64 = 100;
/// How many inputs a program must survive without seeds.
const RUNS: &str = "4";
/// What the runners give every program.
const LIMITS: [&str; 2] = ["-rss_limit_mb=2560", "-timeout=25"];
/// What runs of a program may take together, in seconds.
const MOST_SECONDS: &str = "900";

/// ASAN_OPTIONS as the runners set them; symbols are left out, which only cost time here.
const ASAN_OPTIONS: &str = "alloc_dealloc_mismatch=0:allocator_may_return_null=1:allocator_release_to_os_interval_ms=500:\
     check_malloc_usable_size=0:detect_container_overflow=1:detect_odr_violation=0:detect_leaks=1:\
     detect_stack_use_after_return=1:fast_unwind_on_fatal=0:handle_abort=1:handle_segv=1:handle_sigill=1:\
     max_uar_stack_size_log=16:print_scariness=1:quarantine_size_mb=10:strict_memcmp=1:symbolize=0:use_sigaltstack=1";

/// How the program breaks the contract by the way it was compiled.
pub(super) fn form_offences(out: &Path, target: &str, sanitizer: Sanitizer) -> Result<Vec<String>, Trouble> {
    let program = out.join(target);
    let mut header = [0; 20];
    let is_whole = fs::File::open(&program)?.read_exact(&mut header).is_ok();
    // The identification says ELF with 64-bit words, bytes 18 and 19 are the machine.
    if !is_whole || !header.starts_with(b"\x7fELF\x02") || header[18..] != [62, 0] {
        return Ok(vec![format!("{target}: not a program for x86-64")]);
    }
    if sanitizer == Sanitizer::Coverage {
        return Ok(Vec::new());
    }
    let mut objdump = Command::new("objdump")
        .arg("-dC")
        .arg(&program)
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Trouble::Failed(format!("objdump -dC {}: {error}", program.display())))?;
    let mut calls = 0;
    if let Some(lines) = objdump.stdout.take() {
        for line in BufReader::new(lines).split(b'\n') {
            calls += usize::from(is_call_of_sanitizer(&String::from_utf8_lossy(&line?)));
        }
    }
    let status = objdump.wait()?;
    if !status.success() {
        return Err(Trouble::Failed(format!("objdump -dC {}: {status}", program.display())));
    }
    if calls < LEAST_SANITIZER_CALLS {
        return Ok(vec![format!(
            "{target}: {calls} calls into AddressSanitizer, at least {LEAST_SANITIZER_CALLS} expected"
        )]);
    }
    Ok(Vec::new())
}

/// Whether a line of a disassembly calls into AddressSanitizer.
pub(super) fn is_call_of_sanitizer(line: &str) -> bool {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    words.windows(3).any(|words| {
        let [call, address, name] = words else { return false };
        matches!(*call, "call" | "callq")
            && address.bytes().all(|byte| byte.is_ascii_hexdigit())
            && name.starts_with("<__asan")
    })
}

/// How a program for fuzzing breaks the contract when it runs: without seeds, then on its seeds.
pub(super) fn fuzzing_offences(out: &Path, target: &str) -> Result<Vec<String>, Trouble> {
    let mut offences = Vec::new();
    let start = ["-seed=1337".to_owned(), format!("-runs={RUNS}")];
    let options = libfuzzer_arguments(&fs::read_to_string(out.join(format!("{target}{OPTIONS}")))?);
    let limits: Vec<String> = LIMITS.iter().map(|&limit| limit.to_owned()).chain(options).collect();
    let sanitizer = [("ASAN_OPTIONS", ASAN_OPTIONS)];

    let printed = run(out, target, &start, &sanitizer)?;
    if edges(&printed.err).is_none_or(|edges| edges < LEAST_EDGES) {
        offences.push(format!("{target}: fewer than {LEAST_EDGES} edges: {}", last_lines(&printed.err)));
    }
    let printed = run(out, target, &[&start[..], &limits].concat(), &sanitizer)?;
    if !printed.err.contains(&format!("Done {RUNS} runs")) {
        offences.push(format!("{target}: does not survive {RUNS} runs: {}", last_lines(&printed.err)));
    }

    let corpus = seeds(out, target)?;
    let mut arguments = limits;
    arguments.extend(["-runs=0".to_owned(), corpus.path().display().to_string()]);
    if out.join(format!("{target}{DICTIONARY}")).is_file() {
        arguments.push(format!("-dict={target}{DICTIONARY}"));
    }
    let printed = run(out, target, &arguments, &sanitizer)?;
    if printed.code != Some(0) {
        offences.push(format!("{target}: a seed makes it fail: {}", last_lines(&printed.err)));
    }
    Ok(offences)
}

/// How a program for coverage reports breaks the contract: it is run as the reports run it, and must leave a profile.
pub(super) fn coverage_offences(out: &Path, target: &str) -> Result<Vec<String>, Trouble> {
    let (corpus, merged, profiles) = (seeds(out, target)?, tempfile::tempdir()?, tempfile::tempdir()?);
    let folder = |folder: &TempDir| folder.path().display().to_string();
    let arguments = ["-merge=1".to_owned(), "-timeout=100".to_owned(), folder(&merged), folder(&corpus)];
    let profile = format!("{}/%1m.profraw", profiles.path().display());
    let printed = run(out, target, &arguments, &[("LLVM_PROFILE_FILE", &profile)])?;
    if printed.code != Some(0) {
        return Ok(vec![format!("{target}: a seed makes it fail: {}", last_lines(&printed.err))]);
    }
    let mut bytes = 0;
    for profile in fs::read_dir(profiles.path())? {
        bytes += profile?.metadata()?.len();
    }
    Ok(if bytes == 0 { vec![format!("{target}: leaves no profile of what it covers")] } else { Vec::new() })
}

/// The target's seeds, unpacked.
fn seeds(out: &Path, target: &str) -> io::Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let archive = fs::File::open(out.join(format!("{target}{SEEDS}")))?;
    let unpacked = ZipArchive::new(archive).and_then(|mut archive| archive.extract(folder.path()));
    unpacked.map(|()| folder).map_err(io::Error::other)
}

fn run(out: &Path, target: &str, arguments: &[String], environment: &[(&str, &str)]) -> Result<Printed, Trouble> {
    // What a program keeps of an input that it dies of must not lie among the targets.
    let kept = tempfile::tempdir()?;
    let run = Run::new(out, "timeout", [MOST_SECONDS])
        .with([&out.join(target)])
        .with(arguments)
        .with([format!("-artifact_prefix={}/", kept.path().display())])
        .with_only_environment(&["PATH"]);
    environment.iter().fold(run, |run, (name, value)| run.env(name, value)).keep()
}

/// How many edges libFuzzer says the program has.
fn edges(printed: &str) -> Option<u64> {
    let line = printed.lines().find(|line| line.starts_with("INFO: Loaded ") && line.contains(" module"))?;
    let (_, rest) = line.split_once("counters): ").or_else(|| line.split_once("guards): "))?;
    rest.split(' ').next()?.parse().ok()
}
