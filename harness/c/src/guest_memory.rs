//! A guest memory behind C's table.

use crate::abi::{
    MEMTWIN_ALIGNMENT, MEMTWIN_DONE, MEMTWIN_GUEST_MEMORY_VERSION, MEMTWIN_INVALID_ADDRESS, MEMTWIN_NOT_STORED,
    MEMTWIN_PAGE_FAULT, memtwin_guest_memory,
};
use crate::devices::Machine;
use memtwin_models::guest_memory::{
    DUMP_LIMIT_BYTES, Error, GuestMemory, GuestMemoryContract, Op, Outcome, Seen, Setup, View,
};
use memtwin_models::{AnySubject, Contract as _, Health, Origin, Payload, Row, Unsupported};
use memtwin_wild::library;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::OnceLock;

/// The name of the table.
pub const TABLE_SYMBOL: &str = "memtwin_guest_memory";
/// The name of the string that says which freedoms are claimed.
pub const CONTRACT_SYMBOL: &str = "memtwin_guest_memory_contract";
/// The longest such string, in bytes.
const LONGEST_CONTRACT_BYTES: u64 = 4096;
/// The library's room for a dump: more than the largest memory that is dumped, so that a dump of the wrong size shows.
#[allow(clippy::cast_possible_truncation)] // 1 MiB
const DUMP_ROOM_BYTES: usize = DUMP_LIMIT_BYTES as usize + 4096;

/// A library that was looked at and not loaded.
#[derive(Debug, Clone)]
pub struct GuestMemoryLibrary {
    /// Where it lies.
    pub path: PathBuf,
    /// The freedoms that are claimed for it besides those that it claims itself.
    pub claims: String,
}

impl GuestMemoryLibrary {
    /// The row of the library.
    ///
    /// # Errors
    /// In words, where its contract cannot be read.
    pub fn row(&self, origin: Origin) -> Result<Row<GuestMemory>, String> {
        let own = contract_text(&self.path)?;
        // The table has no function that moves a device, none for atomic accesses, and no log of written pages.
        let mut contract = GuestMemoryContract {
            fixed_devices: true,
            no_atomics: true,
            no_dirty_log: true,
            ..GuestMemoryContract::STRICT
        };
        for claim in own.split(',').chain(self.claims.split(',')).map(str::trim).filter(|claim| !claim.is_empty()) {
            contract = contract.claim(claim).map_err(|why| format!("{}: {why}", self.path.display()))?;
        }
        let loader: &'static Loader =
            Box::leak(Box::new(Loader { path: self.path.clone(), contract, table: OnceLock::new() }));
        let build = move |setup: &Setup| -> Result<Box<dyn AnySubject<GuestMemory>>, Unsupported> {
            Ok(Box::new(Memory::new(loader.table()?, setup)?))
        };
        Ok(Row {
            name: Box::leak(origin.file.clone().into_boxed_str()),
            health: Health::Sound,
            contract,
            build: Box::leak(Box::new(build)),
            origin: Some(Box::leak(Box::new(origin))),
        })
    }
}

/// The string in the library's file that says which freedoms it claims; empty where there is none.
fn contract_text(path: &Path) -> Result<String, String> {
    let unread = |why: &str| format!("{}: {CONTRACT_SYMBOL} {why}", path.display());
    let bytes = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let elf = ElfFile64::<object::LittleEndian>::parse(&*bytes).map_err(|_| unread("is in no ELF file"))?;
    let Some(symbol) = elf.dynamic_symbols().find(|symbol| symbol.name() == Ok(CONTRACT_SYMBOL)) else {
        return Ok(String::new());
    };
    if LONGEST_CONTRACT_BYTES < symbol.size() {
        return Err(unread("is longer than 4096 bytes: export an array of characters"));
    }
    let data = symbol.section_index().and_then(|index| elf.section_by_index(index).ok());
    let data = data.and_then(|section| section.data_range(symbol.address(), symbol.size()).ok().flatten());
    let data = data.ok_or_else(|| unread("is no constant: export an array of characters"))?;
    let text = data.split(|byte| *byte == 0).next().unwrap_or_default();
    match std::str::from_utf8(text) {
        // A pointer to a string has the size of a pointer, and its value is known when it is loaded.
        Ok(text) if !text.is_empty() || symbol.size() != size_of::<*const u8>() as u64 => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(unread("is no text: export an array of characters, not a pointer")),
    }
}

/// Loads a library once.
#[derive(Debug)]
struct Loader {
    path: PathBuf,
    contract: GuestMemoryContract,
    table: OnceLock<Result<Table, Unsupported>>,
}

