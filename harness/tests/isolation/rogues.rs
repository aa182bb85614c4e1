//! The rogues: the sound `soft_mmu` with one misdeed each. They judge nothing and expect nothing.

use memtwin::models::guest_memory::{Error, GuestMemory, GuestMemoryContract, Op, OpKind, Outcome, Seen, Setup, View};
use memtwin::models::{Contract as _, Health, Subject, Unsupported};
use memtwin::subjects::guest_memory::SoftMmuSubject;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, mmap_anonymous};
use nix::sys::signal::{Signal, raise};
use std::hint::black_box;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// What a rogue tries to create and must not.
pub(super) const FORBIDDEN_FILE: &str = "/tmp/memtwin-a-worker-must-not-create-this";

/// `soft_mmu` with a misdeed.
pub(super) struct Rogue<M: Misdeed> {
    inner: SoftMmuSubject,
    ops: u32,
    misdeed: PhantomData<M>,
}

pub(super) trait Misdeed: 'static {
    const NAME: &'static str;
    /// Broken ones end at their first catch, which suits those that cost seconds.
    const HEALTH: Health = Health::Sound;
    const CONTRACT: GuestMemoryContract = GuestMemoryContract { flat_ram: true, ..GuestMemoryContract::STRICT };
    fn at_build(_setup: &Setup) {}
    fn at_drop() {}
    /// Before each op; `index` counts from 0 in each trace.
    fn before(_op: &Op, _index: u32) {}
    fn after(_op: &Op, _seen: &mut Outcome) {}
}

impl<M: Misdeed> Subject<GuestMemory> for Rogue<M> {
    const NAME: &'static str = M::NAME;
    const HEALTH: Health = M::HEALTH;
    const CONTRACT: GuestMemoryContract = M::CONTRACT;

    fn new(setup: &Setup) -> Result<Self, Unsupported> {
        M::at_build(setup);
        Ok(Rogue { inner: SoftMmuSubject::new(setup)?, ops: 0, misdeed: PhantomData })
    }

    fn reset(&mut self, setup: &Setup) -> bool {
        self.ops = 0;
        self.inner.reset(setup)
    }

    fn apply(&mut self, op: &Op, seen: &mut Outcome) {
        M::before(op, self.ops);
        self.ops += 1;
        self.inner.apply(op, seen);
        M::after(op, seen);
    }

    fn view(&mut self, view: &mut View) {
        self.inner.view(view);
    }
}

impl<M: Misdeed> Drop for Rogue<M> {
    fn drop(&mut self) {
        M::at_drop();
    }
}

