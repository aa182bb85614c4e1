//! Files as they may lie on a machine: nothing of the user's is lost, and nothing makes us wait.

use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & PERMISSION_BITS
}

fn fifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
}

/// The only line that an error has.
fn line(error: &io::Error) -> String {
    let text = error.to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

fn failing(path: impl AsRef<Path>) -> String {
    line(&write_atomically(path.as_ref(), b"new").unwrap_err())
}

#[test]
fn a_file_is_replaced_at_the_end_of_its_links_and_keeps_its_mode() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    std::fs::create_dir(path("far")).unwrap();
    std::fs::write(path("far/file"), "old").unwrap();
    std::fs::set_permissions(path("far/file"), Permissions::from_mode(0o640)).unwrap();
    symlink("far/file", path("near")).unwrap();
    symlink(path("near"), path("nearer")).unwrap();
    write_atomically(&path("nearer"), b"new").unwrap();
    assert_eq!((std::fs::read(path("far/file")).unwrap(), mode(&path("far/file"))), (b"new".to_vec(), 0o640));
    for link in ["near", "nearer"] {
        assert!(std::fs::symlink_metadata(path(link)).unwrap().is_symlink());
    }
    // A link to nothing says where the file is made.
    symlink("deep/er/new", path("dangling")).unwrap();
    write_atomically(&path("dangling"), b"made").unwrap();
    assert_eq!(std::fs::read(path("deep/er/new")).unwrap(), b"made");
    symlink("loop", path("loop")).unwrap();
    assert!(failing(path("loop")).contains("symbolic links"), "{}", failing(path("loop")));
    assert_eq!(names(room.path()), ["dangling", "deep", "far", "loop", "near", "nearer"]);
    assert_eq!(names(&path("far")), ["file"]);
}

#[test]
fn names_that_no_file_can_have_are_one_line_each() {
    let room = tempfile::tempdir().unwrap();
    let file = room.path().join("file");
    std::fs::write(&file, "old").unwrap();
    assert!(failing("").contains("empty"));
    assert!(failing(room.path()).contains("it is a folder"));
    assert!(failing(room.path().join("new/")).contains("the name of a folder"));
    assert!(failing(room.path().join("..")).contains("the name of a folder"));
    assert!(failing(room.path().join("a".repeat(300))).contains("too long"));
    assert!(failing(file.join("below")).contains("ot a directory"));
    assert_eq!((names(room.path()), std::fs::read(&file).unwrap()), (vec!["file".to_owned()], b"old".to_vec()));
}

#[test]
fn what_is_no_regular_file_is_written_through_or_refused() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    fifo(&path("fifo"));
    assert!(failing(path("fifo")).contains("nobody reads"));
    let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path("fifo")).unwrap();
    write_atomically(&path("fifo"), b"new").unwrap();
    let mut read = Vec::new();
    io::Read::read_to_end(&mut { reader }, &mut read).unwrap();
    assert_eq!(read, b"new");
    assert!(std::fs::symlink_metadata(path("fifo")).unwrap().file_type().is_fifo());

    let _listener = UnixListener::bind(path("socket")).unwrap();
    assert!(failing(path("socket")).contains("it is a socket"));
    // A name of /dev/full, which a program without rights cannot make.
    symlink("/dev/full", path("full")).unwrap();
    assert!(failing(path("full")).contains("No space left"));
    symlink("/dev/null", path("null")).unwrap();
    write_atomically(&path("null"), b"new").unwrap();
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
}

