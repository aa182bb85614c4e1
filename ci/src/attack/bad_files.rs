//! Bad files: each is bad in one way. They are made, not kept: some are larger than a repository should be, and some
//! are no files at all.

use memtwin::drivers::command::{Run, Trouble};
use memtwin::random::Random;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

const HEADER: &str = "{\"memtwin\":1,\"component\":\"guest_memory\",\"setup\":{\"memory_size\":\"0x10000\"}}\n";
const OP: &str = "{\"op\":\"read_bulk\",\"owner\":0,\"address\":\"0x1000\",\"length\":16}\n";
const RUN: &str = "{\"schema\":\"memtwin-run/1\",\"seed\":1,\"subjects\":[],\"totals\":{}}";
/// What a terminal and a CI service would obey, as JSON has it.
const OBEYED: &str = "x\\n::stop-commands::x\\n\\u001b[31m\\u001b]0;t\\u0007\\u009b31m\\u202e";

/// Where they lie, below the root.
const FOLDER: &str = "bad";

/// Makes them below a root; the paths are relative to it. The large ones only if asked for.
pub(super) fn make(root: &Path, large: bool) -> Result<Vec<PathBuf>, Trouble> {
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(folder.join("guest_memory"))?;
    let mut files = texts();
    files.extend(noise());
    if large {
        files.extend(large_texts());
    }
    for (name, bytes) in &files {
        std::fs::write(folder.join(name), bytes)?;
    }
    let mut names: Vec<Vec<u8>> = files.into_iter().map(|(name, _)| name.into_bytes()).collect();
    if large {
        let file = File::create(folder.join("gigabyte.jsonl"))?;
        file.write_all_at(&HEADER.as_bytes()[..60], 0)?;
        file.write_all_at(b"x", (1 << 30) - 1)?;
        names.push(b"gigabyte.jsonl".to_vec());
    }
    names.extend(odd(&folder)?);
    let mut paths: Vec<PathBuf> = names.iter().map(|name| Path::new(FOLDER).join(OsStr::from_bytes(name))).collect();
    paths.extend(["/dev/zero", "/dev/full", "/proc/self/mem", "not-there", ""].map(PathBuf::from));
    Ok(paths)
}

