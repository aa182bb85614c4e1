//! Bugs that people who do this job have reported in public, of other projects: what memtwin says to each. Facts only;
//! no line of anybody's code or report is here.
//!
//! Does not list defects of the reports that the components come from: those are the catalogue.

use Answer::{Absent, Broken, Strict};

/// What memtwin says to a reported bug.
#[derive(Debug, Clone, Copy)]
pub enum Answer {
    /// It is planted, as these broken subjects of the catalogue or of this crate.
    Broken(&'static [&'static str]),
    /// It is planted, and code that documents it is not accused: the freedom that it claims.
    Strict(&'static [&'static str], &'static str),
    /// It cannot be written down here, and why.
    Absent(&'static str),
}

/// A reported bug.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The component that it belongs to.
    pub component: &'static str,
    /// Where it was reported.
    pub source: &'static str,
    /// What was wrong.
    pub what: &'static str,
    /// What memtwin says.
    pub answer: Answer,
}

const fn guest_memory(source: &'static str, what: &'static str, answer: Answer) -> Case {
    Case { component: "guest_memory", source, what, answer }
}

const fn brk_heap(source: &'static str, what: &'static str, answer: Answer) -> Case {
    Case { component: "brk_heap", source, what, answer }
}

const fn header_free(source: &'static str, what: &'static str, answer: Answer) -> Case {
    Case { component: "header_free", source, what, answer }
}

const fn page_walk(source: &'static str, what: &'static str, answer: Answer) -> Case {
    Case { component: "page_walk", source, what, answer }
}

const fn temp_map(source: &'static str, what: &'static str, answer: Answer) -> Case {
    Case { component: "temp_map", source, what, answer }
}

