//! A tiny guest under KVM, on the tables under test: it loads, stores or jumps at an address, in kernel or user mode,
//! and tells by an I/O port how that went. Its own code, descriptors and stack lie behind the memory under test, mapped
//! through root entries that it takes for itself. Does not use a second set of tables in one machine, because shadow
//! tables may keep what a host's edit changed, and does not change control bits while a machine runs.

use super::memory::GuestMemory;
use kvm_bindings::{CpuId, KVM_MAX_CPUID_ENTRIES, kvm_regs, kvm_segment};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};

/// Pages of guest memory behind the tables that the guest takes for itself.
const OWN_PAGES: usize = 10;

/// `out 0x10, al`: what a page must begin with to be jumped to.
pub(super) const LANDING: [u8; 2] = [0xe6, 0x10];
const PORT_DONE: u16 = 0x10;
const PORT_PAGE_FAULT: u16 = 0x12;
const PORT_OTHER_FAULT: u16 = 0x13;

/// The same bytes are the same instructions with 32 and with 64 bits.
const CODE: [(usize, &[u8]); 5] = [
    (LOAD, &[0x8a, 0x07, 0xe6, 0x10]),                   // mov al, [rdi]; out 0x10, al
    (STORE, &[0x80, 0x0f, 0x00, 0xe6, 0x10]),            // or byte [rdi], 0; out 0x10, al
    (FETCH, &[0xff, 0xe7]),                              // jmp rdi
    (PAGE_FAULT, &[0x58, 0x0f, 0x20, 0xd3, 0xe6, 0x12]), // pop rax; mov rbx, cr2; out 0x12, al
    (OTHER_FAULT, &[0xe6, 0x13]),                        // out 0x13, al
];
const LOAD: usize = 0x000;
const STORE: usize = 0x100;
const FETCH: usize = 0x200;
const PAGE_FAULT: usize = 0x300;
const OTHER_FAULT: usize = 0x400;

/// The own pages, by their place behind the memory under test.
mod page {
    pub(super) const UPPER: u64 = 0;
    // The middle and the lower table follow the upper.
    pub(super) const LOWER: u64 = 2;
    pub(super) const USER_UPPER: u64 = 3;
    pub(super) const USER_LOWER: u64 = 5;
    pub(super) const CODE: u64 = 6;
    pub(super) const DESCRIPTORS: u64 = 7;
    pub(super) const STACK: u64 = 8;
    pub(super) const USER_CODE: u64 = 9;
}

/// Root entries that the guest takes: the last of each half.
const OWN_ENTRIES: [(u64, u64); 2] = [(511, page::UPPER), (255, page::USER_UPPER)];
/// Where its code lies: the first page below its root entry, and the others after it.
const KERNEL_BASE: u64 = 0xffff_ff80_0000_0000;
const USER_BASE: u64 = 255 << 39;
const IDT_OFFSET: u64 = 0x100;
const TSS_OFFSET: u64 = 0x800;
const VECTORS: u64 = 32;
const PAGE_FAULT_VECTOR: u64 = 14;

/// Present, writable, accessed, dirty; and user.
const OWN_FLAGS: u64 = 0x63;
const USER_FLAG: u64 = 0x4;

/// What a probe does at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Load,
    Store,
    Fetch,
}

/// How a probe ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Probed {
    Done,
    PageFault {
        code: u64,
        address: u64,
    },
    /// A general-protection or stack fault, as for an address that is not canonical.
    OtherFault,
    /// The access left the machine's memory at this guest-physical address.
    Outside(u64),
    /// KVM gave up.
    Unexpected,
}

/// A machine that has run nothing but probes.
pub(super) struct Machine {
    // Dropped in this order: the memory goes last.
    vcpu: VcpuFd,
    _vm: VmFd,
    memory: GuestMemory,
    sregs: kvm_bindings::kvm_sregs,
}

/// What every machine needs of the host.
pub(super) struct Host {
    kvm: Kvm,
    cpuid: CpuId,
}

