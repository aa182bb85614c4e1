//! The frames of a fault that say something about the subject. Refuses to name them: a worker of the same program does that.

/// Frames that are shown.
const SHOWN_FRAMES: usize = 8;

/// The frames of the subject: without the fault handler and the panic machinery inside, without the harness outside, and
/// without the standard library between.
pub(super) fn telling(frames: &[String]) -> Vec<String> {
    const OUTSIDE: [&str; 3] = ["/src/lockstep.rs:", "/src/explain/narrator.rs:", "/src/isolate/worker.rs:"];
    const HANDLER: &str = "/src/isolate/fault.rs:";
    const STANDARD_LIBRARY: [&str; 4] = ["core::", "alloc::", "std::", "<core::"];
    const ITS_SOURCE: &str = "/rustc/";
    let from = frames.iter().rposition(|frame| frame.contains(HANDLER)).map_or(0, |index| index + 1);
    // A panic's hook lies in the worker's file, between the handler and the panic.
    let hook = frames.get(from).is_some_and(|frame| frame.contains(OUTSIDE[2]));
    let subject = frames.iter().skip(from + usize::from(hook));
    let subject = subject.take_while(|frame| !OUTSIDE.iter().any(|file| frame.contains(file)));
    let is_standard =
        |frame: &str| frame.contains(ITS_SOURCE) || STANDARD_LIBRARY.iter().any(|name| frame.starts_with(name));
    let subject = subject.filter(|frame| !is_standard(frame));
    subject.take(SHOWN_FRAMES).map(|frame| readable(frame)).collect()
}

/// `function at file:line`, without type parameters and without what lies above the working directory.
fn readable(frame: &str) -> String {
    let Some((name, place)) = frame.split_once(" at ") else { return frame.to_owned() };
    let name = if name.starts_with('<') { name } else { name.split('<').next().unwrap_or(name) };
    let here = std::env::current_dir().unwrap_or_default();
    let place = place.strip_prefix(&format!("{}/", here.display())).unwrap_or(place);
    format!("{name} at {place}")
}
