//! The frames of a fault that say something about the subject. Does not name them: a worker of the same program does
//! that.

/// Frames that are shown.
const SHOWN_FRAMES: usize = 8;

/// The frames of the subject: without the fault handler and the panic machinery inside, without the harness outside,
/// and without the standard library between.
pub(super) fn telling(frames: &[String]) -> Vec<String> {
    // By the names of functions: release builds know no files of the core.
    const WORKER: &str = "memtwin_core::isolate::worker::";
    const OUTSIDE: [&str; 4] =
        ["memtwin_core::lockstep::", "memtwin_core::turns::", "memtwin_models::subject::", WORKER];
    const HANDLER: &str = "memtwin_core::isolate::fault::";
    const STANDARD_LIBRARY: [&str; 4] = ["core::", "alloc::", "std::", "<core::"];
    const ITS_SOURCE: &str = "/rustc/";
    let from = frames.iter().rposition(|frame| frame.contains(HANDLER)).map_or(0, |index| index + 1);
    // A panic's hook lies in the worker's file, between the handler and the panic.
    let hook = frames.get(from).is_some_and(|frame| frame.contains(WORKER));
    let subject = frames.iter().skip(from + usize::from(hook));
    let subject = subject.take_while(|frame| !OUTSIDE.iter().any(|module| frame.contains(module)));
    let is_standard =
        |frame: &str| frame.contains(ITS_SOURCE) || STANDARD_LIBRARY.iter().any(|name| frame.starts_with(name));
    let subject = subject.filter(|frame| !is_standard(frame));
    subject.take(SHOWN_FRAMES).map(|frame| readable(frame)).collect()
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
}
