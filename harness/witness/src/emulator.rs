//! unicorn, which is QEMU's processor, as a witness: a guest with two-level tables and a real look-aside buffer loads
//! and stores, while its tables are edited without telling it.

use super::Testimony;
use memtwin_core::random::Random;
use memtwin_models::temp_map::Mode;
use memtwin_models::temp_map::mmu::{self, ACCESSED, Access, DIRTY, Looked, PRESENT, PageFault, Tlb, USER, WRITABLE};
use unicorn_engine::{Arch, Mode as EmulatorMode, Prot, RegisterX86, Unicorn, uc_error};

/// Frames of the machine, of which the first have a meaning.
const FRAMES: u32 = 64;
const CODE_FRAME: u32 = 0;
const DIRECTORIES: [u32; 2] = [1, 2];
const CODE_TABLE: u32 = 3;
const TABLES: [u32; 4] = [4, 5, 6, 7];
const FIRST_DATA: u32 = 8;
/// Pages of each table that are used. Their numbers differ in their last six bits, and from the code's, so that QEMU's
/// look-aside buffer, which has at least 64 places, never loses an entry.
const PAGES: u32 = 8;
const CODE_PAGE: u32 = 1023 << 10 | 60;

/// CR0: PG, WP, ET, PE.
const CR0: u64 = 0x8001_0011;

/// `mov al, [edi]`, `mov [edi], al`, `invlpg [edi]`, `mov cr3, edi`.
const CODE: [(u32, &[u8]); 4] =
    [(LOAD, &[0x8a, 0x07]), (STORE, &[0x88, 0x07]), (INVLPG, &[0x0f, 0x01, 0x3f]), (LOAD_CR3, &[0x0f, 0x22, 0xdf])];
const LOAD: u32 = 0x00;
const STORE: u32 = 0x10;
const INVLPG: u32 = 0x20;
const LOAD_CR3: u32 = 0x30;

/// Where in a frame a store goes; a frame's first byte is its number.
const STORED: u32 = 0x10;

/// The model's twin of the machine.
struct Twin {
    memory: Vec<u8>,
    cr3: u32,
    tlb: Tlb,
}

impl Twin {
    fn entry(&self, frame: u32, index: u32) -> u32 {
        let at = (frame << 12 | index << 2) as usize;
        self.memory.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }

    fn set_entry(&mut self, frame: u32, index: u32, entry: u32) {
        let at = (frame << 12 | index << 2) as usize;
        self.memory[at..at + 4].copy_from_slice(&entry.to_le_bytes());
    }

    /// The frame that an access reaches, as the model has it.
    fn access(&mut self, address: u32, access: Access) -> Result<u32, PageFault> {
        match self.tlb.look(address, Mode::Kernel, access) {
            Looked::Hit(translation) => return Ok(translation.frame),
            Looked::Denied => return Err(PageFault::of(address, true, Mode::Kernel, access)),
            Looked::Miss => {}
        }
        let read = |frame, index| self.entry(frame, index);
        let walked = mmu::walk(self.cr3, address, Mode::Kernel, access, &read)?;
        self.set_entry(self.cr3, address >> 22, walked.directory_entry | ACCESSED);
        let dirty = if access == Access::Store { DIRTY } else { 0 };
        self.set_entry(walked.table, address >> 12 & 1023, walked.table_entry | ACCESSED | dirty);
        self.tlb.keep(address, walked.translation);
        Ok(walked.translation.frame)
    }
}

/// The emulator and its twin.
struct Pair {
    emulator: Unicorn<'static, ()>,
    twin: Twin,
}

