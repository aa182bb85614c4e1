//! The devices of a setup as C code calls them: register files whose every call is on record.

use crate::abi::{MEMTWIN_DONE, MEMTWIN_OTHER_ERROR, memtwin_device, memtwin_ram, memtwin_setup};
use memtwin_models::guest_memory::{DeviceCall, Direction, RegisterFile, Setup};
use std::cell::RefCell;
use std::ffi::c_void;

/// Devices, and what C is told of a setup. It stays where it is: a library keeps its address.
#[derive(Debug)]
pub(crate) struct Machine {
    setup: Box<memtwin_setup>,
    /// What the setup points to.
    _ram: Box<[memtwin_ram]>,
    _regions: Box<[memtwin_device]>,
    devices: Box<Devices>,
}

/// Everything that a call of a device changes.
#[derive(Debug)]
struct Devices {
    registers: RefCell<Vec<RegisterFile>>,
    record: RefCell<Vec<DeviceCall>>,
}

impl Machine {
    pub(crate) fn new(setup: &Setup) -> Self {
        let region = |device: &memtwin_models::guest_memory::DeviceSetup| memtwin_device {
            base: device.base,
            bytes: u64::from(device.size),
        };
        let regions: Box<[_]> = setup.devices.iter().map(region).collect();
        let flat = setup.is_flat().then_some(memtwin_ram { base: 0, bytes: setup.memory_size });
        let ranges = setup.ram.iter().map(|range| memtwin_ram { base: range.base, bytes: range.bytes });
        let ram: Box<[_]> = flat.into_iter().chain(ranges).collect();
        let registers = (0..).zip(&setup.devices).map(|(index, device)| RegisterFile::new(index, device)).collect();
        let devices = Box::new(Devices { registers: RefCell::new(registers), record: RefCell::default() });
        let told = memtwin_setup {
            memory_bytes: setup.memory_size,
            ram: ram.as_ptr(),
            ram_count: ram.len(),
            strict_alignment: setup.strict_alignment,
            devices: regions.as_ptr(),
            device_count: regions.len(),
            device_context: std::ptr::from_ref::<Devices>(&devices).cast_mut().cast(),
            device_read: read,
            device_write: write,
        };
        Machine { setup: Box::new(told), _ram: ram, _regions: regions, devices }
    }

    pub(crate) fn setup(&self) -> *const memtwin_setup {
        &raw const *self.setup
    }

    /// Moves the record to the end of `calls`.
    pub(crate) fn drain(&self, calls: &mut Vec<DeviceCall>) {
        calls.append(&mut self.devices.record.borrow_mut());
    }

    /// Makes registers and record as good as new.
    pub(crate) fn renew(&self) {
        self.devices.registers.borrow_mut().iter_mut().for_each(RegisterFile::renew);
        self.devices.record.borrow_mut().clear();
    }
}

/// One call; nothing where there is no such device.
fn call(context: *mut c_void, device: usize, direction: Direction, offset: u64, bytes: u8, value: u64) -> Option<u64> {
    // SAFETY: the context is what the setup told, and lives as long as the memory; the worker calls from one thread.
    let devices = unsafe { &*context.cast::<Devices>() };
    let call = devices.registers.borrow_mut().get_mut(device)?.call(direction, offset, bytes, value);
    devices.record.borrow_mut().push(call);
    (!call.failed).then_some(call.value)
}

unsafe extern "C" fn read(context: *mut c_void, device: usize, offset: u64, bytes: u8, value: *mut u64) -> i32 {
    let Some(answer) = call(context, device, Direction::Read, offset, bytes, 0) else { return MEMTWIN_OTHER_ERROR };
    // SAFETY: the library says where its value is to be written.
    unsafe { value.write(answer) };
    MEMTWIN_DONE
}

unsafe extern "C" fn write(context: *mut c_void, device: usize, offset: u64, bytes: u8, value: u64) -> i32 {
    // Of the value so many bytes count.
    let value = if bytes < 8 { value & ((1 << (8 * u32::from(bytes))) - 1) } else { value };
    call(context, device, Direction::Write, offset, bytes, value).map_or(MEMTWIN_OTHER_ERROR, |_| MEMTWIN_DONE)
}