impl Host {
    /// Opens /dev/kvm.
    pub(super) fn open() -> Result<Self, kvm_ioctls::Error> {
        let kvm = Kvm::new()?;
        let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?;
        Ok(Host { kvm, cpuid })
    }

    /// Whether guests may use pages of 1 GiB (CPUID.80000001H:EDX[26]).
    pub(super) fn has_gigabyte_pages(&self) -> bool {
        self.cpuid.as_slice().iter().any(|leaf| leaf.function == 0x8000_0001 && leaf.edx >> 26 & 1 != 0)
    }
}

impl Machine {
    /// A machine with this memory from guest-physical address 0, whole pages, and the tables at `root` in it.
    pub(super) fn new(host: &Host, memory: &[u8], root: u64) -> Result<Self, kvm_ioctls::Error> {
        let own = memory.len() as u64;
        let mut memory = GuestMemory::new(memory, OWN_PAGES * 4096)?;
        furnish(memory.bytes_mut(), own, root);
        let vm = host.kvm.create_vm()?;
        memory.give_to(&vm)?;
        let vcpu = vm.create_vcpu(0)?;
        vcpu.set_cpuid2(&host.cpuid)?;
        let mut sregs = vcpu.get_sregs()?;
        sregs.cr3 = root;
        // PG, WP, NE, ET, MP, PE; PAE; NXE, LMA, LME.
        (sregs.cr0, sregs.cr4, sregs.efer) = (0x8001_0033, 0x20, 0xd00);
        let descriptors = KERNEL_BASE + 0x1000;
        (sregs.gdt.base, sregs.gdt.limit) = (descriptors, 39);
        (sregs.idt.base, sregs.idt.limit) = (descriptors + IDT_OFFSET, 16 * 32 - 1);
        sregs.tr =
            kvm_segment { base: descriptors + TSS_OFFSET, limit: 103, s: 0, type_: 11, ..segment(0x28, 0, false) };
        let mut machine = Machine { vcpu, _vm: vm, memory, sregs };
        machine.enter_mode(false)?;
        Ok(machine)
    }

    /// The memory as it is now, with the guest's own pages.
    pub(super) fn memory(&self) -> &[u8] {
        self.memory.bytes()
    }

    /// What KVM_TRANSLATE says.
    pub(super) fn translate(&self, address: u64) -> Result<Option<u64>, kvm_ioctls::Error> {
        let translation = self.vcpu.translate_gva(address)?;
        Ok((translation.valid != 0).then_some(translation.physical_address))
    }

    fn enter_mode(&mut self, is_user: bool) -> Result<(), kvm_ioctls::Error> {
        let level = if is_user { 3 } else { 0 };
        let (code, data) = if is_user { (0x1b, 0x23) } else { (0x08, 0x10) };
        let sregs = &mut self.sregs;
        sregs.cs = segment(code, level, true);
        for register in [&mut sregs.ss, &mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs] {
            *register = segment(data, level, false);
        }
        self.vcpu.set_sregs(sregs)
    }

    /// Lets the guest access an address.
    #[allow(clippy::wildcard_enum_match_arm)] // KVM has many exits for other machines
    pub(super) fn probe(&mut self, access: Access, is_user: bool, address: u64) -> Result<Probed, kvm_ioctls::Error> {
        self.enter_mode(is_user)?;
        let offset = match access {
            Access::Load => LOAD,
            Access::Store => STORE,
            Access::Fetch => FETCH,
        };
        let base = if is_user { USER_BASE } else { KERNEL_BASE };
        // I/O privilege level 3: user mode may tell by a port as well.
        let registers = kvm_regs {
            rip: base + offset as u64,
            rdi: address,
            rsp: KERNEL_BASE + 0x3000,
            rflags: 0x3002,
            ..kvm_regs::default()
        };
        self.vcpu.set_regs(&registers)?;
        let probed = match self.vcpu.run()? {
            VcpuExit::IoOut(PORT_DONE, _) => Probed::Done,
            VcpuExit::IoOut(PORT_PAGE_FAULT, _) => Probed::PageFault { code: 0, address: 0 },
            VcpuExit::IoOut(PORT_OTHER_FAULT, _) => Probed::OtherFault,
            VcpuExit::MmioRead(gpa, bytes) => {
                bytes.fill(0);
                Probed::Outside(gpa)
            }
            VcpuExit::MmioWrite(gpa, _) => Probed::Outside(gpa),
            _ => return Ok(Probed::Unexpected),
        };
        // The instruction of the exit ends in the next run, which must come before any register is changed.
        self.vcpu.set_kvm_immediate_exit(1);
        let _ = self.vcpu.run();
        self.vcpu.set_kvm_immediate_exit(0);
        if matches!(probed, Probed::PageFault { .. }) {
            let registers = self.vcpu.get_regs()?;
            return Ok(Probed::PageFault { code: registers.rax, address: registers.rbx });
        }
        Ok(probed)
    }
}

