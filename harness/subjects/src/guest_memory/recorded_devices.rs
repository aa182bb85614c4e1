//! The devices of a setup as the machine sees them: register files whose every call is on record.
//!
//! They have no behaviour of their own: what a device answers is the component's environment, the same for all
//! subjects.

use super::hardened::{DeviceError, MmioDevice};
use memtwin_models::guest_memory::{DeviceCall, Direction, MAX_DEVICE_BYTES, RegisterFile, Setup};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Every device of a setup, and the calls since the last drain.
#[derive(Debug)]
pub struct RecordedDevices {
    /// Whether the record holds a call: most ops touch no device, and reading a flag is cheaper than locking.
    called: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    registers: Vec<RegisterFile>,
    record: Vec<DeviceCall>,
    /// Whether a device has been called since the registers were new.
    used: bool,
}

/// One device of a setup.
#[derive(Debug)]
pub struct RecordedDevice {
    devices: Arc<RecordedDevices>,
    index: usize,
}

impl RecordedDevices {
    /// The devices of `setup`, their registers new.
    #[must_use]
    pub fn new(setup: &Setup) -> Self {
        // Without devices nothing is ever recorded. With them, the longest op calls once for each byte of the largest.
        let calls = if setup.devices.is_empty() { 0 } else { 2 * MAX_DEVICE_BYTES };
        let record = Vec::with_capacity(usize::try_from(calls).unwrap_or(0));
        let registers = (0..).zip(&setup.devices).map(|(index, device)| RegisterFile::new(index, device)).collect();
        RecordedDevices { called: AtomicBool::new(false), state: Mutex::new(State { registers, record, used: false }) }
    }

    /// The device at `index` of the setup, for a machine.
    #[must_use]
    pub fn device(self: &Arc<Self>, index: usize) -> RecordedDevice {
        RecordedDevice { devices: Arc::clone(self), index }
    }

    /// Moves the record to the end of `calls`.
    #[inline]
    pub fn drain(&self, calls: &mut Vec<DeviceCall>) {
        if self.called.load(Ordering::Relaxed) {
            self.called.store(false, Ordering::Relaxed);
            calls.append(&mut self.lock().record);
        }
    }

    /// Makes registers and record as good as new.
    pub fn reset(&self) {
        let mut state = self.lock();
        if state.used {
            state.registers.iter_mut().for_each(RegisterFile::renew);
            state.used = false;
            state.record.clear();
            self.called.store(false, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RecordedDevice {
    fn call(&self, direction: Direction, offset: u64, size: u8, value: u64) -> Result<u64, DeviceError> {
        let mut state = self.devices.lock();
        let registers = state.registers.get_mut(self.index).ok_or(DeviceError)?;
        let call = registers.call(direction, offset, size, value);
        state.record.push(call);
        state.used = true;
        self.devices.called.store(true, Ordering::Relaxed);
        if call.failed { Err(DeviceError) } else { Ok(call.value) }
    }
}

impl MmioDevice for RecordedDevice {
    fn read(&self, offset: u64, size: u8) -> Result<u64, DeviceError> {
        self.call(Direction::Read, offset, size, 0)
    }

    fn write(&self, offset: u64, value: u64, size: u8) -> Result<(), DeviceError> {
        self.call(Direction::Write, offset, size, value).map(|_| ())
    }
}
