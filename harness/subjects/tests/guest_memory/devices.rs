//! Devices answer for their region, alone and byte by byte in bulk; strict alignment comes before them.

use super::*;
use memtwin_models::guest_memory::{Direction, Error, RegisterFile};

const OTHER: Seen = Seen::Error(Error::Other);

fn registers(setup: &Setup, offset: u64, size: u8) -> u64 {
    RegisterFile::new(0, &setup.devices[0]).call(Direction::Read, offset, size, 0).value
}

#[test]
fn a_scalar_inside_a_device_is_one_call() {
    let setup = with_device(4096, 0x100, 32);
    let mut memory = soft_mmu(&setup);
    let seen = step(&mut memory, &read(0x104, 4));
    assert_eq!(seen.result, Seen::Value(registers(&setup, 4, 4)));
    let call = DeviceCall {
        device: 0,
        direction: Direction::Read,
        offset: 4,
        size: 4,
        value: registers(&setup, 4, 4),
        failed: false,
    };
    assert_eq!(seen.device_calls, [call]);
    let seen = step(&mut memory, &write(0x106, u64::MAX, 2));
    let call = DeviceCall { direction: Direction::Write, offset: 6, size: 2, value: 0xffff, ..call };
    assert_eq!((seen.result, seen.device_calls), (Seen::Done, vec![call]));
    let fetch = Op::FetchInstruction { owner: owner(2), address: GuestAddress(0x104) };
    assert_eq!(step(&mut memory, &fetch).result, Seen::Value(registers(&setup, 4, 2) | 0xffff_0000));
    let dump = step(&mut memory, &DUMP()).dump;
    assert!(dump.iter().all(|&byte| byte == 0), "the memory beneath a device is not the device's");
}

#[test]
fn bulk_inside_a_device_is_ascending_single_bytes() {
    let setup = with_device(0x108, 0x100, 32);
    let mut memory = soft_mmu(&setup);
    let seen = step(&mut memory, &read_bulk(0x102, 20));
    assert_eq!(seen.result, Seen::Done);
    let expected: Vec<u8> = (2..22).map(|offset| u8::try_from(registers(&setup, offset, 1)).unwrap()).collect();
    assert_eq!(seen.buffer, expected);
    assert!(seen.device_calls.iter().map(|call| (call.offset, call.size)).eq((2..22).map(|offset| (offset, 1))));
    let seen = step(&mut memory, &write_bulk(0x11f, 5, 1));
    assert_eq!((seen.result, seen.device_calls.len()), (Seen::Done, 1));
}

#[test]
fn a_device_that_fails_midway_keeps_the_calls_and_spares_the_buffer() {
    let mut setup = with_device(4096, 0x100, 32);
    setup.devices[0].faulty_register = Some(6);
    let mut memory = soft_mmu(&setup);
    for op in [read_bulk(0x100, 16), write_bulk(0x100, 1, 16)] {
        let seen = step(&mut memory, &op);
        assert_eq!((seen.result, seen.device_calls.len()), (OTHER, 7));
        assert!(seen.device_calls.iter().all(|call| call.failed == (call.offset == 6)));
        assert!(seen.buffer.iter().all(|&byte| byte == POISON));
    }
    assert_eq!(step(&mut memory, &read(0x104, 4)).result, OTHER);
    assert_eq!(step(&mut memory, &read(0x108, 8)).device_calls.len(), 1);
}

#[test]
fn what_touches_a_device_and_anything_else_is_refused_without_a_call() {
    let mut setup = with_device(0x200, 0x100, 32);
    setup.devices.push(DeviceSetup { base: 0x120, size: 32, faulty_register: None });
    setup.devices.push(DeviceSetup { base: 0x300, size: 8, faulty_register: None });
    let mut memory = soft_mmu(&setup);
    let mixed = [(0xfc, 8), (0x11c, 8), (0x13c, 8), (0x2fc, 8), (0x304, 8), (0x0, 0x308), (0xff, 2)];
    for (address, length) in mixed {
        let mut ops = vec![read_bulk(address, length), write_bulk(address, 1, length)];
        if length == 8 {
            ops.extend([read(address, 8), write(address, 1, 8)]);
            ops.extend([load_reserved(0, address, 8), store_conditional(0, address, 1, 8)]);
        }
        for op in ops {
            let seen = step(&mut memory, &op);
            assert!(matches!(seen.result, Seen::Error(_)), "{op:?}: {:?}", seen.result);
            assert_eq!(seen.device_calls, [], "{op:?}");
            assert!(seen.buffer.iter().all(|&byte| byte == POISON), "{op:?}");
        }
    }
    assert!(step(&mut memory, &DUMP()).dump.iter().all(|&byte| byte == 0));
    assert_eq!(step(&mut memory, &read(0x300, 8)).device_calls.len(), 1, "a device may lie outside of memory");
}

#[test]
fn devices_hold_no_reservations_and_no_bytes_touch_no_device() {
    let setup = with_device(0x200, 0x100, 32);
    let mut memory = soft_mmu(&setup);
    for op in [load_reserved(0, 0x100, 4), store_conditional(0, 0x100, 1, 4)] {
        let seen = step(&mut memory, &op);
        assert_eq!((seen.result, seen.device_calls), (OTHER, vec![]));
    }
    for op in [read_bulk(0x110, 0), write_bulk(0x100, 0, 0)] {
        let seen = step(&mut memory, &op);
        assert_eq!((seen.result, seen.device_calls), (Seen::Done, vec![]));
    }
    // A store to a device is no store to the line beneath it.
    step(&mut memory, &load_reserved(0, 0x120, 8));
    step(&mut memory, &write(0x118, 1, 8));
    assert_eq!(step(&mut memory, &store_conditional(0, 0x120, 1, 8)).result, Seen::Stored(true));
}

#[test]
fn strict_alignment_is_for_scalars_and_comes_after_overflow() {
    let setup = Setup { strict_alignment: true, ..with_device(0x200, 0x100, 32) };
    let mut memory = soft_mmu(&setup);
    let alignment = Seen::Error(Error::Alignment);
    for address in [0x1, 0xfd, 0x102, 0x1001] {
        assert_eq!(step(&mut memory, &read(address, 4)).result, alignment);
        assert_eq!(step(&mut memory, &load_reserved(0, address, 8)).result, alignment);
        let fetch = Op::FetchInstruction { owner: owner(0), address: GuestAddress(address) };
        assert_eq!(step(&mut memory, &fetch).result, alignment);
    }
    assert_eq!(step(&mut memory, &read(u64::MAX, 4)).result, Seen::Error(Error::InvalidAddress));
    assert_eq!(step(&mut memory, &read_bulk(0x1, 7)).result, Seen::Done);
    assert_eq!(step(&mut memory, &read(0x104, 4)).device_calls.len(), 1);
}