impl Pair {
    fn new(random: &mut Random) -> Result<Self, uc_error> {
        let mut memory = vec![0; (FRAMES << 12) as usize];
        for frame in FIRST_DATA..FRAMES {
            memory[(frame << 12) as usize] = frame.to_le_bytes()[0];
        }
        for (offset, code) in CODE {
            let at = (CODE_FRAME << 12 | offset) as usize;
            memory[at..at + code.len()].copy_from_slice(code);
        }
        let mut twin = Twin { memory, cr3: DIRECTORIES[0], tlb: Tlb::default() };
        let kept = PRESENT | WRITABLE | ACCESSED | DIRTY;
        for directory in DIRECTORIES {
            twin.set_entry(directory, CODE_PAGE >> 10, CODE_TABLE << 12 | kept);
            for index in 0..TABLES.len() as u32 {
                twin.set_entry(directory, index, draw_directory_entry(random));
            }
        }
        twin.set_entry(CODE_TABLE, CODE_PAGE & 1023, CODE_FRAME << 12 | kept);
        for table in TABLES {
            for index in 0..TABLES.len() as u32 * PAGES {
                twin.set_entry(table, index, draw_entry(random));
            }
        }
        let mut emulator = Unicorn::new(Arch::X86, EmulatorMode::MODE_32)?;
        emulator.mem_map(0, u64::from(FRAMES) << 12, Prot::ALL)?;
        emulator.mem_write(0, &twin.memory)?;
        emulator.reg_write(RegisterX86::CR3, u64::from(twin.cr3) << 12)?;
        emulator.reg_write(RegisterX86::CR0, CR0)?;
        Ok(Pair { emulator, twin })
    }

    /// Runs one instruction with this value in EDI; says whether it was carried out, or faulted.
    fn run(&mut self, offset: u32, value: u32) -> Result<bool, uc_error> {
        let start = u64::from(CODE_PAGE << 12 | offset);
        self.emulator.reg_write(RegisterX86::EDI, u64::from(value))?;
        // The end is never reached: one instruction is run. A fault that nobody handles is an error at first, but not
        // where it follows another, which it takes for a double fault. The instruction pointer tells in any case.
        match self.emulator.emu_start(start, start + 0x100, 0, 1) {
            Ok(()) | Err(uc_error::EXCEPTION) => Ok(self.emulator.reg_read(RegisterX86::EIP)? != start),
            Err(error) => Err(error),
        }
    }

    /// Edits an entry behind the processor's back.
    fn edit(&mut self, frame: u32, index: u32, entry: u32) -> Result<(), uc_error> {
        self.twin.set_entry(frame, index, entry);
        self.emulator.mem_write(u64::from(frame << 12 | index << 2), &entry.to_le_bytes())
    }

    fn invalidate(&mut self, address: u32) -> Result<(), uc_error> {
        self.twin.tlb.invalidate(address);
        self.run(INVLPG, address).map(drop)
    }

    fn load_cr3(&mut self, directory: u32) -> Result<(), uc_error> {
        self.twin.cr3 = directory;
        self.twin.tlb.flush();
        self.run(LOAD_CR3, directory << 12).map(drop)
    }

    /// An access in both. What was seen is the frame, or the address that faulted, with the entries as they are after
    /// it.
    fn access(&mut self, page: u32, access: Access, testimony: &mut Testimony) -> Result<(), uc_error> {
        let offset = if access == Access::Store { STORED } else { 0 };
        let address = page << 12 | offset;
        let mark = testimony.probes.to_le_bytes()[0] | 1;
        let before = self.twin.tlb.look(address, Mode::Kernel, access);
        let modelled = self.twin.access(address, access);
        let code = match access {
            Access::Load => LOAD,
            Access::Store => STORE,
        };
        self.emulator.reg_write(RegisterX86::EAX, u64::from(mark))?;
        let said = match (self.run(code, address)?, access) {
            (false, _) => Err(self.emulator.reg_read(RegisterX86::CR2)?),
            (true, Access::Load) => Ok(u32::from(self.emulator.reg_read(RegisterX86::EAX)?.to_le_bytes()[0])),
            (true, Access::Store) => Ok(self.take_mark(modelled.unwrap_or(0), mark)?),
        };
        if let (Looked::Denied, Ok(_)) = (before, &said) {
            testimony.explain("it asks the tables again before it denies what its look-aside buffer forbids");
            // What it marked as used the model has not.
            self.emulator.mem_read(0, &mut self.twin.memory)?;
            return self.invalidate(address);
        }
        let modelled = modelled.map_err(|fault| u64::from(fault.address));
        testimony.compare(&said, &modelled, || {
            format!("{access:?} at {address:#x} under {:#x}: it says {said:x?}, the model {modelled:x?}", self.twin.cr3)
        });
        if modelled.is_err() {
            // A walk that faults may have marked the directory's entry as used, or not (Intel SDM volume 3, 4.8).
            let [directory_entry, _] = self.entries(page)?;
            if directory_entry & !ACCESSED == self.twin.entry(self.twin.cr3, page >> 10) & !ACCESSED {
                self.twin.set_entry(self.twin.cr3, page >> 10, directory_entry);
            }
            // The model forgets an entry that a fault was on; QEMU keeps it.
            return self.invalidate(address);
        }
        let entries = self.entries(page)?;
        let expected = self.twin_entries(page);
        testimony.compare(&entries, &expected, || {
            format!("after {access:?} at {address:#x}: its entries are {entries:x?}, the model's {expected:x?}")
        });
        Ok(())
    }