impl Loader {
    fn table(&self) -> Result<Table, Unsupported> {
        *self.table.get_or_init(|| {
            let failed = Unsupported("the library cannot be loaded: see the line that its loader wrote");
            let table = library::open(&self.path).ok_or(failed)?.symbol(TABLE_SYMBOL).cast::<memtwin_guest_memory>();
            let table = NonNull::new(table).ok_or(Unsupported("the library has no memtwin_guest_memory any more"))?;
            // SAFETY: the library exports a table under this name, whose first field is its version.
            let version = unsafe { table.cast::<u32>().read() };
            if version != MEMTWIN_GUEST_MEMORY_VERSION {
                return Err(Unsupported("memtwin_guest_memory is of another version than 1"));
            }
            // SAFETY: a table of this version has these fields (memtwin.h).
            Table::of(&unsafe { table.read() }, &self.contract)
        })
    }
}

/// The functions that are called: all of them are there.
#[derive(Debug, Clone, Copy)]
struct Table {
    functions: memtwin_guest_memory,
}

impl Table {
    fn of(functions: &memtwin_guest_memory, contract: &GuestMemoryContract) -> Result<Self, Unsupported> {
        let has_basics = functions.create.is_some()
            && functions.destroy.is_some()
            && functions.read.is_some()
            && functions.write.is_some()
            && functions.fetch_instruction.is_some()
            && functions.read_bulk.is_some()
            && functions.write_bulk.is_some()
            && functions.memory_bytes.is_some();
        if !has_basics {
            return Err(Unsupported("a function of memtwin_guest_memory that every memory has is NULL"));
        }
        let has_reservations = functions.load_reserved.is_some()
            && functions.store_conditional.is_some()
            && functions.invalidate_reservation.is_some();
        if !has_reservations && !contract.no_reservations {
            return Err(Unsupported("a function for reservations is NULL, and no_reservations is not claimed"));
        }
        if !contract.no_dump && (functions.dump.is_none() || functions.restore.is_none()) {
            return Err(Unsupported("dump or restore is NULL, and no_dump is not claimed"));
        }
        Ok(Table { functions: *functions })
    }
}

/// The subject.
#[derive(Debug)]
struct Memory {
    functions: memtwin_guest_memory,
    /// The library's.
    memory: NonNull<c_void>,
    machine: Machine,
    setup: Setup,
    /// Where a dump is put, and the bytes of a restore.
    room: Vec<u8>,
}

/// What the answer of a call means.
fn seen(answer: i32, done: impl FnOnce() -> Seen) -> Seen {
    match answer {
        MEMTWIN_DONE => done(),
        MEMTWIN_NOT_STORED => Seen::Stored(false),
        MEMTWIN_ALIGNMENT => Seen::Error(Error::Alignment),
        MEMTWIN_INVALID_ADDRESS => Seen::Error(Error::InvalidAddress),
        MEMTWIN_PAGE_FAULT => Seen::Error(Error::PageFault),
        _ => Seen::Error(Error::Other),
    }
}

impl Memory {
    fn new(table: Table, setup: &Setup) -> Result<Self, Unsupported> {
        let machine = Machine::new(setup);
        let create = table.functions.create.ok_or(Unsupported("create is NULL"))?;
        // SAFETY: the setup is as the header says, and lives as long as the memory.
        let memory = NonNull::new(unsafe { create(machine.setup()) });
        let memory = memory.ok_or(Unsupported("the library created no memory with this setup"))?;
        Ok(Memory { functions: table.functions, memory, machine, setup: setup.clone(), room: Vec::new() })
    }

    fn has_dump(&self) -> bool {
        self.setup.memory_size <= DUMP_LIMIT_BYTES && self.functions.dump.is_some() && self.functions.restore.is_some()
    }

