//! The devices of a setup: register files whose every call is on record. They are the environment, not the model: the
//! subject under test and the model each own a copy.

use super::setup::DeviceSetup;
use crate::Payload;
use crate::vocabulary::DescribedHere;

/// A device answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceFault;

/// The direction of a device call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub enum Direction {
    /// The device was asked for a value.
    Read,
    /// The device was given a value.
    Write,
}

/// One call that a device saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DescribedHere)]
pub struct DeviceCall {
    /// The index of the device in the setup.
    pub device: u8,
    /// Read or write.
    pub direction: Direction,
    /// The offset within the region, in bytes.
    pub offset: u64,
    /// The size in bytes.
    pub size: u8,
    /// The value given or answered; 0 for a failed read.
    pub value: u64,
    /// Whether the device answered with an error.
    pub failed: bool,
}

/// A device whose registers are bytes: writes stay, reads show them, little-endian. Registers begin with a pattern of
/// their own for each device.
#[derive(Debug, Clone)]
pub struct RegisterFile {
    index: u8,
    faulty_register: Option<u32>,
    registers: Vec<u8>,
}

impl RegisterFile {
    /// The device at `index` of a setup.
    #[must_use]
    pub fn new(index: u8, setup: &DeviceSetup) -> Self {
        let registers = vec![0; setup.size as usize];
        let mut file = RegisterFile { index, faulty_register: setup.faulty_register, registers };
        file.renew();
        file
    }

    /// Gives every register its first value again. Allocates nothing: traces of one setup reuse its devices.
    pub fn renew(&mut self) {
        #[allow(clippy::cast_possible_truncation)] // a device's size is at most MAX_DEVICE_BYTES
        let length = self.registers.len() as u32;
        Payload { seed: 0x5000 + (u16::from(self.index) << 8), length }.fill(0, &mut self.registers);
    }

    /// Carries out a call. Whatever is outside the region fails and is on record too: that is how a subject is caught
    /// that makes such calls.
    pub fn call(&mut self, direction: Direction, offset: u64, size: u8, value: u64) -> DeviceCall {
        let record = DeviceCall { device: self.index, direction, offset, size, value: 0, failed: true };
        let written = DeviceCall { value, ..record };
        let failed = match direction {
            Direction::Read => record,
            Direction::Write => written,
        };
        let Some(end) = offset.checked_add(u64::from(size)) else { return failed };
        let faulty = self.faulty_register.is_some_and(|register| (offset..end).contains(&u64::from(register)));
        if faulty || !matches!(size, 1 | 2 | 4 | 8) {
            return failed;
        }
        let (Ok(start), Ok(end)) = (usize::try_from(offset), usize::try_from(end)) else { return failed };
        let Some(registers) = self.registers.get_mut(start..end) else { return failed };
        let mut bytes = [0; 8];
        match direction {
            Direction::Read => {
                bytes[..registers.len()].copy_from_slice(registers);
                DeviceCall { value: u64::from_le_bytes(bytes), failed: false, ..record }
            }
            Direction::Write => {
                bytes = value.to_le_bytes();
                registers.copy_from_slice(&bytes[..registers.len()]);
                DeviceCall { failed: false, ..written }
            }
        }
    }
}