    /// The data frame that a store marked, of which the likeliest is known; 0 if none is. Clears the mark.
    fn take_mark(&mut self, likeliest: u32, mark: u8) -> Result<u32, uc_error> {
        let mut byte = [0];
        for frame in std::iter::once(likeliest).chain(FIRST_DATA..FRAMES) {
            let place = u64::from(frame << 12 | STORED);
            self.emulator.mem_read(place, &mut byte)?;
            if byte[0] == mark && FIRST_DATA <= frame {
                self.emulator.mem_write(place, &[0])?;
                return Ok(frame);
            }
        }
        Ok(0)
    }

    fn entries(&self, page: u32) -> Result<[u32; 2], uc_error> {
        let read = |frame: u32, index: u32| {
            let mut bytes = [0; 4];
            self.emulator.mem_read(u64::from(frame << 12 | index << 2), &mut bytes)?;
            Ok(u32::from_le_bytes(bytes))
        };
        let directory_entry: u32 = read(self.twin.cr3, page >> 10)?;
        Ok([directory_entry, read(directory_entry >> 12, page & 1023)?])
    }

    fn twin_entries(&self, page: u32) -> [u32; 2] {
        let directory_entry = self.twin.entry(self.twin.cr3, page >> 10);
        [directory_entry, self.twin.entry(directory_entry >> 12, page & 1023)]
    }
}

fn draw_flags(random: &mut Random) -> u32 {
    let mut flags = 0;
    for (bit, of) in [(PRESENT, 7), (WRITABLE, 5), (USER, 5), (ACCESSED, 3), (DIRTY, 3)] {
        flags |= if random.below(8) < of { bit } else { 0 };
    }
    flags
}

fn draw_directory_entry(random: &mut Random) -> u32 {
    random.choose(&TABLES) << 12 | draw_flags(random)
}

fn draw_entry(random: &mut Random) -> u32 {
    (FIRST_DATA + random.below(FRAMES - FIRST_DATA)) << 12 | draw_flags(random)
}

pub(super) fn ask(random: &mut Random, probes: u64) -> Testimony {
    let mut testimony = Testimony::default();
    while testimony.probes < probes {
        if let Err(error) = ask_about_a_machine(random, probes, &mut testimony) {
            return Testimony { absent: Some(format!("it gave up: {error:?}")), ..testimony };
        }
    }
    *testimony.left_out.entry("error codes of page faults: it does not show them").or_default() += testimony.probes;
    testimony
}

/// Ops on one machine: enough that edits, flushes and accesses meet, few enough that drawn tables differ.
fn ask_about_a_machine(random: &mut Random, probes: u64, testimony: &mut Testimony) -> Result<(), uc_error> {
    const OPS: u32 = 20_000;
    let mut pair = Pair::new(random)?;
    for _ in 0..OPS {
        if probes <= testimony.probes {
            break;
        }
        let table = random.below(TABLES.len() as u32);
        let page = table << 10 | PAGES * table + random.below(PAGES);
        match random.below(16) {
            0..=2 => {
                let frame = random.choose(&TABLES);
                pair.edit(frame, page & 1023, draw_entry(random))?;
            }
            3 => {
                let directory = random.choose(&DIRECTORIES);
                pair.edit(directory, page >> 10, draw_directory_entry(random))?;
            }
            4 => pair.invalidate(page << 12)?,
            5 if random.one_in(4) => pair.load_cr3(random.choose(&DIRECTORIES))?,
            6..=8 => pair.access(page, Access::Store, testimony)?,
            _ => pair.access(page, Access::Load, testimony)?,
        }
    }
    Ok(())
}
