//! What generators draw: each value of each small operand, and of each small part of a setup, as far as the component's
//! own constants go. A constant that was typed twice would leave values out.

use memtwin::Registry;
use memtwin::models::Component;
use memtwin::models::brk_heap::{self, BrkHeap, BrkRequest, SLOTS as BRK_SLOTS, Storage};
use memtwin::models::header_free::{self, HeaderFree, SLOTS as HEADER_SLOTS, THREADS as HEADER_THREADS};
use memtwin::models::temp_map::{
    CPUS, HOLDS, MAX_SEGMENTS, Mode, Op, PROCESSES, PageSource, SLOTS, Space, TempFrame, TempMap,
};
use memtwin::rig::Rig;
use memtwin::trace::Trace;
use std::collections::BTreeSet;

/// The traces that are drawn for a sound subject, in groups of one setup.
fn traces<C: Rig>(registry: &Registry, subject: &str, groups: u64) -> impl Iterator<Item = Trace<C>> {
    let index = registry.index_of(<C as Component>::NAME, subject).unwrap();
    let mut source = registry.get(index).unwrap().traces();
    let mut wire = Vec::new();
    (0..groups * 64).step_by(64).map(move |number| {
        source.write(11, number, &mut wire);
        Trace::from_wire(&wire)
    })
}

#[track_caller]
fn all_drawn<T: Ord + std::fmt::Debug>(what: &str, drawn: &BTreeSet<T>, all: impl IntoIterator<Item = T>) {
    let missing: Vec<T> = all.into_iter().filter(|value| !drawn.contains(value)).collect();
    assert!(missing.is_empty(), "{what}: {missing:?} is never drawn");
}

#[test]
fn each_value_of_the_small_operands_of_temp_map_is_drawn() {
    let registry = memtwin::built_in();
    let (mut cpus, mut processes, mut holds, mut modes) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new(), [0; 2]);
    let (mut spaces, mut flags, mut slots, mut counts) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    let mut protected = BTreeSet::new();
    for trace in traces::<TempMap>(&registry, "hardened", 4800) {
        for op in trace.ops() {
            cpus.extend(op.cpu().map(u8::from));
            match *op {
                Op::Create { process } | Op::Destroy { process, .. } => _ = processes.insert(u8::from(process)),
                Op::Fork { parent, child, .. } => processes.extend([parent, child].map(u8::from)),
                Op::Switch { space, .. } => {
                    spaces.insert(match space {
                        Space::Kernel => 0,
                        Space::Process(process) => 1 + u8::from(process),
                    });
                }
                Op::MapPage { source, flags: drawn, .. } => {
                    flags.insert(drawn.bits());
                    if let PageSource::Hold(hold) = source {
                        holds.insert(("map_page", u8::from(hold)));
                    }
                }
                Op::Protect { flags: drawn, .. } => _ = protected.insert(drawn.bits()),
                Op::UnmapPageNoFree { hold, .. } => _ = holds.insert(("unmap_page_no_free", u8::from(hold))),
                Op::AllocFrame { hold } => _ = holds.insert(("alloc_frame", u8::from(hold))),
                Op::FreeFrame { hold } => _ = holds.insert(("free_frame", u8::from(hold))),
                Op::FreeSlot { slot } => _ = slots.insert(("free_slot", slot)),
                Op::UnmapTemp { slot, .. } => _ = slots.insert(("unmap_temp", slot)),
                Op::MapTemp { frame, slot, .. } => {
                    slots.insert(("map_temp", slot));
                    if let TempFrame::Hold(hold) = frame {
                        holds.insert(("map_temp", u8::from(hold)));
                    }
                }
                Op::Load { mode, .. } | Op::Store { mode, .. } => modes[usize::from(mode == Mode::Kernel)] += 1,
                Op::ElfLoad { segments, .. } => _ = counts.insert(segments.count()),
                Op::UnmapPage { .. }
                | Op::GetPhysAddr { .. }
                | Op::AllocSlot
                | Op::SysWrite { .. }
                | Op::SysRead { .. } => {}
            }
        }
    }
    all_drawn("cpu", &cpus, 0..CPUS);
    all_drawn("process", &processes, 0..PROCESSES);
    all_drawn("space", &spaces, 0..=PROCESSES);
    all_drawn("flags", &flags, 0..16);
    all_drawn("flags of protect", &protected, 0..16);
    all_drawn("segments", &counts, 0..=u8::try_from(MAX_SEGMENTS).unwrap());
    assert!(modes.iter().all(|count| *count != 0));
    for op in ["map_page", "unmap_page_no_free", "alloc_frame", "free_frame", "map_temp"] {
        all_drawn(op, &holds, (0..HOLDS).map(|hold| (op, hold)));
    }
    for op in ["free_slot", "map_temp", "unmap_temp"] {
        all_drawn(op, &slots, (0..i32::try_from(SLOTS).unwrap()).map(|slot| (op, slot)));
    }
}