/// All of them.
pub static CASES: &[Case] = &[
    guest_memory(
        "libriscv/libriscv #387",
        "a store-conditional at address 0 succeeds without a reservation, because 0 stands for none",
        Broken(&["GM-24"]),
    ),
    guest_memory(
        "pulp-platform/axi_riscv_atomics #32, openhwgroup/cva6 #3474",
        "a store-conditional that fails leaves the reservation",
        Strict(&["GM-20"], "failed_sc_keeps"),
    ),
    guest_memory(
        "chipsalliance/rocket-chip #3509, riscv-boom #661",
        "any store ends every reservation",
        Strict(&["GM-25"], "sc_may_fail"),
    ),
    guest_memory(
        "chipsalliance/rocket-chip #3511",
        "a store-conditional to another address of the reserved line succeeds",
        Strict(&["GM-36"], "sc_line_wide"),
    ),
    guest_memory(
        "riscv-software-src/riscv-isa-sim #528",
        "a store-conditional of another size than the reservation's succeeds",
        Strict(&["GM-35"], "sc_other_size"),
    ),
    guest_memory(
        "rust-vmm/vm-memory PR 32",
        "the whole region's length is taken for what is left of it, and a read runs over its end",
        Broken(&["reads_over_part"]),
    ),
    guest_memory(
        "rust-vmm/vm-memory PR 32, the same slip where locks are chosen",
        "an access over two shards locks the first alone",
        Absent("nothing shows it but a second thread, and a trace of this component has one"),
    ),
    guest_memory(
        "firecracker-microvm/firecracker #4545, #1997",
        "a diff snapshot that fails half way has emptied the dirty log, and the next one lacks pages",
        Broken(&["GM-31"]),
    ),
    guest_memory(
        "microsoft/openvmm PR 3787",
        "a transfer of no bytes is checked by its last byte, and underflows at 0",
        Broken(&["empty_has_last_byte"]),
    ),
    guest_memory(
        "rust-vmm/vm-virtio PR 54, cloud-hypervisor PR 2450",
        "a buffer that ends where memory ends is refused",
        Broken(&["last_byte_is_outside"]),
    ),
    guest_memory(
        "unicorn-engine/unicorn #2074",
        "a device is given a store of eight bytes as two of four",
        Broken(&["double_is_two_words"]),
    ),
    guest_memory(
        "firecracker #1929, volatility3 #587, hermit-os/uhyve #1105, cloud-hypervisor PR 8780, kvm-dmesg PR 4",
        "RAM has a hole below 4 GiB, and code above it goes on as if it had none",
        Broken(&["GM-21", "GM-22", "GM-23"]),
    ),
    guest_memory(
        "unicorn-engine/unicorn #1497, nanvix #3076",
        "a device that was taken away, or was to be moved, stays or is lost",
        Broken(&["GM-26", "GM-27", "GM-28"]),
    ),
    brk_heap(
        "tock/tock PR 505, freedom-metal PR 170, picolibc #45",
        "an error number is larger than the old end, and is taken for memory",
        Broken(&["error_number_is_memory"]),
    ),
    brk_heap(
        "WebAssembly/wasi-libc #334, #377, mbed-os PR 15045",
        "the heap grows over what another user of the break got",
        Strict(&["BH-18"], "sole_user_of_brk"),
    ),
    brk_heap(
        "unikraft/app-elfloader PR 15, gramineproject/graphene #1472",
        "a refused brk answers the break of a new process",
        Broken(&["refusal_is_the_first_break"]),
    ),
    brk_heap(
        "MINIXCompat #11, mimiker #393",
        "no break below the present one is granted",
        Broken(&["no_break_below_the_present"]),
    ),
    brk_heap(
        "nanovms/nanos PR 1527, asterinas PR 2708",
        "brk rounds a break that Linux answers and keeps as it is",
        Absent("a kernel may do either: the setup says which, and a heap must be right on both"),
    ),
    brk_heap(
        "kontainapp/km PR 1771, DynamoRIO #7653, enarx PR 1600",
        "a large fall of the break leaves pages above it mapped",
        Broken(&["BH-19", "falls_by_sixteen_pages"]),
    ),
    brk_heap(
        "Ripes PR 346, neorv32 PR 957, Solo5 PR 105",
        "brk never looks whether heap and stack meet",
        Broken(&["BH-22"]),
    ),
    brk_heap(
        "NyuziProcessor #164",
        "zeroed blocks are not cleared where the heap grew for them, although they begin before",
        Broken(&["last_page_is_taken_for_fresh"]),
    ),
    brk_heap(
        "rCore-Tutorial-v3 #161, StarryOS PR 86, posnk #6, mimiker #332",
        "after fork or exec the break is that of another image",
        Broken(&["BH-20", "image_keeps_the_break"]),
    ),
    brk_heap(
        "fitzgen/bumpalo #143, PR 232",
        "a reallocation to another alignment ignores it",
        Strict(&["BH-21"], "no_new_alignment"),
    ),
    header_free(
        "llvm/llvm-project PR 189724 (scudo)",
        "a reallocation keeps what was asked for, and loses what malloc_usable_size granted beyond",
        Strict(&["HF-23"], "realloc_forgets_granted"),
    ),
    header_free(
        "rpmalloc PR 65, mimalloc #231, osv #1077",
        "the usable size is counted from the block's start, header and padding included",
        Broken(&["usable_from_the_start"]),
    ),
    header_free(
        "microsoft/mimalloc #1400",
        "free masks by the small size where a block lies in a larger piece",
        Broken(&["masks_by_the_small_size"]),
    ),
    header_free(
        "jemalloc PR 2906, hardened_malloc PR 324",
        "errno is lost in a slow path, or in one entry after the others were repaired",
        Strict(&["HF-24", "free_loses_errno"], "errno_of_success"),
    ),
    header_free(
        "google/sanitizers #179, preeny PR 60, RIOT PR 762",
        "blocks from before the allocator was up come to free, realloc or usable_size later",
        Broken(&["HF-22", "free_forgets_the_pool", "realloc_forgets_the_pool"]),
    ),
    header_free(
        "rpmalloc PR 374, systemd #25240",
        "libc's blocks reach realloc and usable_size, where the header before them is read",
        Broken(&["HF-21", "size_reads_the_header", "realloc_keeps_libc_out"]),
    ),
    header_free(
        "rofl0r/htab #1",
        "a removal leaves an empty place, which ends the search for what is behind",
        Broken(&["empty_behind_the_gone", "HF-18"]),
    ),
    header_free(
        "scylladb/seastar #1940, struct/isoalloc PR 212",
        "the class is chosen by size alone where the alignment is larger",
        Broken(&["class_by_size_alone"]),
    ),
    header_free(
        "mimalloc #1117, #759, #1364, oven-sh/bun PR 27786",
        "a thread ends: what others free of it is lost, or what lives of it is destroyed",
        Broken(&["HF-25", "exit_frees_the_first"]),
    ),
    header_free(
        "mimalloc #819, PR 687, PR 915",
        "whose a pointer is depends on where in the address space it lies",
        Broken(&["HF-26"]),
    ),
    page_walk(
        "cloud-hypervisor #6961, smallworld-re PR 214",
        "the first page of a read is translated, and the rest is taken to lie behind it",
        Broken(&["PW-30"]),
    ),
    page_walk(
        "hawkw/mycelium #547, rust-osdev/x86_64 #554",
        "bit 7 of a small page is taken for that of large ones",
        Broken(&["PW-29"]),
    ),
    page_walk(
        "coconut-svsm/svsm PR 1118",
        "unmapping a page that is not there goes round for ever",
        Broken(&["unmap_waits"]),
    ),
    page_walk(
        "panda-re/panda #1254, dotnet/runtime PR 71569",
        "regions that follow each other for the guest are merged, wherever the host has them",
        Broken(&["host_order_ignored"]),
    ),
    page_walk(
        "hyperlight-dev/hyperlight PR 1264",
        "a dump lists what was mapped later, and neither the snapshot nor scratch",
        Broken(&["only_files_listed"]),
    ),
    page_walk(
        "hyperlight-dev/hyperlight #717",
        "a restore does not bring back the files that were mapped when the snapshot was taken",
        Broken(&["PW-27", "files_never_go"]),
    ),
    page_walk(
        "microsoft/CCF PR 4042",
        "clearing believes the position that the other side left, and goes beyond the buffer",
        Broken(&["PW-28"]),
    ),
    page_walk(
        "kwrx/aplus PR 44, MentOS #191",
        "reads for a user's process never ask for the user bit",
        Broken(&["PW-26", "first_page_alone", "user_bit_of_leaf"]),
    ),
    page_walk(
        "microsoft/CCF PR 1696, demikernel PR 1229",
        "a length is read twice, and the other side changes it in between",
        Absent("the guest acts between ops, and not while the host reads"),
    ),
    temp_map(
        "nanvix #2512, ruxos PR 151",
        "a page that is shared already loses its mark when its process forks again",
        Broken(&["second_fork_forgets_the_mark"]),
    ),
    temp_map(
        "nanvix PR 3178",
        "giving a page its write right back opens a frame that others share",
        Broken(&["TM-25"]),
    ),
    temp_map(
        "SerenityOS #3885, Bareflank/MicroV PR 7",
        "a page of the window is reused, and one processor alone forgot the mapping before",
        Broken(&["window_forgotten_on_one_cpu"]),
    ),
    temp_map("isec-tugraz/sweb #76", "unmapping gives back the frame of the table", Broken(&["unmap_frees_the_table"])),
    temp_map(
        "nexus-zkvm PR 480, mlir-aie PR 3532, keystone PR 356",
        "what a segment has beyond the file comes from the file",
        Broken(&["bss_from_the_file"]),
    ),
    temp_map(
        "elfuse PR 349, nanvix PR 1853, rust-osdev/bootloader PR 422, box64 PR 4182",
        "of two segments in one page one has its bytes or rights alone",
        Strict(&["TM-28"], "segments_stay_apart"),
    ),
    temp_map(
        "duckOS #61, zeke #91",
        "the kernel's own store to a shared page is not resolved",
        Broken(&["kernel_stores_are_not_resolved"]),
    ),
    temp_map(
        "kwrx/aplus PR 44",
        "new pages show what their frames held",
        Broken(&["new_pages_are_not_cleared", "new_pages_are_cleared_in_half"]),
    ),
    temp_map(
        "SunriseOS #313, phoenix-rtos #1266",
        "tables of a process that ends are not given back",
        Broken(&["tables_stay"]),
    ),
    temp_map(
        "microsoft/litebox PR 848, CVE-2022-39188",
        "a frame is given back before every processor has forgotten it",
        Broken(&["TM-26"]),
    ),
];