/// Files by name and text.
fn texts() -> Vec<(String, Vec<u8>)> {
    let header = |from: &str, to: &str| HEADER.replacen(from, to, 1);
    let op = |from: &str, to: &str| format!("{HEADER}{}", OP.replacen(from, to, 1));
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    let setup = |text: &str| format!("{{\"memtwin\":1,\"component\":\"guest_memory\",\"setup\":{text}}}\n");
    let named = |fields: &str| header("\"setup\"", &format!("{fields},\"setup\"")) + OP;
    let run = |field: &str| RUN.replacen("\"totals\"", &format!("{field},\"totals\""), 1);
    let texts = [
        ("empty", String::new()),
        ("empty.jsonl", String::new()),
        ("line-feed.jsonl", "\n".to_owned()),
        ("cut-header.jsonl", HEADER[..40].to_owned()),
        ("cut-op.jsonl", HEADER.to_owned() + &OP[..30]),
        ("version-0.jsonl", header(":1,", ":0,")),
        ("version-3.jsonl", header(":1,", ":3,")),
        ("version-huge.jsonl", header(":1,", ":99999999999999999999,")),
        ("version-negative.jsonl", header(":1,", ":-1,")),
        ("version-float.jsonl", header(":1,", ":1.0,")),
        ("version-text.jsonl", header(":1,", ":\"1\",")),
        ("deep-list.jsonl", setup(&deep("[", "]"))),
        ("deep-object.jsonl", setup(&deep("{\"a\":", "}"))),
        ("doubled-key.jsonl", header("\"setup\"", "\"component\":\"brk_heap\",\"setup\"")),
        ("doubled-operand.jsonl", op("\"owner\":0", "\"owner\":0,\"owner\":1")),
        ("huge-address.jsonl", op("0x1000", &format!("0x{}", "f".repeat(100)))),
        ("huge-length.jsonl", op(":16", ":18446744073709551616")),
        ("long-length.jsonl", op(":16", ":4294967295")),
        ("negative-length.jsonl", op(":16", ":-1")),
        ("float-length.jsonl", op(":16", ":1e309")),
        ("no-number.jsonl", op(":16", ":NaN")),
        ("huge-memory.jsonl", header("0x10000", "0xffffffffffffffff") + OP),
        ("no-memory.jsonl", header("0x10000", "0x0") + OP),
        ("unknown-field.jsonl", header("\"setup\"", "\"extra\":1,\"setup\"")),
        ("unknown-op.jsonl", HEADER.to_owned() + "{\"op\":\"rm -rf\"}\n"),
        ("unknown-operand.jsonl", op("\"owner\"", "\"x\":1,\"owner\"")),
        ("unknown-component.jsonl", header("guest_memory", "../../etc")),
        ("unknown-subject.jsonl", named("\"subject\":\"../../../x\"")),
        ("surrogate.jsonl", header("guest_memory", "\\ud800")),
        ("nul-name.jsonl", header("guest_memory", "guest\\u0000memory")),
        ("obeyed-component.jsonl", header("guest_memory", OBEYED)),
        ("obeyed-subject.jsonl", named(&format!("\"subject\":\"{OBEYED}\""))),
        ("obeyed-expect.jsonl", named(&format!("\"subject\":\"GM-01\",\"expect\":\"{OBEYED}\""))),
        ("obeyed-story.jsonl", named(&format!("\"subject\":\"GM-01\",\"story\":\"*/ {OBEYED}\""))),
        ("obeyed-field.jsonl", header("\"setup\"", &format!("\"{OBEYED}\":1,\"setup\""))),
        ("obeyed-op.jsonl", format!("{HEADER}{{\"op\":\"{OBEYED}\"}}\n")),
        ("long-header.jsonl", named(&format!("\"story\":\"{}\"", "x".repeat(1 << 20)))),
        ("line-ends.jsonl", (HEADER.to_owned() + OP).replace('\n', "\r\n")),
        ("byte-order.jsonl", format!("\u{feff}{HEADER}{OP}")),
        ("markup.jsonl", named("\"story\":\"<script>alert(1)</script>]]>--><!--\",\"expect\":\"<img src=x>\"")),
        ("many-ops.jsonl", HEADER.to_owned() + &OP.repeat(20_000)),
        ("nothing.json", "{}".to_owned()),
        ("list.json", "[]".to_owned()),
        ("null.json", "null".to_owned()),
        ("number.json", "1e999".to_owned()),
        ("no-subjects.json", RUN.to_owned()),
        ("cut-run.json", RUN[..30].to_owned()),
        ("other-schema.json", RUN.replacen("run/1", "run/2", 1)),
        ("obeyed-schema.json", RUN.replacen("memtwin-run/1", OBEYED, 1)),
        ("deep-run.json", run(&format!("\"x\":{}", deep("[", "]")))),
        ("obeyed-subject.json", RUN.replacen("[]", &format!("[{}]", subject(OBEYED)), 1)),
        ("markup-subject.json", RUN.replacen("[]", &format!("[{}]", subject("</script><script>")), 1)),
        ("many-subjects.json", RUN.replacen("[]", &format!("[{}]", vec![subject("s"); 2_000].join(",")), 1)),
    ];
    texts.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect()
}

/// A subject of a run file with this text in every field that takes one.
fn subject(text: &str) -> String {
    format!(
        "{{\"component\":\"{text}\",\"subject\":\"{text}\",\"health\":\"sound\",\"defect\":null,\"verdict\":\"\
         diverged\",\"traces\":1,\"ops\":1,\"moot\":0,\"unsupported\":0,\"unconfirmed\":0,\"seconds\":1.0,\"features\"\
         :1,\"outcomes\":{{\"{text}\":{{\"{text}\":1}}}},\"shortfalls\":[\"{text}\"],\"findings\":[{{\"signature\":\"\
         {text}\",\"kind\":\"divergence\",\"law\":\"{text}\",\"step\":0,\"op\":\"{text}\",\"trace\":\"{text}\",\"\
         executions\":1,\"seconds\":0.5}}],\"growth\":[]}}"
    )
}