    /// Carries out an op; `None` where the library has no such function.
    fn call(&mut self, op: &Op, outcome: &mut Outcome) -> Option<Seen> {
        let (functions, memory) = (&self.functions, self.memory.as_ptr());
        #[allow(clippy::cast_possible_truncation)] // below OWNERS
        let owner = op.owner().index() as u8;
        let mut value = 0_u64;
        Some(match *op {
            Op::Read { address, size, .. } => {
                // SAFETY: the memory lives, and the value has a place: the header asks for no more.
                let answer = unsafe { functions.read?(memory, owner, address.0, size, &raw mut value) };
                seen(answer, || Seen::Value(value))
            }
            Op::Write { address, value, size, .. } => {
                // SAFETY: the memory lives.
                seen(unsafe { functions.write?(memory, owner, address.0, size, value) }, || Seen::Done)
            }
            Op::FetchInstruction { address, .. } => {
                let mut instruction = 0_u32;
                // SAFETY: as for a read.
                let answer = unsafe { functions.fetch_instruction?(memory, owner, address.0, &raw mut instruction) };
                seen(answer, || Seen::Value(instruction.into()))
            }
            Op::LoadReserved { address, size, .. } => {
                // SAFETY: as for a read.
                let answer = unsafe { functions.load_reserved?(memory, owner, address.0, size, &raw mut value) };
                seen(answer, || Seen::Value(value))
            }
            Op::StoreConditional { address, value, size, .. } => {
                // SAFETY: the memory lives.
                let answer = unsafe { functions.store_conditional?(memory, owner, address.0, size, value) };
                seen(answer, || Seen::Stored(true))
            }
            Op::InvalidateReservation { address, size, .. } => {
                // SAFETY: the memory lives.
                seen(unsafe { functions.invalidate_reservation?(memory, owner, address.0, size) }, || Seen::Done)
            }
            Op::ReadBulk { address, length, .. } => {
                let buffer = outcome.buffer(length);
                // SAFETY: the memory lives, and the buffer has so many bytes.
                let answer =
                    unsafe { functions.read_bulk?(memory, owner, address.0, buffer.as_mut_ptr(), buffer.len()) };
                seen(answer, || Seen::Done)
            }
            Op::WriteBulk { address, seed, length, .. } => {
                let payload = Payload { seed, length: length.bytes() };
                // The longest transfer is one slice of the pattern.
                let bytes = payload.bytes().unwrap_or_default();
                // SAFETY: as for a read.
                let answer = unsafe { functions.write_bulk?(memory, owner, address.0, bytes.as_ptr(), bytes.len()) };
                seen(answer, || Seen::Done)
            }
            // SAFETY: the memory lives.
            Op::MemorySize { .. } => Seen::Value(unsafe { functions.memory_bytes?(memory, owner) }),
            Op::Dump { .. } | Op::Restore { .. } | Op::RestoreDump { .. } if !self.has_dump() => return None,
            Op::MapDevice { .. }
            | Op::UnmapDevice { .. }
            | Op::AtomicLoad { .. }
            | Op::AtomicStore { .. }
            | Op::CompareExchange { .. }
            | Op::DirtyLog { .. }
            | Op::TakeDirtyLog { .. }
            | Op::DumpDirty { .. } => return None,
            Op::Dump { .. } => {
                let answer = self.dump(owner)?;
                outcome.dump.clone_from(&self.room);
                seen(answer, || Seen::Done)
            }
            Op::Restore { payload, .. } => {
                // Beyond the limit every length is equally wrong.
                let length = u64::from(payload.length).min(DUMP_LIMIT_BYTES + 1);
                self.room.resize(usize::try_from(length).unwrap_or(0), 0);
                payload.fill(0, &mut self.room);
                seen(self.restore(owner)?, || Seen::Done)
            }
            Op::RestoreDump { .. } => match self.dump(owner)? {
                MEMTWIN_DONE => seen(self.restore(owner)?, || Seen::Done),
                answer => seen(answer, || Seen::Done),
            },
        })
    }

    /// Fills the room with what the library dumps.
    fn dump(&mut self, owner: u8) -> Option<i32> {
        let mut dumped = 0_usize;
        self.room.resize(DUMP_ROOM_BYTES, 0);
        let (room, capacity) = (self.room.as_mut_ptr(), self.room.len());
        // SAFETY: the memory lives, and the room has so many bytes.
        let answer = unsafe { self.functions.dump?(self.memory.as_ptr(), owner, room, capacity, &raw mut dumped) };
        self.room.truncate(if answer == MEMTWIN_DONE { dumped } else { 0 });
        Some(answer)
    }

    fn restore(&mut self, owner: u8) -> Option<i32> {
        let (data, bytes) = (self.room.as_ptr(), self.room.len());
        // SAFETY: the memory lives, and there are so many bytes.
        Some(unsafe { self.functions.restore?(self.memory.as_ptr(), owner, data, bytes) })
    }
}

impl AnySubject<GuestMemory> for Memory {
    fn reset(&mut self, setup: &Setup) -> bool {
        if self.setup != *setup {
            return false;
        }
        // SAFETY: the memory lives.
        let is_reset = self.functions.reset.is_some_and(|reset| unsafe { reset(self.memory.as_ptr()) });
        self.machine.renew();
        is_reset
    }

    fn apply(&mut self, op: &Op, outcome: &mut Outcome) {
        outcome.device_calls.clear();
        outcome.result = self.call(op, outcome).unwrap_or(Seen::Skipped);
        self.machine.drain(&mut outcome.device_calls);
    }

    fn view(&mut self, view: &mut View) {
        // SAFETY: the memory lives.
        view.memory_size = self.functions.memory_bytes.map(|bytes| unsafe { bytes(self.memory.as_ptr(), 0) });
        view.dump = None;
        view.bytes.clear();
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Some(destroy) = self.functions.destroy {
            // SAFETY: the memory lives, and nobody calls it afterwards.
            unsafe { destroy(self.memory.as_ptr()) };
        }
    }
}
