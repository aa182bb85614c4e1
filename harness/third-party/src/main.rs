//! Published crates beside memtwin's models, with memtwin's command line. Each claims only the freedoms that its
//! documentation states.

mod vm_memory;

use memtwin::Registry;
use memtwin::models::Row;
use memtwin::models::guest_memory::GuestMemory;

memtwin::main!(Registry::new().with(Row::<GuestMemory>::of::<vm_memory::Mapped>()));
