//! The frames of a fault that say something about the subject. Does not name them: a worker of the same program does
//! that.

/// Frames that are shown.
const SHOWN_FRAMES: usize = 8;

/// A module of memtwin's, as frames name it: by the path of a function where there is no debug information, else often
/// by the file alone.
#[derive(Clone, Copy)]
struct Module {
    /// The crate, as its folder in this repository is called.
    folder: &'static str,
    /// The module in it, with slashes; empty for all of the crate.
    path: &'static str,
}

impl Module {
    const fn core(path: &'static str) -> Self {
        Module { folder: "core", path }
    }

    const fn all_of(folder: &'static str) -> Self {
        Module { folder, path: "" }
    }

    fn has(self, frame: &str) -> bool {
        let Module { folder, path } = self;
        let (name, place) = frame.split_once(" at ").unwrap_or((frame, ""));
        if name.contains(&format!("memtwin_{folder}::{}", path.replace('/', "::"))) {
            return true;
        }
        let Some((above, file)) = place.rsplit_once("/src/") else { return false };
        // In this repository, or from a registry with its version.
        let above = above.rsplit('/').next().unwrap_or(above);
        let is_crate = above == folder || above.starts_with(&format!("memtwin-{folder}-"));
        is_crate && file.starts_with(path)
    }
}

/// The frames of the subject: without the fault handler and the panic machinery inside, without the harness outside,
/// and without the standard library between. What subjects call of memtwin is left out where it is innermost, unless
/// there is nothing else.
pub(super) fn telling(frames: &[String]) -> Vec<String> {
    const HANDLER: Module = Module::core("isolate/fault");
    const WORKER: Module = Module::core("isolate/worker");
    const OUTSIDE: [Module; 4] =
        [Module::core("lockstep"), Module::core("turns"), Module { folder: "models", path: "subject" }, WORKER];
    const CALLED: [Module; 3] = [Module::all_of("wild"), Module::all_of("heap"), Module::all_of("c")];
    const STANDARD_LIBRARY: [&str; 4] = ["core::", "alloc::", "std::", "<core::"];
    const ITS_SOURCE: &str = "/rustc/";
    let from = frames.iter().rposition(|frame| HANDLER.has(frame)).map_or(0, |index| index + 1);
    // A panic's hook lies in the worker's file, between the handler and the panic.
    let hook = frames.get(from).is_some_and(|frame| WORKER.has(frame));
    let subject = frames.iter().skip(from + usize::from(hook));
    let subject = subject.take_while(|frame| !OUTSIDE.iter().any(|module| module.has(frame)));
    let is_standard =
        |frame: &str| frame.contains(ITS_SOURCE) || STANDARD_LIBRARY.iter().any(|name| frame.starts_with(name));
    let subject: Vec<&String> = subject.filter(|frame| !is_standard(frame)).collect();
    let first = subject.iter().position(|frame| !CALLED.iter().any(|module| module.has(frame))).unwrap_or(0);
    subject[first..].iter().take(SHOWN_FRAMES).map(|frame| readable(frame)).collect()
}

/// `Type::function at file:line`, without what lies above the working directory.
fn readable(frame: &str) -> String {
    let Some((name, place)) = frame.split_once(" at ") else { return short(frame) };
    let here = std::env::current_dir().unwrap_or_default();
    let place = place.strip_prefix(&format!("{}/", here.display())).unwrap_or(place);
    format!("{} at {place}", short(name))
}

/// The last two parts of a path, without type parameters and closures; of `<Type as Trait>::function` the type's.
fn short(name: &str) -> String {
    let (owner, rest) = match name.strip_prefix('<').and_then(split_at_closing) {
        Some((owner, rest)) => (owner.split(" as ").next().unwrap_or(owner), rest),
        None => ("", name),
    };
    let path = format!("{}{}", without_parameters(owner), without_parameters(rest));
    let parts: Vec<&str> = path.split("::").filter(|part| !part.is_empty() && *part != "{{closure}}").collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// What comes before and after the bracket that closes the one before the text.
fn split_at_closing(text: &str) -> Option<(&str, &str)> {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[..at], &text[at + 1..]));
        }
    }
    None
}

fn without_parameters(path: &str) -> String {
    let mut depth = 0_usize;
    let mut is_outside = |character: char| {
        let closes = character == '>';
        depth = if closes { depth.saturating_sub(1) } else { depth + usize::from(character == '<') };
        depth == 0 && !closes
    };
    path.chars().filter(|character| is_outside(*character)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        for (name, expected) in [
            ("memtwin_wild::read_byte", "memtwin_wild::read_byte"),
            ("memtwin_subjects::brk_heap::process::Process<D>::store", "Process::store"),
            ("<memtwin::a::Deviating<D> as memtwin::b::MemoryAccess<X>>::read_bulk", "Deviating::read_bulk"),
            ("<memtwin::a::Table<D> as b::Reader>::read_entry::{{closure}}", "Table::read_entry"),
            ("main", "main"),
        ] {
            assert_eq!(short(name), expected, "{name}");
        }
    }

    #[test]
    fn the_harness_and_the_standard_library_are_left_out() {
        let frames = [
            "memtwin_core::isolate::fault::handle at /home/x/harness/core/src/isolate/fault.rs:80",
            "core::ptr::read at /rustc/abc/library/core/src/ptr/mod.rs:1",
            "mine::Memory<T>::read_bulk at /home/x/src/memory.rs:7",
            "memtwin_core::lockstep::narrator::play at /home/x/harness/core/src/lockstep/narrator.rs:80",
            "main at /home/x/src/main.rs:1",
        ];
        assert_eq!(telling(&frames.map(str::to_owned)), ["Memory::read_bulk at /home/x/src/memory.rs:7"]);
    }

    /// Where debug information has functions without their paths, memtwin's frames are known by their files.
    #[test]
    fn the_harness_is_known_by_its_files() {
        let core = "/home/x/.cargo/registry/src/index/memtwin-core-0.1.0/src";
        let frames = [
            &format!("note_frames at {core}/isolate/fault.rs:176"),
            "handle at /home/x/memtwin/harness/core/src/isolate/fault.rs:140",
            "faulting_address at /home/x/memtwin/harness/wild/src/lib.rs:64",
            "read_bulk at /home/x/mine/src/memory.rs:7",
            "read_byte at /home/x/memtwin/harness/wild/src/lib.rs:36",
            "turn<memtwin_models::guest_memory::GuestMemory> at /home/x/memtwin/harness/core/src/lockstep/run.rs:73",
            "main at /home/x/mine/src/main.rs:1",
        ];
        let frames = frames.map(str::to_owned);
        let shown =
            ["read_bulk at /home/x/mine/src/memory.rs:7", "read_byte at /home/x/memtwin/harness/wild/src/lib.rs:36"];
        assert_eq!(telling(&frames), shown);
        let only = [frames[1].clone(), frames[2].clone(), frames[5].clone()];
        assert_eq!(telling(&only), ["faulting_address at /home/x/memtwin/harness/wild/src/lib.rs:64"]);
        let mine = ["fault at /home/x/mine/src/isolate/fault.rs:3".to_owned()];
        assert_eq!(telling(&mine), mine, "a file of that name elsewhere is nobody's but the user's");
    }
}
