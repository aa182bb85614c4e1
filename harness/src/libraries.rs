//! Malloc libraries as subjects of heap. It reads what the command line says of a contract, and loads nothing.

use memtwin_core::Registry;
use memtwin_core::library::Found;
use memtwin_core::registry::Loader;
use memtwin_heap::Library;
use memtwin_models::Origin;
use memtwin_models::heap::HeapContract;

/// Makes subjects of malloc libraries: `Registry::new().with_loader(memtwin::MALLOC_LIBRARIES)`.
pub const MALLOC_LIBRARIES: &dyn Loader = &MallocLibraries;

struct MallocLibraries;

impl Loader for MallocLibraries {
    fn is_for(&self, library: &Found) -> bool {
        let malloc = format!("{}malloc", library.request.prefix);
        library.symbols.contains(&malloc)
    }

    fn add(&self, registry: Registry, library: &Found) -> Result<Registry, String> {
        let Found { request, origin, symbols } = library;
        let contract = contract(&request.contract)?;
        let found = Library { path: request.path.clone(), prefix: &request.prefix, symbols, contract };
        // Traces say under which profile, whether it was named or not.
        let is_named =
            PROFILES.iter().any(|(name, _)| request.contract.split(',').next().map(str::trim) == Some(*name));
        let claimed = request.contract.trim_start_matches(',');
        let contract = match (is_named, claimed) {
            (true, claimed) => claimed.to_owned(),
            (false, "") => PROFILES[0].0.to_owned(),
            (false, claimed) => format!("{},{claimed}", PROFILES[0].0),
        };
        Ok(registry.with(found.row(Origin { contract, ..origin.clone() })?))
    }
}

/// What a malloc library may be held to; the first one where nothing is said.
const PROFILES: [(&str, HeapContract); 3] =
    [("c", HeapContract::C), ("posix-2024", HeapContract::POSIX_2024), ("strict", HeapContract::LIBRARY)];

/// A profile and the freedoms claimed besides: `c,kept_bytes=4096`.
fn contract(text: &str) -> Result<HeapContract, String> {
    let mut contract = PROFILES[0].1;
    for (index, word) in text.split(',').map(str::trim).filter(|word| !word.is_empty()).enumerate() {
        let profile = PROFILES.iter().find(|(name, _)| *name == word);
        contract = match profile {
            Some((_, profile)) if index == 0 => *profile,
            Some(_) => return Err(format!("--contract {text}: the profile {word} comes first, and there is one")),
            None => contract.claim(word).map_err(|why| format!("--contract {text}: {why}"))?,
        };
    }
    Ok(contract)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_and_freedoms_are_read() {
        assert_eq!(contract("c"), Ok(HeapContract::C));
        assert_eq!(contract("kept_bytes=0x10"), Ok(HeapContract { kept_bytes: 16, ..HeapContract::C }));
        let strict = HeapContract { errno_unset: true, ..HeapContract::LIBRARY };
        assert_eq!(contract("strict, errno_unset"), Ok(strict));
        assert!(contract("c,strict").unwrap_err().contains("comes first"));
        assert!(contract("c,other").unwrap_err().contains("there is no freedom \"other\""));
    }
}
