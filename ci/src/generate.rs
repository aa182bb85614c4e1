//! The generated parts of documents: tables that say what the registry says. Everything outside the marks is a
//! person's.

use crate::matrix;
use crate::room::Room;
use crate::vocabulary;
use memtwin::{Registry, Target};
use std::fmt::Write as _;
use std::io::Write as _;

/// The components in the order they come, with what each is; those that the registry does not know yet are to follow.
const COMPONENTS: &[(&str, &str)] = &[
    ("guest_memory", "scalar and bulk access to sharded guest memory, with devices, reservations, dump and restore"),
    ("heap", "any allocator, in Rust or C: arenas, `GlobalAlloc`, malloc libraries"),
    ("brk_heap", "a bump allocator on `brk` in a simulated process, registers included"),
    ("header_free", "an allocator that routes a `free` by the header before the block"),
    ("page_walk", "guest page tables that a hostile guest writes, and reads by guest virtual address"),
    ("temp_map", "temporary mappings in a 32-bit kernel, with its address spaces and TLB"),
];

/// Writes the generated parts anew, or only says what is out of date. Whether nothing was.
pub(crate) fn generate(room: &Room, check: bool) -> Result<bool, Box<dyn std::error::Error>> {
    let registry = memtwin::built_in();
    let regions = [
        ("README.md", "components", components(&registry)?),
        ("ci/README.md", "gates", crate::gates::table()?),
        ("docs/matrix.md", "matrix", matrix::matrix(room, &registry)?),
    ];
    let mut is_current = true;
    for (file, name, text) in regions {
        let path = room.root.join(file);
        let old = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let new = replaced(&old, name, &text).ok_or_else(|| format!("{file} has no marks for `{name}`"))?;
        is_current &= write(room, file, &old, &new, check)?;
    }
    for dialect in registry.dialects() {
        let file = format!("docs/vocabulary/{}.md", dialect.name());
        let old = std::fs::read_to_string(room.root.join(&file)).unwrap_or_default();
        is_current &= write(room, &file, &old, &vocabulary::page(dialect)?, check)?;
    }
    let old = std::fs::read_to_string(room.root.join(HEADER)).unwrap_or_default();
    is_current &= write(room, HEADER, &old, &header(room)?, check)?;
    Ok(is_current)
}

/// Writes a file anew, or only says that it is out of date. Whether it was not.
fn write(room: &Room, file: &str, old: &str, new: &str, check: bool) -> std::io::Result<bool> {
    if old == new {
        return Ok(true);
    }
    if check {
        writeln!(anstream::stderr(), "{file} is out of date: run `cargo xtask generate` and look at what changed")?;
        return Ok(false);
    }
    std::fs::write(room.root.join(file), new)?;
    writeln!(anstream::stdout(), "wrote {file}")?;
    Ok(true)
}

/// The C header.
const HEADER: &str = "harness/include/memtwin.h";
/// What it is made of.
const ABI: &str = "harness/c/src/abi.rs";

fn header(room: &Room) -> Result<String, Box<dyn std::error::Error>> {
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        style: cbindgen::Style::Tag,
        cpp_compat: true,
        include_guard: Some("MEMTWIN_H".to_owned()),
        header: Some(
            "/* What a shared library exports so that memtwin puts it to the test: `memtwin fuzz --library \
             ./libmine.so`. */"
                .to_owned(),
        ),
        autogen_warning: Some(format!("/* Made of {ABI} by `cargo xtask generate`: change that. */")),
        documentation_style: cbindgen::DocumentationStyle::C,
        usize_is_size_t: true,
        sys_includes: ["stdbool.h", "stddef.h", "stdint.h"].map(str::to_owned).into(),
        no_includes: true,
        ..cbindgen::Config::default()
    };
    let config = cbindgen::Config {
        export: cbindgen::ExportConfig {
            include: ["memtwin_guest_memory"].map(str::to_owned).into(),
            ..cbindgen::ExportConfig::default()
        },
        ..config
    };
    let bindings = cbindgen::Builder::new().with_config(config).with_src(room.root.join(ABI)).generate()?;
    let mut text = Vec::new();
    bindings.write(&mut text);
    Ok(String::from_utf8(text)?)
}

/// The text with what lies between the marks of this name replaced; `None` without such marks.
fn replaced(old: &str, name: &str, text: &str) -> Option<String> {
    let begin = format!("<!-- generated: {name} -->\n");
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = old.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}{text}{end}{after}"))
}

fn components(registry: &Registry) -> Result<String, std::fmt::Error> {
    let mut text = String::from("| Component | What it is | State |\n| --- | --- | --- |\n");
    for &(name, what) in COMPONENTS {
        let of_component = || registry.targets().filter(move |target| target.dialect().name() == name);
        let state = match registry.dialect(name) {
            None => "to follow".to_owned(),
            Some(dialect) => {
                let sound: Vec<_> = of_component().filter(|target| target.is_sound()).map(Target::subject).collect();
                let broken = of_component().count() - sound.len();
                format!(
                    "{} laws, {} kinds of ops; sound: `{}`; {broken} broken subjects, all caught",
                    dialect.laws().len(),
                    dialect.op_kinds().len(),
                    sound.join("`, `")
                )
            }
        };
        writeln!(text, "| `{name}` | {what} | {state} |")?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_changes() {
        let old = "a\n<!-- generated: x -->\nold\n<!-- end of x -->\nb\n";
        let new = "a\n<!-- generated: x -->\nnew\n<!-- end of x -->\nb\n";
        assert_eq!(replaced(old, "x", "new\n").as_deref(), Some(new));
        assert_eq!(replaced(old, "y", "new\n"), None);
    }

    #[test]
    fn every_component_of_the_registry_has_its_row() {
        for dialect in memtwin::built_in().dialects() {
            assert!(COMPONENTS.iter().any(|(name, _)| *name == dialect.name()), "{}", dialect.name());
        }
    }
}
