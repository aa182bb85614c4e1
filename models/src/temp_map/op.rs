//! The calls of kernel code and programs. Total: every op is legal in every state; on an empty variable nothing is
//! done.
//!
//! Beside each op stand its forms. Tags are rows of eight, of which frequent ops have more; they are frozen with
//! version 1 of the wire format. Those from 256 on are second tags of version 2.

use super::address::{VirtualAddress, hex_word};
use super::by_hand::{
    read_create, read_elf_load, read_fork, read_map_page, read_map_temp, write_create, write_elf_load, write_fork,
    write_map_page, write_map_temp,
};
use super::forms::{fewer_bytes, one};
use super::operands::{Cpu, Hold, Mode, PageFlags, PageSource, Process, Segments, Space, TempFrame};
use super::setup::EDGES;
use crate::Payload;
use crate::vocabulary::DescribedHere;
#[cfg(feature = "arbitrary")]
use arbitrary::Arbitrary;
use memtwin_derive::{Kinds, Simpler, Wire, Words};
use serde::{Deserialize, Serialize};

crate::numbers! {
    /// The longest ELF file in bytes.
    pub const MAX_FILE_BYTES: u32 = 1 << 14;
}

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Kinds, Wire, Simpler, Words, DescribedHere)]
#[cfg_attr(feature = "arbitrary", derive(Arbitrary))]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
#[forms(edges = EDGES, about(cpu = Cpu))]
#[allow(missing_docs)] // the fields are the parameters of the call that each variant names
pub enum Op {
    /// `create_page_directory` into an empty variable.
    #[form(tag = 0, by_hand(read_create, write_create), say("{process} = create_page_directory()"))]
    Create { process: Process },
    /// `clone_page_directory` of a process into an empty variable.
    #[form(tag = 8, by_hand(read_fork, write_fork), say("{cpu}{child} = fork({parent})"))]
    Fork { cpu: Cpu, parent: Process, child: Process },
    /// `destroy_page_directory`.
    #[form(tag = 16, low(cpu, process), say("{cpu}destroy {process}"))]
    Destroy { cpu: Cpu, process: Process },
    /// `switch_page_directory`.
    #[form(tag = 24, low(cpu, space), say("{cpu}switch to {space}"))]
    Switch { cpu: Cpu, space: Space },
    /// `map_page` in the directory in force.
    #[form(tag = 40, by_hand(read_map_page, write_map_page), say("{cpu}map_page({address}, {source}, {flags})"))]
    MapPage { cpu: Cpu, address: VirtualAddress, source: PageSource, flags: PageFlags },
    /// `unmap_page`: the page's reference to its frame is given up.
    #[form(tag = 64, low(cpu), say("{cpu}unmap_page({address})"))]
    UnmapPage { cpu: Cpu, address: VirtualAddress },
    /// `unmap_page_no_free`: the reference goes to an empty variable.
    #[form(tag = 72, low(cpu), wire(hold, address), say("{cpu}{hold} = unmap_page_no_free({address})"))]
    UnmapPageNoFree { cpu: Cpu, address: VirtualAddress, hold: Hold },
    /// `get_phys_addr`.
    #[form(tag = 80, low(cpu), say("{cpu}get_phys_addr({address})"))]
    GetPhysAddr { cpu: Cpu, address: VirtualAddress },
    /// The frame allocator: a frame into an empty variable. Its bytes are whatever they were.
    #[form(tag = 88, low(hold), say("{hold} = alloc_frame()"))]
    AllocFrame { hold: Hold },
    /// The variable gives its reference up.
    #[form(tag = 96, low(hold), say("free_frame({hold})"))]
    FreeFrame { hold: Hold },
    /// `alloc_temp_slot`.
    #[form(tag = 104, say("alloc_temp_slot()"))]
    AllocSlot,
    /// `free_temp_slot`.
    #[form(tag = 112, simpler(), say("free_temp_slot({slot})"))]
    FreeSlot { slot: i32 },
    /// `map_temp_page`.
    #[form(
        tag = 120,
        by_hand(read_map_temp, write_map_temp),
        simpler(cpu, frame),
        say("{cpu}map_temp_page({frame}, slot {slot})")
    )]
    MapTemp { cpu: Cpu, frame: TempFrame, slot: i32 },
    /// `unmap_temp_page`.
    #[form(tag = 144, low(cpu), simpler(cpu), say("{cpu}unmap_temp_page(slot {slot})"))]
    UnmapTemp { cpu: Cpu, slot: i32 },
    /// A load of four bytes; the address is rounded down to a multiple of four.
    #[form(tag = 160, low(cpu, mode), simpler(cpu, address, mode), say("{cpu}{mode} loads {}", address.with_slot()))]
    Load { cpu: Cpu, mode: Mode, address: VirtualAddress },
    /// A store of four bytes, likewise; the kernel's fault handler resolves copy-on-write.
    #[form(tag = 184, low(cpu, mode), simpler(cpu, address, mode, value = one))]
    #[form(say("{cpu}{mode} stores {value:#x} to {}", address.with_slot()))]
    Store {
        cpu: Cpu,
        mode: Mode,
        address: VirtualAddress,
        #[serde(with = "hex_word")]
        value: u32,
    },
    /// `sys_write`: the kernel reads a program's buffer.
    #[form(tag = 208, low(cpu), simpler(cpu, address, count = fewer_bytes), say("{cpu}sys_write({address}, {count})"))]
    SysWrite { cpu: Cpu, address: VirtualAddress, count: u32 },
    /// `sys_read`: the kernel fills a program's buffer, with the pattern `seed`.
    #[form(tag = 224, low(cpu), simpler(cpu, address, count = fewer_bytes, seed))]
    #[form(say("{cpu}sys_read({address}, {count}) of pattern {seed}"))]
    SysRead { cpu: Cpu, address: VirtualAddress, count: u32, seed: u16 },
    /// `elf_load` into the directory in force, from a file of `length` bytes of the pattern `seed`.
    #[form(tag = 240, by_hand(read_elf_load, write_elf_load), simpler(cpu, segments, seed))]
    #[form(say("{cpu}elf_load(file of {length} bytes of pattern {seed}: {segments})"))]
    ElfLoad { cpu: Cpu, seed: u16, length: u16, segments: Segments },
    /// `protect_page` in the directory in force: a mapped page gets other flags.
    #[form(tag = 256, low(cpu), wire(flags, address), say("{cpu}protect_page({address}, {flags})"))]
    Protect { cpu: Cpu, address: VirtualAddress, flags: PageFlags },
}

/// The file of an ELF load: its length is folded into [`MAX_FILE_BYTES`].
#[inline]
#[must_use]
pub fn file_of(seed: u16, length: u16) -> Payload {
    Payload { seed, length: u32::from(length).min(MAX_FILE_BYTES) }
}
