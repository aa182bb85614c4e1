//! Exported tests: they compile with nothing but Rust's standard library, right code passes all of them, and code with
//! the exported defect fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MEMTWIN: &str = env!("CARGO_BIN_EXE_memtwin");

/// An allocator that is right.
const RIGHT_ALLOCATOR: &str = "
struct MyAllocator;
unsafe impl GlobalAlloc for MyAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 { unsafe { std::alloc::System.alloc(layout) } }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) { unsafe { std::alloc::System.dealloc(block, layout) } }
}
";

/// Flat memory with reservations, whose methods those of the exported trait call.
const RIGHT_MEMORY: &str = "
struct Flat { bytes: Vec<u8>, strict: bool, held: [Option<(u64, u8)>; 4] }
#[allow(dead_code)]
impl Flat {
    fn new(memory_size: u64, strict_alignment: bool) -> Self {
        Flat { bytes: vec![0; memory_size as usize], strict: strict_alignment, held: [None; 4] }
    }
    fn range(&self, address: u64, length: u64) -> Result<std::ops::Range<usize>, ()> {
        let end = address.checked_add(length).filter(|end| *end <= self.bytes.len() as u64).ok_or(())?;
        Ok(address as usize..end as usize)
    }
    fn scalar(&self, address: u64, size: u8) -> Result<std::ops::Range<usize>, ()> {
        if !matches!(size, 1 | 2 | 4 | 8) || self.strict && address % u64::from(size) != 0 { return Err(()); }
        self.range(address, size.into())
    }
    fn kill(&mut self, address: u64, length: u64) {
        if length == 0 { return; }
        let (first, last) = (address / 64, address.saturating_add(length - 1) / 64);
        for held in &mut self.held {
            if held.is_some_and(|(at, size)| at / 64 <= last && first <= (at + u64::from(size) - 1) / 64) { *held = \
                            None; }
        }
    }
    fn read(&mut self, _owner: usize, address: u64, size: u8) -> Result<u64, ()> {
        let range = self.scalar(address, size)?;
        let mut bytes = [0; 8];
        bytes[..range.len()].copy_from_slice(&self.bytes[range]);
        Ok(u64::from_le_bytes(bytes))
    }
    fn fetch_insn(&mut self, owner: usize, address: u64) -> Result<u64, ()> { self.read(owner, address, 4) }
    fn write(&mut self, _owner: usize, address: u64, value: u64, size: u8) -> Result<(), ()> {
        let range = self.scalar(address, size)?;
        let length = range.len();
        self.bytes[range].copy_from_slice(&value.to_le_bytes()[..length]);
        self.kill(address, length as u64);
        Ok(())
    }
    fn load_reserved(&mut self, owner: usize, address: u64, size: u8) -> Result<u64, ()> {
        let value = self.read(owner, address, size)?;
        self.held[owner] = Some((address, size));
        Ok(value)
    }
    fn store_conditional(&mut self, owner: usize, address: u64, value: u64, size: u8) -> Result<bool, ()> {
        self.scalar(address, size)?;
        let stores = self.held[owner].take() == Some((address, size));
        if stores { self.write(owner, address, value, size)?; }
        Ok(stores)
    }
    fn aligned(&mut self, owner: usize, address: u64, size: u8) -> Result<u64, ()> {
        let value = self.read(owner, address, size)?;
        if address % u64::from(size) == 0 { Ok(value) } else { Err(()) }
    }
    fn atomic_load(&mut self, owner: usize, address: u64, size: u8) -> Result<u64, ()> {
        self.aligned(owner, address, size)
    }
    fn atomic_store(&mut self, owner: usize, address: u64, value: u64, size: u8) -> Result<(), ()> {
        self.aligned(owner, address, size)?;
        self.write(owner, address, value, size)
    }
    fn compare_exchange(
        &mut self, owner: usize, address: u64, expected: u64, value: u64, size: u8,
    ) -> Result<(u64, bool), ()> {
        let before = self.aligned(owner, address, size)?;
        let stores = before.to_le_bytes()[..size.into()] == expected.to_le_bytes()[..size.into()];
        if stores { self.write(owner, address, value, size)?; }
        Ok((before, stores))
    }
    fn invalidate_reservation(&mut self, _owner: usize, address: u64, size: u8) { self.kill(address, size.into()); }
    fn read_bulk(&mut self, _owner: usize, address: u64, buffer: &mut [u8]) -> Result<(), ()> {
        let range = self.range(address, buffer.len() as u64)?;
        buffer.copy_from_slice(&self.bytes[range]);
        Ok(())
    }
    fn write_bulk(&mut self, _owner: usize, address: u64, bytes: &[u8]) -> Result<(), ()> {
        let range = self.range(address, bytes.len() as u64)?;
        self.bytes[range].copy_from_slice(bytes);
        self.kill(address, bytes.len() as u64);
        Ok(())
    }
    fn memory_size(&self) -> u64 { self.bytes.len() as u64 }
    fn dump_memory(&self) -> Vec<u8> { self.bytes.clone() }
    fn restore_memory(&mut self, bytes: &[u8]) -> Result<(), ()> {
        if bytes.len() != self.bytes.len() { return Err(()); }
        self.bytes.copy_from_slice(bytes);
        self.held = [None; 4];
        Ok(())
    }
}
#[allow(dead_code)]
struct MyMemory(Flat);
";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn export_to(form: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(MEMTWIN);
    command.arg("export").args(arguments).args(["--to", form]).current_dir(root());
    command.stdin(Stdio::null()).output().unwrap()
}

