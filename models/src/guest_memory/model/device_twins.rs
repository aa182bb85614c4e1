//! The model's copies of the setup's devices, and the calls that an access should make. Does not judge.

use super::super::device::{DeviceCall, Direction, RegisterFile};
use super::super::setup::DeviceSetup;

/// The devices as they should be, beside the ones that the subject calls.
#[derive(Debug, Clone)]
pub(super) struct DeviceTwins {
    setups: Vec<DeviceSetup>,
    devices: Vec<RegisterFile>,
    /// The calls of the last access. Reused, so that an access allocates nothing.
    calls: Vec<DeviceCall>,
    written: bool,
}

impl DeviceTwins {
    pub(super) fn new(setups: &[DeviceSetup]) -> Self {
        let mut twins = DeviceTwins { setups: Vec::new(), devices: Vec::new(), calls: Vec::new(), written: false };
        twins.reset(setups);
        twins
    }

    /// Returns to the devices right after construction. Registers that nobody wrote are kept as they are.
    pub(super) fn reset(&mut self, setups: &[DeviceSetup]) {
        if self.setups != setups {
            self.devices.clear();
            self.devices.extend((0..).zip(setups).map(|(index, setup)| RegisterFile::new(index, setup)));
            self.setups.clear();
            self.setups.extend_from_slice(setups);
            self.written = false;
            // The longest transfer that a device can take, one call for each byte.
            let longest = setups.iter().map(|setup| setup.size as usize).max().unwrap_or(0);
            self.calls.clear();
            self.calls.reserve(longest);
        } else if self.written {
            self.devices.iter_mut().for_each(RegisterFile::renew);
            self.written = false;
        }
        self.calls.clear();
    }

    /// The call of a scalar read.
    pub(super) fn read(&mut self, index: u8, offset: u64, size: u8) -> DeviceCall {
        self.call_only(index, Direction::Read, offset, size, 0)
    }

    /// The call of a scalar write.
    pub(super) fn write(&mut self, index: u8, offset: u64, size: u8, value: u64) -> DeviceCall {
        self.call_only(index, Direction::Write, offset, size, value)
    }

    /// The calls of a bulk read: bytes, ascending, up to the first error. Says whether there was one.
    pub(super) fn read_bytes(&mut self, index: u8, offset: u64, length: u32) -> bool {
        self.call_bytes(index, Direction::Read, (offset..).zip((0..length).map(|_| 0)))
    }

    /// The calls of a bulk write: bytes, ascending, up to the first error. Says whether there was one.
    pub(super) fn write_bytes(&mut self, index: u8, offset: u64, bytes: &[u8]) -> bool {
        self.call_bytes(index, Direction::Write, (offset..).zip(bytes.iter().copied()))
    }

    /// The calls of the last access.
    pub(super) fn calls(&self) -> &[DeviceCall] {
        &self.calls
    }

    fn call_only(&mut self, index: u8, direction: Direction, offset: u64, size: u8, value: u64) -> DeviceCall {
        let call = self.devices[usize::from(index)].call(direction, offset, size, value);
        self.written |= direction == Direction::Write;
        self.calls.clear();
        self.calls.push(call);
        call
    }

    fn call_bytes(&mut self, index: u8, direction: Direction, bytes: impl Iterator<Item = (u64, u8)>) -> bool {
        let device = &mut self.devices[usize::from(index)];
        self.written |= direction == Direction::Write;
        self.calls.clear();
        for (offset, byte) in bytes {
            let call = device.call(direction, offset, 1, u64::from(byte));
            self.calls.push(call);
            if call.failed {
                return true;
            }
        }
        false
    }
}
