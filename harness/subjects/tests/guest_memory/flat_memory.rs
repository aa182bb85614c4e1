//! Memory is flat: whatever its size and wherever the borders of its shards are.

use super::*;
use memtwin_models::Payload;
use memtwin_models::guest_memory::Error;
use memtwin_subjects::guest_memory::hardened::{
    AccessSize, GuestPhysAddr, MemoryAccess, MemoryError, OwnerIndex, PhysicalHandle, PhysicalMemory, VmError,
};
use memtwin_subjects::guest_memory::{Original, PhysicalMemorySubject, PublishedFix};
use std::sync::Arc;

const SIZES: &[u64] = &[0, 1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 129, 209, 210, 1000, 1023, 4096, 65_536, 65_537];

fn handle(size: u64) -> PhysicalHandle {
    PhysicalHandle::new(Arc::new(PhysicalMemory::new(size).unwrap()), OwnerIndex(0))
}

fn at(address: u64) -> GuestPhysAddr {
    GuestPhysAddr::new(address)
}

#[test]
fn random_accesses_agree_with_one_vector() {
    for &size in SIZES {
        let setup = Setup::flat(size);
        let mut memory = handle(size);
        let mut flat = vec![0_u8; usize::try_from(size).unwrap()];
        let mut numbers = Numbers(size + 1);
        for _ in 0..2000 {
            let address = numbers.address(&setup);
            let length = [1, 2, 4, 8, numbers.below(200), numbers.below(size + 3)][usize::from(numbers.byte_below(6))];
            let length_in_host = usize::try_from(length).unwrap();
            let length_in_bytes = u8::try_from(length).unwrap_or(u8::MAX);
            let inside = address.checked_add(length).is_some_and(|end| end <= size);
            let place = if inside { usize::try_from(address).unwrap() } else { 0 };
            let invalid = Err(VmError::Memory(MemoryError::InvalidAddress(at(address))));
            let bytes: Vec<u8> = (0..length).map(|_| numbers.byte_below(255)).collect();
            let is_scalar = matches!(length, 1 | 2 | 4 | 8) && numbers.below(2) == 0;
            let mut scalar = [0; 8];
            let answer = if is_scalar {
                scalar[..length_in_host].copy_from_slice(&bytes);
                memory.write(
                    at(address),
                    u64::from_le_bytes(scalar) | u64::MAX << 8 << (8 * (length - 1)),
                    length_in_bytes,
                )
            } else {
                memory.write_bulk(at(address), &bytes)
            };
            if inside {
                assert_eq!(answer, Ok(()), "write {length} at {address:#x} of {size}");
                flat[place..place + length_in_host].copy_from_slice(&bytes);
            } else {
                assert_eq!(answer, invalid, "write {length} at {address:#x} of {size}");
            }
            let mut buffer = vec![POISON; length_in_host];
            let answer = memory.read_bulk(at(address), &mut buffer);
            if inside {
                assert_eq!((answer, &buffer[..]), (Ok(()), &flat[place..place + length_in_host]));
            } else {
                assert_eq!((answer, buffer), (invalid, vec![POISON; length_in_host]));
            }
            if is_scalar {
                let expected = if inside { Ok(u64::from_le_bytes(scalar)) } else { invalid.map(|()| 0) };
                assert_eq!(memory.read(at(address), length_in_bytes), expected);
            }
        }
        assert_eq!(memory.dump_memory(), flat, "size {size}");
        assert_eq!(memory.memory_size(), size);
    }
}

#[test]
fn scalars_of_other_sizes_are_alignment_faults_before_anything_else() {
    let mut memory = soft_mmu(&Setup::flat(64));
    for size in [0, 3, 5, 6, 7, 9, 16, 255] {
        for address in [0, 60, 64, u64::MAX] {
            let ops = [
                read(address, size),
                write(address, 1, size),
                load_reserved(0, address, size),
                store_conditional(0, address, 1, size),
            ];
            for op in ops {
                assert_eq!(step(&mut memory, &op).result, Seen::Error(Error::Alignment), "{op:?}");
            }
        }
    }
}

#[test]
fn no_bytes_are_a_success_up_to_the_end_and_an_error_beyond() {
    for size in [0, 1, 65_536] {
        let mut memory = soft_mmu(&Setup::flat(size));
        for (address, fails) in [(0, false), (size, false), (size + 1, true), (u64::MAX, true)] {
            let expected = if fails { Seen::Error(Error::InvalidAddress) } else { Seen::Done };
            assert_eq!(step(&mut memory, &read_bulk(address, 0)).result, expected, "{address:#x} of {size}");
            assert_eq!(step(&mut memory, &write_bulk(address, 0, 0)).result, expected, "{address:#x} of {size}");
        }
    }
}

#[test]
fn the_largest_memory_costs_what_is_touched() {
    let size = 64 << 30;
    let mut memory = soft_mmu(&Setup::flat(size));
    for address in [0, size / 16 - 3, size / 2 - 3, size - 8] {
        assert_eq!(step(&mut memory, &write(address, 0x0123_4567_89ab_cdef, 8)).result, Seen::Done);
        assert_eq!(step(&mut memory, &read(address, 8)).result, Seen::Value(0x0123_4567_89ab_cdef));
    }
    assert_eq!(step(&mut memory, &read(size - 7, 8)).result, Seen::Error(Error::InvalidAddress));
    assert_eq!(step(&mut memory, &DUMP()).result, Seen::Skipped);
    assert!(memory.reset(&Setup::flat(size)));
    assert_eq!(step(&mut memory, &read(size / 2 - 3, 8)).result, Seen::Value(0));
}

