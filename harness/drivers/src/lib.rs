//! What drives fuzzing engines over the components of any registry: libFuzzer and AFL++ where they are installed, and
//! memtwin's own. It starts programs (cargo, cargo-fuzz, cargo-afl, fuzz targets, this one again) and shows each before
//! it runs. It judges nothing: memtwin does. It installs nothing, and writes only where it is told to.

pub mod afl;
pub mod command;
pub mod nightly;
mod project;
pub mod seeds;

pub use project::Project;

/// A registry to look things up in.
#[cfg(test)]
fn registry() -> memtwin_core::Registry {
    use memtwin_subjects::{brk_heap, guest_memory};
    let registry = memtwin_core::Registry::new().with_all(guest_memory::ROWS).with_all(guest_memory::defects::ROWS);
    registry.with_all(brk_heap::ROWS).with_all(brk_heap::defects::ROWS)
}