/// A rogue that does something before each scalar read: in nearly every trace.
macro_rules! at_each_read {
    ($($(#[$attribute:meta])* $rogue:ident $name:literal $misdeed:block)+) => {$(
        $(#[$attribute])*
        pub(super) struct $rogue;
        impl Misdeed for $rogue {
            const NAME: &'static str = $name;
            fn before(op: &Op, _index: u32) {
                if op.kind() == OpKind::Read $misdeed
            }
        }
    )+};
}

at_each_read! {
    Segfault "segfault" { segfault() }
    /// Sent, not caused: the instruction that is tried again does not fault.
    RaisedSegfault "raised_segfault" { let _ = raise(Signal::SIGSEGV); }
    BusError "bus_error" { let _ = read_behind_a_file(); }
    IllegalInstruction "illegal_instruction" {
        // SAFETY: the instruction does nothing but fault, which is its purpose here.
        unsafe { std::arch::asm!("ud2") }
    }
    DivideByZero "divide_by_zero" {
        // SAFETY: dividing by zero raises SIGFPE and changes only the registers named.
        unsafe { std::arch::asm!("div {zero:e}", zero = in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) }
    }
    Breakpoint "breakpoint" {
        // SAFETY: the instruction raises SIGTRAP and touches no state.
        unsafe { std::arch::asm!("int3") }
    }
    Abort "abort" { std::process::abort() }
    StackOverflow "stack_overflow" { let _ = black_box(recurse(0)); }
    Exit0 "exit_0" { std::process::exit(0) }
    Exit3 "exit_3" { std::process::exit(3) }
    RunawayAllocation "runaway_allocation" {
        let mut hoard: Vec<Vec<u8>> = Vec::new();
        loop {
            hoard.push(black_box(Vec::with_capacity(64 << 20)));
        }
    }
    Panic "panic" { panic!("the text of a panic is in no signature") }
    Socket "socket" { let _ = black_box(std::net::UdpSocket::bind("127.0.0.1:0")); }
    WriteFile "write_file" { let _ = black_box(std::fs::File::create(FORBIDDEN_FILE)); }
    /// Something of an earlier trace outlives its reset.
    Lingering "lingering" {
        static READS: AtomicU32 = AtomicU32::new(0);
        if READS.fetch_add(1, Ordering::Relaxed) == 5000 { std::process::abort() }
    }
    KilledBySelf "killed_by_self" { let _ = raise(Signal::SIGKILL); }
    CaughtPanic "caught_panic" {
        let caught = std::panic::catch_unwind(|| panic!("caught by the subject itself"));
        assert!(caught.is_err());
    }
    Chatter "chatter" {
        #[allow(clippy::print_stdout)] // it is what this subject is here to do
        { println!("{:4096}", "says much") }
    }
    ReadFile "read_file" { assert!(std::fs::read_to_string("/proc/self/status").is_ok_and(|text| !text.is_empty())) }
    OwnThread "own_thread" {
        let thread = std::thread::Builder::new().name("named".to_owned()).spawn(|| 7);
        assert!(thread.is_ok_and(|thread| thread.join().is_ok_and(|seven| seven == 7)));
    }
    /// Long enough for somebody to kill the worker.
    Sleeper "sleeper" { std::thread::sleep(std::time::Duration::from_secs(5)) }
    /// Op by op it gets on, and it never comes to an end.
    Sluggish "sluggish" {
        let until = std::time::Instant::now() + std::time::Duration::from_millis(900);
        while std::time::Instant::now() < until {}
    }
    /// Past the allocator: only the resident size shows it.
    RunawayMmap "runaway_mmap" {
        loop {
            let length = NonZeroUsize::new(64 << 20).unwrap_or(NonZeroUsize::MIN);
            let (access, flags) = (ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_PRIVATE | MapFlags::MAP_POPULATE);
            // SAFETY: a new mapping wherever the kernel likes; nothing else refers to it.
            let _ = black_box(unsafe { mmap_anonymous(None, length, access, flags) });
        }
    }
}

pub(super) struct SegfaultAtBuild;
impl Misdeed for SegfaultAtBuild {
    const NAME: &'static str = "segfault_at_build";
    fn at_build(_setup: &Setup) {
        segfault();
    }
}

pub(super) struct SegfaultAtDrop;
impl Misdeed for SegfaultAtDrop {
    const NAME: &'static str = "segfault_at_drop";
    fn at_drop() {
        segfault();
    }
}

/// Hangs on a first op of a rare kind without operands: each run that hangs costs a second of processor time, and there
/// is little to shrink.
pub(super) struct Hang;
impl Misdeed for Hang {
    const NAME: &'static str = "hang";
    const HEALTH: Health = Health::Broken { defect: None, story: "does not come back from memory_size" };
    fn before(op: &Op, index: u32) {
        while index == 0 && op.kind() == OpKind::MemorySize {
            std::hint::spin_loop();
        }
    }
}

pub(super) struct WrongAnswer;
impl Misdeed for WrongAnswer {
    const NAME: &'static str = "wrong_answer";
    fn after(op: &Op, seen: &mut Outcome) {
        if op.kind() == OpKind::MemorySize {
            seen.result = Seen::Value(0xbad);
        }
    }
}

/// Wrong where it may not be, and worse where nobody may ask it anything.
pub(super) struct Narrow;
impl Misdeed for Narrow {
    const NAME: &'static str = "narrow";
    const CONTRACT: GuestMemoryContract = GuestMemoryContract {
        no_devices: true,
        no_reservations: true,
        no_atomics: true,
        no_dirty_log: true,
        largest_memory_bytes: 4096,
        flat_ram: true,
        ..GuestMemoryContract::STRICT
    };
    fn at_build(setup: &Setup) {
        assert!(setup.devices.is_empty() && setup.memory_size <= 4096, "nobody promised that: {setup:?}");
    }
    fn before(op: &Op, _index: u32) {
        let is_reservation =
            matches!(op.kind(), OpKind::LoadReserved | OpKind::StoreConditional | OpKind::InvalidateReservation);
        assert!(!is_reservation, "nobody promised that: {op:?}");
    }
    fn after(op: &Op, seen: &mut Outcome) {
        WrongAnswer::after(op, seen);
    }
}

fn segfault() {
    let _ = black_box(memtwin::wild::read_byte(black_box(0x1000)));
}

/// Maps more of a file than there is: the pages behind its end raise SIGBUS (man 2 mmap).
fn read_behind_a_file() -> std::io::Result<u8> {
    let file = std::fs::File::open("/proc/self/exe")?;
    let end = usize::try_from(file.metadata()?.len()).map_err(std::io::Error::other)?.next_multiple_of(4096);
    let length = NonZeroUsize::new(end + 4096).unwrap_or(NonZeroUsize::MIN);
    // SAFETY: a new mapping wherever the kernel likes; nothing else refers to it.
    let start = unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE, &file, 0) }?;
    // SAFETY: the address is within the mapping.
    let behind = unsafe { start.cast::<u8>().add(end) };
    // SAFETY: deliberately none: the page is mapped and behind the end of its file, so the read raises SIGBUS.
    Ok(unsafe { behind.read_volatile() })
}

#[allow(unconditional_recursion)] // until the stack ends
#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 512]);
    recurse(depth + 1) + frame[(depth % 512) as usize]
}

/// A habit, and something worse that shows behind it alone: reads beyond memory give 0, and from then on memory has one
/// byte.
pub(super) struct Habit;

static HAS_READ_BEYOND: AtomicBool = AtomicBool::new(false);

impl Misdeed for Habit {
    const NAME: &'static str = "habit";

    fn before(_op: &Op, index: u32) {
        if index == 0 {
            HAS_READ_BEYOND.store(false, Ordering::Relaxed);
        }
    }

    fn after(op: &Op, seen: &mut Outcome) {
        if op.kind() == OpKind::Read && seen.result == Seen::Error(Error::InvalidAddress) {
            seen.result = Seen::Value(0);
            HAS_READ_BEYOND.store(true, Ordering::Relaxed);
        } else if op.kind() == OpKind::MemorySize && HAS_READ_BEYOND.load(Ordering::Relaxed) {
            seen.result = Seen::Value(1);
        }
    }
}