fn export(arguments: &[&str]) -> Output {
    export_to("rust-test", arguments)
}

fn exported(trace: &str) -> Option<String> {
    let output = export(&[trace]);
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Compiles tests and runs them.
fn run(folder: &TempDir, name: &str, text: &str) -> Output {
    let source = folder.path().join(format!("{name}.rs"));
    let program: PathBuf = folder.path().join(name);
    std::fs::write(&source, text).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command.args(["--test", "--edition", "2024", "-o"]).arg(&program).arg(&source);
    let compiled = command.current_dir(folder.path()).stdin(Stdio::null()).output().unwrap();
    assert!(compiled.status.success(), "{name}: {}\n{text}", String::from_utf8_lossy(&compiled.stderr));
    Command::new(program).current_dir(folder.path()).stdin(Stdio::null()).output().unwrap()
}

/// The trait of an exported test, implemented by the methods of `Flat`.
fn with_memory(text: &str, flat: &str) -> String {
    let methods = text.lines().filter_map(|line| line.strip_prefix("    fn ")?.strip_suffix(';'));
    let mut code = format!("{text}\n{flat}\nimpl GuestMemory for MyMemory {{\n");
    for method in methods {
        let (name, rest) = method.split_once('(').unwrap();
        let parameters = rest.split_once(')').unwrap().0.split(", ");
        let names: Vec<&str> = parameters.filter_map(|parameter| Some(parameter.split_once(": ")?.0)).collect();
        let call = format!("{name}({})", names.join(", "));
        let body = if name == "new" { format!("MyMemory(Flat::{call})") } else { format!("self.0.{call}") };
        code += &format!("    fn {method} {{ {body} }}\n");
    }
    code + "}\n"
}

#[test]
fn right_code_passes_every_exported_test() {
    let traces = memtwin::trace_files::find_traces(&root().join("crashes")).unwrap();
    let mut all = String::new();
    let mut count = 0;
    for path in &traces {
        let trace = path.strip_prefix(root()).unwrap().to_str().unwrap();
        let Some(text) = exported(trace) else { continue };
        let code = if trace.contains("guest_memory") {
            with_memory(&text, RIGHT_MEMORY)
        } else {
            format!("{text}{RIGHT_ALLOCATOR}")
        };
        count += 1;
        all += &format!("mod finding_{count} {{\n{code}}}\n");
    }
    // Each component that has such tests has several.
    assert!(30 < count, "{count} traces");
    let output = run(&tempfile::tempdir().unwrap(), "right", &all);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(&format!("{count} passed; 0 failed")), "{text}");
}

/// A finding's test fails on code with its defect, and says this.
fn fails(name: &str, code: &str, says: &str) {
    let output = run(&tempfile::tempdir().unwrap(), name, code);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(101), "{name}: {text}");
    assert!(text.contains(says), "{name} should say {says:?}: {text}");
}

#[test]
fn a_head_that_advances_by_the_size_alone_fails() {
    let code = exported("crashes/brk_heap/BH-10.jsonl").unwrap();
    let defect = "
struct MyAllocator;
static HEAD: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
#[repr(align(4096))]
struct Room(std::cell::UnsafeCell<[u8; 1 << 16]>);
unsafe impl Sync for Room {}
static ROOM: Room = Room(std::cell::UnsafeCell::new([0; 1 << 16]));
unsafe impl GlobalAlloc for MyAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let head = HEAD.fetch_add(layout.size(), std::sync::atomic::Ordering::Relaxed);
        unsafe { ROOM.0.get().cast::<u8>().add(head.next_multiple_of(layout.align())) }
    }
    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}
";
    fails("padding", &format!("{code}{defect}"), "shares bytes with the block of slot 1");
}

#[test]
fn a_block_that_grows_over_its_neighbour_fails() {
    let code = exported("crashes/heap/HP-05.jsonl").unwrap();
    let defect = "
struct MyAllocator;
unsafe impl GlobalAlloc for MyAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        static HEAD: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let room = ROOM.get_or_init(|| vec![0_u64; 1 << 13].leak().as_ptr() as usize);
        let size = layout.size().next_multiple_of(16);
        (room.next_multiple_of(16) + HEAD.fetch_add(size, std::sync::atomic::Ordering::Relaxed)) as *mut u8
    }
    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
    unsafe fn realloc(&self, block: *mut u8, _layout: Layout, _size: usize) -> *mut u8 { block }
}
static ROOM: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
";
    fails("grows", &format!("{code}{defect}"), "shares bytes with the block of slot 1");
}