#[test]
fn address_space_that_the_host_does_not_have_is_an_error() {
    for size in [1 << 62, u64::MAX - 4095, u64::MAX] {
        let error = PhysicalMemory::new(size).unwrap_err();
        assert_eq!(error.size_bytes, size);
        assert!(error.to_string().starts_with("cannot reserve"), "{error}");
    }
}

#[test]
fn a_restore_needs_the_right_length_and_replaces_every_byte() {
    for &size in SIZES {
        let mut memory = soft_mmu(&Setup::flat(size));
        let length = u32::try_from(size).unwrap();
        let restore = |length| Op::Restore { owner: owner(1), payload: Payload { seed: 9, length } };
        let mut expected = vec![0; usize::try_from(size).unwrap()];
        for wrong in [length + 1, length.wrapping_sub(1), u32::MAX] {
            assert_eq!(step(&mut memory, &restore(wrong)).result, Seen::Error(Error::Other));
            assert_eq!(step(&mut memory, &DUMP()).dump, expected);
        }
        step(&mut memory, &load_reserved(0, 0, 1));
        assert_eq!(step(&mut memory, &restore(length)).result, Seen::Done);
        Payload { seed: 9, length }.fill(0, &mut expected);
        assert_eq!(step(&mut memory, &DUMP()).dump, expected);
        if size != 0 {
            assert_eq!(step(&mut memory, &store_conditional(0, 0, 1, 1)).result, Seen::Stored(false));
        }
        step(&mut memory, &load_reserved(0, 0, 1));
        assert_eq!(step(&mut memory, &Op::RestoreDump { owner: owner(0) }).result, Seen::Done);
        assert_eq!(step(&mut memory, &DUMP()).dump, expected);
        if size != 0 {
            assert_eq!(step(&mut memory, &store_conditional(0, 0, 1, 1)).result, Seen::Stored(false));
        }
    }
}

#[test]
fn reservations_live_and_die_by_lines() {
    let survives = |between: &[Op]| {
        let mut memory = soft_mmu(&Setup::flat(4096));
        assert_eq!(step(&mut memory, &load_reserved(1, 0x40, 8)).result, Seen::Value(0));
        steps(&mut memory, between);
        step(&mut memory, &store_conditional(1, 0x40, 7, 8)).result == Seen::Stored(true)
    };
    let invalidate =
        |address, size| Op::InvalidateReservation { owner: owner(0), address: GuestAddress(address), size };
    assert!(survives(&[]));
    assert!(survives(&[write(0x3c, 1, 4), write(0x80, 1, 8), write_bulk(0x40, 1, 0), read_bulk(0, 4096)]));
    assert!(survives(&[store_conditional(0, 0x40, 1, 8), load_reserved(0, 0x40, 8)]));
    assert!(survives(&[invalidate(0x40, 0), invalidate(0x3f, 1), invalidate(0x80, 255), invalidate(u64::MAX, 255)]));
    assert!(survives(&[write_bulk(0x10, 1, 4096), load_reserved(1, 4090, 8)]));
    assert!(!survives(&[write(0x3c, 1, 8)]));
    assert!(!survives(&[write(0x7f, 1, 1)]));
    assert!(!survives(&[write_bulk(0x3f, 1, 2)]));
    assert!(!survives(&[write_bulk(0, 1, 4096)]));
    assert!(!survives(&[load_reserved(1, 0x48, 8)]));
    assert!(!survives(&[store_conditional(1, 0x40, 1, 8)]));
    assert!(!survives(&[store_conditional(1, 0x40, 1, 4)]));
    assert!(!survives(&[store_conditional(1, 0x200, 1, 8)]));
    assert!(!survives(&[load_reserved(0, 0x78, 1), store_conditional(0, 0x78, 1, 1)]));
    assert!(!survives(&[invalidate(0x41, 1)]));
    assert!(!survives(&[invalidate(0, 255)]));
}

#[test]
fn every_generation_agrees_on_scalars_and_reservations() {
    // 65,535 is a size that all can build and whose last shard is short.
    let setup = Setup::flat(65_535);
    let mut numbers = Numbers(3);
    let bulk = |op: &Op| matches!(op, Op::ReadBulk { .. } | Op::WriteBulk { .. });
    let ops: Vec<Op> = (0..3000).map(|_| numbers.op(&setup)).filter(|op| !bulk(op)).collect();
    let page_fault_as_invalid = |mut steps: Vec<Step>| {
        for step in &mut steps {
            if step.result == Seen::Error(Error::PageFault) {
                step.result = Seen::Error(Error::InvalidAddress);
            }
        }
        steps
    };
    let expected = steps(&mut soft_mmu(&setup), &ops);
    assert_eq!(steps(&mut build::<PhysicalMemorySubject>(&setup), &ops), expected);
    assert_eq!(page_fault_as_invalid(steps(&mut build::<PublishedFix>(&setup), &ops)), expected);
    assert_eq!(page_fault_as_invalid(steps(&mut build::<Original>(&setup), &ops)), expected);
}

#[test]
fn a_scalar_size_knows_its_bytes() {
    for bytes in 0..=255 {
        match AccessSize::try_new(at(0), bytes) {
            Ok(size) => assert_eq!(size.bytes(), bytes),
            Err(error) => assert!(!matches!(bytes, 1 | 2 | 4 | 8), "{error}"),
        }
    }
}
