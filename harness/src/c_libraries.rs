//! Shared libraries with a table of C functions as subjects. It loads nothing.

use memtwin_c::{GuestMemoryLibrary, TABLE_SYMBOL};
use memtwin_core::Registry;
use memtwin_core::library::Found;
use memtwin_core::registry::Loader;

/// Makes subjects of guest memories behind memtwin.h: `Registry::new().with_loader(memtwin::C_GUEST_MEMORIES)`.
pub const C_GUEST_MEMORIES: &dyn Loader = &CGuestMemories;

struct CGuestMemories;

impl Loader for CGuestMemories {
    fn is_for(&self, library: &Found) -> bool {
        library.symbols.iter().any(|symbol| symbol == TABLE_SYMBOL)
    }

    fn add(&self, registry: Registry, library: &Found) -> Result<Registry, String> {
        let Found { request, origin, .. } = library;
        let found = GuestMemoryLibrary { path: request.path.clone(), claims: request.contract.clone() };
        Ok(registry.with(found.row(origin.clone())?))
    }
}