#[test]
fn each_value_of_the_small_operands_of_brk_heap_is_drawn() {
    use brk_heap::Op;
    let registry = memtwin::built_in();
    let (mut slots, mut aligns, mut pushes, mut requests) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    let (mut places, mut others) = (BTreeSet::new(), BTreeSet::new());
    for trace in traces::<BrkHeap>(&registry, "hardened", 4800) {
        let setup = &trace.setup;
        others.insert(format!("{:?} {:?}", setup.refusal, setup.granularity));
        others.insert(format!("{:?}", setup.copy_order));
        others.insert(format!("dirty {}", setup.dirty_pages));
        let brk_heap::Placement { size, mask, head, new_head, new_end } = setup.placement;
        for (local, place) in (0..).zip([size, mask, head, new_head, new_end]) {
            if let Storage::X(number) = place {
                places.insert((local, number));
            }
        }
        for op in trace.ops() {
            slots.extend(op.slot().map(|slot| (op.kind() as usize, u8::from(slot))));
            match *op {
                Op::Alloc { align, .. } => _ = aligns.insert(("alloc", align.bytes())),
                Op::AllocZeroed { align, .. } => _ = aligns.insert(("alloc_zeroed", align.bytes())),
                Op::ReallocAligned { align, .. } => _ = aligns.insert(("realloc_aligned", align.bytes())),
                Op::PushString { length, .. } => _ = pushes.insert(("push_string", length)),
                Op::PushVec { length, .. } => _ = pushes.insert(("push_vec", length)),
                Op::RawBrk { request } => {
                    requests.insert(match request {
                        BrkRequest::Query => 0,
                        BrkRequest::Grow(_) => 1,
                        BrkRequest::GiveBack => 2,
                        BrkRequest::At(_) => 3,
                    });
                }
                Op::Realloc { .. }
                | Op::Dealloc { .. }
                | Op::Write { .. }
                | Op::WriteEnd { .. }
                | Op::Verify { .. }
                | Op::VerifyEnd { .. }
                | Op::VerifyRawBrk
                | Op::Fork
                | Op::Exec => {}
            }
        }
    }
    all_drawn("request", &requests, 0..4);
    for (kind, op) in (0..).zip(brk_heap::OpKind::ALL).filter(|(kind, _)| slots.iter().any(|(of, _)| of == kind)) {
        all_drawn(&format!("slot of {op:?}"), &slots, (0..BRK_SLOTS).map(|slot| (kind, slot)));
    }
    for op in ["alloc", "alloc_zeroed", "realloc_aligned"] {
        all_drawn(op, &aligns, (0..64).map(|exponent| (op, 1 << exponent)));
    }
    for op in ["push_string", "push_vec"] {
        all_drawn(op, &pushes, (0..=u8::MAX).map(|length| (op, length)));
    }
    for local in 0..5 {
        all_drawn("place", &places, Storage::REGISTERS.map(|number| (local, number)));
    }
    assert_eq!(others.len(), 3 * 3 + 5 + 2, "{others:?}");
}

#[test]
fn each_value_of_the_small_operands_of_header_free_is_drawn() {
    use header_free::{Kind, Op, Protection};
    let registry = memtwin::built_in();
    let (mut slots, mut threads, mut kinds, mut aligns) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    let (mut pages, mut ends, mut others, mut early) =
        <(BTreeSet<_>, BTreeSet<_>, BTreeSet<_>, BTreeSet<_>)>::default();
    for trace in traces::<HeaderFree>(&registry, "hardened_real_libc", 4800) {
        let setup = &trace.setup;
        others.insert(format!("{:?} {:?} {:?}", setup.mode, setup.munmap, setup.madvise));
        others.insert(format!("{:?} {:?} {}", setup.mincore, setup.libc, setup.two_arenas));
        others.insert(format!("{} {} {}", setup.superslab_log2, setup.registry_log2, setup.tiny_header));
        for op in trace.ops() {
            slots.extend(op.slot().map(|slot| (op.kind() as usize, u8::from(slot))));
            match *op {
                Op::Alloc { kind, align, .. } => {
                    kinds.insert(("alloc", kind.name()));
                    aligns.insert(("alloc", align.exponent()));
                }
                Op::LibcAlloc { align, .. } => _ = aligns.insert(("libc_alloc", align.exponent())),
                Op::Forge { method, .. } => _ = kinds.insert(("forge", method.name())),
                Op::Free { thread, .. } => _ = threads.insert(("free", thread.index())),
                Op::ThreadExit { thread } => _ = threads.insert(("thread_exit", thread.index())),
                Op::ProtectNeighbour { side, protection, .. } => _ = pages.insert((side as u8, protection as u8)),
                Op::UnmapNeighbour { side, .. } => _ = pages.insert((side as u8, 3)),
                Op::MapForeign { beside, .. } => _ = slots.insert((usize::MAX, beside.into())),
                Op::WriteEnd { length, .. } => _ = ends.insert(length),
                Op::BootAlloc { size, .. } => _ = early.insert(size),
                Op::Realloc { .. }
                | Op::UsableSize { .. }
                | Op::Write { .. }
                | Op::Verify { .. }
                | Op::RetireSuperslab { .. }
                | Op::Stats => {}
            }
        }
    }
    for kind in slots.iter().map(|(kind, _)| *kind).collect::<BTreeSet<_>>() {
        all_drawn(&format!("slot of {kind}"), &slots, (0..HEADER_SLOTS).map(|slot| (kind, slot)));
    }
    for op in ["free", "thread_exit"] {
        all_drawn(op, &threads, (0..HEADER_THREADS).map(|thread| (op, thread)));
    }
    for op in ["alloc", "forge"] {
        all_drawn(op, &kinds, Kind::ALL.map(|kind| (op, kind.name())));
    }
    for op in ["alloc", "libc_alloc"] {
        all_drawn(op, &aligns, (0..64).map(|exponent| (op, exponent)));
    }
    all_drawn(
        "pages",
        &pages,
        (0..2).flat_map(|side| (0..=Protection::ReadWrite as u8 + 1).map(move |what| (side, what))),
    );
    all_drawn("write_end", &ends, 1..=header_free::MAX_END_BYTES);
    all_drawn("boot_alloc", &early, 1..=header_free::BOOT_LIMIT_BYTES + 1);
    assert_eq!(others.len(), 3 * 3 * 3 + 4 * 2 * 2 + 2 * 4 * 2, "{others:?}");
}