/// Files of bytes that are no text.
fn noise() -> Vec<(String, Vec<u8>)> {
    let mut random = Random::new(1);
    let mut bytes = |count: usize| (0..count).map(|_| random.bits().to_le_bytes()[0]).collect::<Vec<u8>>();
    let (noise, more) = (bytes(5_000), bytes(3_000));
    vec![
        ("noise".to_owned(), noise.clone()),
        ("noise.json".to_owned(), noise.clone()),
        ("guest_memory/noise".to_owned(), noise.clone()),
        ("guest_memory/noise.jsonl".to_owned(), noise),
        ("begins-well.jsonl".to_owned(), [b"{\"memtwin\":", more.as_slice()].concat()),
        ("nul.jsonl".to_owned(), [HEADER.as_bytes(), b"\0\0\0\n"].concat()),
        ("no-text.jsonl".to_owned(), [HEADER.as_bytes(), b"\xff\xfe\n"].concat()),
        ("no-text-header.jsonl".to_owned(), [&HEADER.as_bytes()[..30], b"\xff", &HEADER.as_bytes()[30..]].concat()),
    ]
}

/// Files near and above what is read.
fn large_texts() -> Vec<(String, Vec<u8>)> {
    let begin = &HEADER[..HEADER.len() - 3].replacen("{\"memory_size\":\"0x10000\"", "", 1);
    let whole = |text: String| format!("{begin}{text}}}\n").into_bytes();
    vec![
        ("long-line.jsonl".to_owned(), whole(format!("\"{}\"", "a".repeat(60 << 20)))),
        ("long-list.jsonl".to_owned(), whole(format!("[{}[]]", "[],".repeat(20 << 20)))),
        ("line-feeds.jsonl".to_owned(), [HEADER.as_bytes(), &vec![b'\n'; 60 << 20]].concat()),
        ("too-many-ops.jsonl".to_owned(), (HEADER.to_owned() + &OP.repeat(150_000)).into_bytes()),
        ("dumps".to_owned(), [&[1, 0, 0x80, 0x80, 0x40][..], &vec![0xf4; (1 << 20) - 6]].concat()),
        (
            "long-run.json".to_owned(),
            RUN.replacen("[]", &format!("[{}]", vec![subject("s"); 60_000].join(",")), 1).into_bytes(),
        ),
    ]
}

/// What is no regular file, and names that are obeyed where they are printed.
fn odd(folder: &Path) -> Result<Vec<Vec<u8>>, Trouble> {
    for name in ["fifo", "fifo.jsonl"] {
        Run::new(folder, "mkfifo", [name]).quietly()?;
    }
    // The socket stays when its listener is gone.
    drop(UnixListener::bind(folder.join("socket"))?);
    for (name, target) in [("loop-1", "loop-2"), ("loop-2", "loop-1"), ("dangling", "nowhere/x"), ("up", "..")] {
        symlink(target, folder.join(name))?;
    }
    std::fs::create_dir(folder.join("folder"))?;
    let unreadable = File::create(folder.join("unreadable.jsonl"))?;
    (&unreadable).write_all(HEADER.as_bytes())?;
    unreadable.set_permissions(std::fs::Permissions::from_mode(0o0))?;
    let mut names: Vec<Vec<u8>> =
        ["fifo", "fifo.jsonl", "socket", "loop-1", "dangling", "folder", "unreadable.jsonl"].map(Into::into).into();
    for name in
        [&b"n\n::stop-commands::x\x1b[31m\x1b]0;t\x07.jsonl"[..], b"inv\xff\xfe.jsonl", b"turn\xe2\x80\xae.jsonl"]
    {
        std::fs::write(folder.join(OsStr::from_bytes(name)), format!("{HEADER}{}", &OP[..20]))?;
        names.push(name.to_vec());
    }
    Ok(names)
}
