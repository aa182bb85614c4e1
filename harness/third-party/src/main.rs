//! Published crates beside memtwin's models, with memtwin's command line. Each claims only the freedoms that its
//! documentation states.

mod vm_memory;
mod x86_64_mapper;

use memtwin::Registry;
use memtwin::models::Row;
use memtwin::models::guest_memory::GuestMemory;
use memtwin::models::page_walk::PageWalk;

memtwin::main!(
    Registry::new()
        .with(Row::<GuestMemory>::of::<vm_memory::Mapped>())
        .with(Row::<GuestMemory>::of::<vm_memory::InParts>())
        .with(Row::<PageWalk>::of::<x86_64_mapper::Mapped>())
);