fn segment(selector: u16, level: u8, is_code: bool) -> kvm_segment {
    kvm_segment {
        base: 0,
        limit: 0xffff_ffff,
        selector,
        type_: if is_code { 11 } else { 3 },
        present: 1,
        dpl: level,
        db: u8::from(!is_code),
        s: 1,
        l: u8::from(is_code),
        g: 1,
        ..kvm_segment::default()
    }
}

/// Writes the guest's own pages, which begin at `own`, and the root entries that lead to them.
fn furnish(bytes: &mut [u8], own: u64, root: u64) {
    let page = |number: u64| own + 4096 * number;
    let mut put = |address: u64, text: &[u8]| {
        let start = usize::try_from(address).unwrap_or(usize::MAX);
        if let Some(place) = bytes.get_mut(start..start.saturating_add(text.len())) {
            place.copy_from_slice(text);
        }
    };
    let mut entry = |table: u64, index: u64, value: u64| put(table + 8 * index, &value.to_le_bytes());
    for (index, upper) in OWN_ENTRIES {
        let user = if upper == page::USER_UPPER { USER_FLAG } else { 0 };
        entry(root, index, page(upper) | OWN_FLAGS | user);
        entry(page(upper), 0, page(upper + 1) | OWN_FLAGS | user);
        entry(page(upper + 1), 0, page(upper + 2) | OWN_FLAGS | user);
    }
    for (index, own_page) in (0..).zip([page::CODE, page::DESCRIPTORS, page::STACK]) {
        entry(page(page::LOWER), index, page(own_page) | OWN_FLAGS);
    }
    entry(page(page::USER_LOWER), 0, page(page::USER_CODE) | OWN_FLAGS | USER_FLAG);
    for (offset, text) in CODE {
        put(page(page::CODE) + offset as u64, text);
        put(page(page::USER_CODE) + offset as u64, text);
    }
    let descriptors = page(page::DESCRIPTORS);
    // Code and data of the kernel, code and data of user mode: flat, 64 bits.
    let flat = [0x00af_9b00_0000_ffff_u64, 0x00cf_9300_0000_ffff, 0x00af_fb00_0000_ffff, 0x00cf_f300_0000_ffff];
    for (index, descriptor) in (1..).zip(flat) {
        put(descriptors + 8 * index, &descriptor.to_le_bytes());
    }
    for vector in 0..VECTORS {
        let offset = if vector == PAGE_FAULT_VECTOR { PAGE_FAULT } else { OTHER_FAULT };
        let handler = KERNEL_BASE + offset as u64;
        // An interrupt gate (Intel SDM volume 3, 6.14.1).
        let low = handler & 0xffff | 0x08 << 16 | 0x8e00 << 32 | (handler >> 16 & 0xffff) << 48;
        put(descriptors + IDT_OFFSET + 16 * vector, &low.to_le_bytes());
        put(descriptors + IDT_OFFSET + 16 * vector + 8, &(handler >> 32).to_le_bytes());
    }
    // The stack for faults in user mode.
    put(descriptors + TSS_OFFSET + 4, &(KERNEL_BASE + 0x3000).to_le_bytes());
}