#[test]
fn a_slab_that_is_taken_to_hold_too_many_blocks_fails() {
    let code = exported("crashes/header_free/HF-14.jsonl").unwrap();
    let defect = "
struct MyAllocator;
static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
#[repr(align(4096))]
struct Slab(std::cell::UnsafeCell<[u8; 4096]>);
unsafe impl Sync for Slab {}
static SLAB: Slab = Slab(std::cell::UnsafeCell::new([0; 4096]));
unsafe impl GlobalAlloc for MyAllocator {
    unsafe fn alloc(&self, _layout: Layout) -> *mut u8 {
        // A block takes its size and a header; beyond the slab's end it goes on at the beginning.
        let index = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        unsafe { SLAB.0.get().cast::<u8>().add((index * (1024 + 16)) % 3072) }
    }
    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}
";
    fails("slab", &format!("{code}{defect}"), "shares bytes");
}

#[test]
fn memory_that_loses_what_crosses_a_border_fails() {
    let code = exported("crashes/guest_memory/GM-14.jsonl").unwrap();
    let right = "self.bytes[range].copy_from_slice(&value.to_le_bytes()[..length]);";
    let wrong = "let kept = length.min(0x1000 - range.start % 0x1000);
        self.bytes[range][..kept].copy_from_slice(&value.to_le_bytes()[..kept]);";
    assert!(RIGHT_MEMORY.contains(right));
    fails("border", &with_memory(&code, &RIGHT_MEMORY.replacen(right, wrong, 1)), "assertion `left == right` failed");
}

#[test]
fn memory_that_fills_the_buffer_of_a_failed_read_fails() {
    let code = exported("crashes/guest_memory/GM-16.jsonl").unwrap();
    let right = "let range = self.range(address, buffer.len() as u64)?;\n        buffer";
    let wrong = "let fitting = self.bytes.len() - address as usize;
        if fitting < buffer.len() {
            buffer[..fitting].copy_from_slice(&self.bytes[address as usize..]);
        }
        let range = self.range(address, buffer.len() as u64)?;\n        buffer";
    assert!(RIGHT_MEMORY.contains(right));
    let code = with_memory(&code, &RIGHT_MEMORY.replacen(right, wrong, 1));
    fails("buffer", &code, "a failed read has written to the buffer");
}

#[test]
fn what_only_memtwin_can_show_is_refused_in_one_line() {
    for (trace, about) in [
        ("crashes/page_walk/PW-01.jsonl", "simulated machine"),
        ("crashes/temp_map/TM-05.jsonl", "simulated machine"),
        ("crashes/guest_memory/GM-07.jsonl", "devices"),
        ("crashes/brk_heap/BH-03.jsonl", "cannot see"),
        ("crashes/brk_heap/BH-05.jsonl", "cannot see"),
        ("crashes/header_free/HF-10.jsonl", "no counterpart"),
        ("crashes/heap/HP-03.jsonl", "cannot see"),
        ("crashes/heap/HP-07.jsonl", "cannot see"),
    ] {
        let output = export(&[trace]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{trace}: {errors}");
        assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{trace}: {errors}");
        assert!(errors.contains(trace) && errors.contains(about), "{trace}: {errors}");
    }
}

#[test]
fn a_test_goes_to_a_file_and_its_foreign_text_stays_in_comments() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.jsonl");
    let trace = concat!(
        r#"{"memtwin":1,"component":"guest_memory","setup":{"memory_size":"0x10"},"subject":"soft_mmu","#,
        r#""story":"first\nfn main() {}\u001b[31m"}"#,
        "\n",
        r#"{"op":"memory_size","owner":0}"#,
        "\n"
    );
    std::fs::write(&path, trace).unwrap();
    let target = folder.path().join("finding.rs");
    let output = export(&[path.to_str().unwrap(), "-o", target.to_str().unwrap()]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(target).unwrap();
    assert!(text.contains("//! first\\nfn main() {}\\u{1b}[31m\n") && text.contains("fn finding() {"), "{text}");
    assert!(!text.contains('\x1b') && text.contains("--subject soft_mmu"), "{text}");
    let output = export(&[path.to_str().unwrap(), "--subject", "nobody"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn an_interrupt_ends_an_export() {
    let registry = memtwin::built_in();
    let header = memtwin::trace::Header::plain();
    let is_interrupted = std::sync::atomic::AtomicBool::new(true);
    for component in ["guest_memory", "brk_heap", "header_free", "heap"] {
        let dialect = registry.dialect(component).unwrap();
        let telling = memtwin::explain::Telling { dialect, wire: &[1; 200], header: &header, name: "one" };
        let made = memtwin::export::rust_test(&telling, None, &is_interrupted);
        // Wire bytes may give a setup that no test has; what comes to the ops sees the interrupt.
        assert!(
            matches!(made, Ok(None)) || made.is_err_and(|why| why.contains("setup") || why.contains("last op")),
            "{component}"
        );
    }
}