#[test]
fn a_pipe_behind_a_descriptor_is_written_through() {
    let (reader, writer) = io::pipe().unwrap();
    let through = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
    write_atomically(Path::new(&through), b"new").unwrap();
    let mut read = [0; 3];
    io::Read::read_exact(&mut { &reader }, &mut read).unwrap();
    assert_eq!(&read, b"new");
    drop(reader);
    assert_eq!(write_atomically(Path::new(&through), b"new").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn a_file_behind_a_descriptor_is_added_to() {
    let room = tempfile::tempdir().unwrap();
    let path = room.path().join("file");
    std::fs::write(&path, "old ").unwrap();
    let file = OpenOptions::new().append(true).open(&path).unwrap();
    let through = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    symlink(&through, room.path().join("link")).unwrap();
    write_atomically(Path::new(&through), b"new").unwrap();
    write_atomically(&room.path().join("link"), b" newer").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"old new newer");
    assert_eq!(file.metadata().unwrap().ino(), std::fs::metadata(&path).unwrap().ino());
}

#[test]
fn only_regular_files_are_read_and_nobody_is_waited_for() {
    let room = tempfile::tempdir().unwrap();
    let path = |name: &str| room.path().join(name);
    fifo(&path("fifo"));
    let _listener = UnixListener::bind(path("socket")).unwrap();
    std::fs::write(path("file"), "bytes").unwrap();
    symlink("file", path("link")).unwrap();
    for (name, what) in [("fifo", "a FIFO"), ("socket", "a socket"), (".", "a folder"), ("/dev/zero", "a device")] {
        assert!(line(&open(&path(name)).unwrap_err()).contains(what), "{name}");
        assert!(!holds(&path(name), b""));
    }
    assert!(open(&path("link")).is_ok());
    let held = |bytes: &[u8]| holds(&path("file"), bytes);
    assert_eq!([b"bytes".as_slice(), b"byte", b"bytes!", b""].map(held), [true, false, false, false]);
}

#[test]
fn only_our_own_unfinished_files_are_swept() {
    let (room, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = |name: &str| room.path().join(name);
    for folder in ["brk_heap", "other", ".memtwin-folder", ".memtwin-Folder"] {
        std::fs::create_dir(path(folder)).unwrap();
    }
    symlink(elsewhere.path(), path("guest_memory")).unwrap();
    symlink(elsewhere.path().join(".memtwin-abc123"), path(".memtwin-linked")).unwrap();
    symlink(elsewhere.path().join(".memtwin-abc123"), path(".memtwin-Linked")).unwrap();
    fifo(&path(".memtwin-fifo12"));
    std::fs::write(elsewhere.path().join(".memtwin-abc123"), "").unwrap();
    let left = [".memtwin-aB3x9Z", "brk_heap/.memtwin-000000"];
    let kept =
        [".memtwin-x", ".memtwin-notours", ".memtwin-a_b-c.", "other/.memtwin-abc123", ".memtwin", "brk_heap/file"];
    for name in left.iter().chain(&kept) {
        std::fs::write(path(name), "").unwrap();
    }
    let written = Unfinished::new(&path("brk_heap")).unwrap();
    sweep(room.path(), ["brk_heap", "guest_memory", "nowhere"]);
    for name in left {
        assert!(!path(name).exists(), "{name}");
    }
    for name in kept {
        assert!(path(name).exists(), "{name}");
    }
    for name in [".memtwin-folder", ".memtwin-Folder", ".memtwin-linked", ".memtwin-Linked", ".memtwin-fifo12"] {
        assert!(std::fs::symlink_metadata(path(name)).is_ok(), "{name}");
    }
    assert!(elsewhere.path().join(".memtwin-abc123").exists());
    assert!(written.path.as_ref().is_some_and(|path| path.exists()), "it is still being written");
    drop(written);
    assert_eq!(std::fs::read_dir(path("brk_heap")).unwrap().count(), 1, "what never became whole is gone");
    sweep(&path("nowhere"), []);
}

/// Many write while another sweeps without end: every file is there, and whole.
#[test]
fn sweeping_beside_writers_loses_nothing() {
    let room = tempfile::tempdir().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sweeper = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                sweep(room.path(), []);
                std::thread::yield_now();
            }
        });
        let write = |writer: usize| {
            let folder = room.path();
            move || {
                (0..300).for_each(|file| write_unsynced(&folder.join(format!("{writer}-{file}")), b"whole").unwrap());
            }
        };
        let writers = [scope.spawn(write(0)), scope.spawn(write(1))];
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        sweeper.join().unwrap();
    });
    let files: BTreeMap<String, Vec<u8>> = names(room.path())
        .into_iter()
        .map(|name| (name.clone(), std::fs::read(room.path().join(name)).unwrap()))
        .collect();
    assert_eq!(files.len(), 600);
    assert!(files.values().all(|bytes| bytes == b"whole"));
}
