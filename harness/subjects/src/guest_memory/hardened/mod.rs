//! Guest physical memory as we would ship it: every law of the contract holds, on every input, from any thread.
//!
//! - [`access`]: the interface, with bulk methods that no implementor can forget;
//! - [`backing`]: where the bytes live, mapped lazily between guards;
//! - `shards`: which bytes a lock protects, and the only way to reach them;
//! - `reservations`: load-reserved and store-conditional;
//! - [`physical`]: these three put together as [`PhysicalMemory`];
//! - [`region`]: memory in regions with holes between them, as [`RegionMemory`];
//! - [`memory`]: what both offer;
//! - [`atomics`]: atomic loads, stores and compare-exchange;
//! - [`dirty`]: which pages were written, and dumps of them;
//! - [`mmio`]: device regions and the decision who answers an access;
//! - [`soft_mmu`]: memory and devices behind one interface.
//!
//! Has no defects, no hooks for tests, and no knowledge of the harness. The module depends on nothing but the standard
//! library and `nix`, so that it can be carried into another project as it is.

pub mod access;
pub mod atomics;
pub mod backing;
pub mod dirty;
pub mod memory;
pub mod mmio;
pub mod physical;
pub mod region;
pub(crate) mod reservations;
pub(crate) mod shards;
pub mod soft_mmu;

pub use access::{AccessSize, Fault, GuestPhysAddr, GuestRange, MemoryAccess, MemoryError, OwnerIndex, VmError};
pub use atomics::Atomics;
pub use backing::{Backing, LazyMapping};
pub use dirty::{DirtyLog, DumpError, ImageError, PageImage, WriteLog};
pub use memory::{Exchanged, Memory};
pub use mmio::{DeviceError, MmioDevice, RegionError};
pub use physical::{PhysicalHandle, PhysicalMemory};
pub use region::{LayoutError, RegionMemory};
pub use soft_mmu::{Alignment, SoftMmu};
