//! What the recorder wrote: the facts of a recording, and its calls one by one. The recorded program could write into
//! the file, so nothing in it is believed. Does not change the file.

use memtwin_recording::{
    BREACH_WORDS, BREACHES_AT_WORD, Breach, Field, HEADER_BYTES, MAGIC, MOST_BREACHES, RECORD_BYTES, Record, VERSION,
};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The recording of one program.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    /// The program's name.
    pub name: String,
    /// Its process.
    pub process: u64,
    /// When it began, in nanoseconds of the monotonic clock.
    pub started: u64,
    /// How many calls are recorded.
    pub calls: u64,
    /// Calls that came when the file, or the disk, was full.
    pub calls_lost: u64,
    /// Blocks that the recorder could not know, and those whose size was changed and that it never saw asked for.
    pub blocks_lost: u64,
    /// How often the allocator broke a law.
    pub breach_count: u64,
    /// The first of these.
    pub breaches: Vec<Breach>,
}

fn word(bytes: &[u8], index: usize) -> u64 {
    bytes.get(8 * index..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word))
}

fn record(bytes: &[u8; RECORD_BYTES]) -> Option<Record> {
    Record::from_words(std::array::from_fn(|index| word(bytes, index)))
}

impl Recording {
    /// Looks at a file of the recorder; `None` where it is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER_BYTES];
        let mut file = File::open(path)?;
        if let Err(error) = file.read_exact(&mut header) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let field = |field: Field| word(&header, field as usize);
        if field(Field::Magic) != MAGIC || field(Field::Version) != VERSION {
            return Ok(None);
        }
        let name: Vec<u8> =
            [Field::Name, Field::NameEnd].into_iter().flat_map(|part| field(part).to_le_bytes()).collect();
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        let breach_count = field(Field::Breaches);
        let noted = usize::try_from(breach_count).unwrap_or(MOST_BREACHES).min(MOST_BREACHES);
        let breach = |index: usize| {
            let at = BREACHES_AT_WORD + index * BREACH_WORDS;
            Breach::from_words(std::array::from_fn(|part| word(&header, at + part)))
        };
        let mut recording = Recording {
            path: path.to_owned(),
            name: String::from_utf8_lossy(&name[..end]).into_owned(),
            process: field(Field::Process),
            started: field(Field::Started),
            calls: 0,
            calls_lost: field(Field::CallsLost),
            blocks_lost: field(Field::BlocksLost),
            breach_count,
            breaches: (0..noted).filter_map(breach).collect(),
        };
        recording.calls = recording.records()?.count() as u64;
        Ok(Some(recording))
    }

    /// The calls, in order.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn records(&self) -> io::Result<impl Iterator<Item = Record> + use<>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(HEADER_BYTES as u64))?;
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let mut bytes = [0; RECORD_BYTES];
        Ok(std::iter::from_fn(move || {
            reader.read_exact(&mut bytes).ok()?;
            record(&bytes)
        }))
    }
}
