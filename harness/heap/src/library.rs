//! A malloc library that was never compiled against memtwin: its functions by their names. It is loaded where its first
//! subject is built, which is in a worker, within the sandbox.

use crate::c::Family;
use crate::malloc::Malloc;
use crate::program::Program;
use crate::rationed::Rationed;
use memtwin_models::heap::{Calls, Heap, HeapContract, OpKind, Setup};
use memtwin_models::{AnySubject, Origin, Row, Unsupported};
use memtwin_wild::library;
use std::ffi::{c_int, c_void};
use std::mem::transmute_copy;
use std::path::PathBuf;
use std::ptr::null_mut;
use std::sync::OnceLock;

type Allocate = unsafe extern "C" fn(usize) -> *mut c_void;
type Two = unsafe extern "C" fn(usize, usize) -> *mut c_void;
type Resize = unsafe extern "C" fn(*mut c_void, usize) -> *mut c_void;
type ResizeArray = unsafe extern "C" fn(*mut c_void, usize, usize) -> *mut c_void;
type Free = unsafe extern "C" fn(*mut c_void);
type PosixMemalign = unsafe extern "C" fn(*mut *mut c_void, usize, usize) -> c_int;
type UsableSize = unsafe extern "C" fn(*mut c_void) -> usize;
type Trim = unsafe extern "C" fn(usize) -> c_int;
type Collect = unsafe extern "C" fn(bool);

/// The functions of a malloc library. One that is missing is never called: the contract says so.
#[derive(Debug, Clone, Copy)]
struct Functions {
    malloc: Allocate,
    free: Free,
    calloc: Option<Two>,
    realloc: Option<Resize>,
    reallocarray: Option<ResizeArray>,
    posix_memalign: Option<PosixMemalign>,
    aligned_alloc: Option<Two>,
    memalign: Option<Two>,
    usable_size: Option<UsableSize>,
    trim: Option<Trim>,
    collect: Option<Collect>,
}

/// What a call needs of a library, by the names that libraries give it, and the op kind that it serves.
const NAMES: [(&str, &[&str], Option<OpKind>); 11] = [
    ("malloc", &["malloc"], Some(OpKind::Malloc)),
    ("free", &["free"], Some(OpKind::Free)),
    ("calloc", &["calloc"], Some(OpKind::Calloc)),
    ("realloc", &["realloc"], Some(OpKind::Realloc)),
    ("reallocarray", &["reallocarray"], Some(OpKind::Reallocarray)),
    ("posix_memalign", &["posix_memalign"], Some(OpKind::PosixMemalign)),
    ("aligned_alloc", &["aligned_alloc"], Some(OpKind::AlignedAlloc)),
    ("memalign", &["memalign"], Some(OpKind::Memalign)),
    ("malloc_usable_size", &["malloc_usable_size", "msize", "usable_size"], Some(OpKind::UsableSize)),
    ("malloc_trim", &["malloc_trim"], None),
    ("collect", &["collect"], None),
];

/// A malloc library that was looked at and not loaded.
#[derive(Debug, Clone)]
pub struct Library<'a> {
    /// Where it lies.
    pub path: PathBuf,
    /// What its functions' names begin with; mostly nothing.
    pub prefix: &'a str,
    /// Its dynamic symbols.
    pub symbols: &'a [String],
    /// What it is told to promise.
    pub contract: HeapContract,
}

impl Library<'_> {
    fn symbol(&self, names: &[&str]) -> Option<String> {
        let mut full = names.iter().map(|name| format!("{}{name}", self.prefix));
        full.find(|name| self.symbols.iter().any(|symbol| symbol == name))
    }

    /// The names of the calls that the library does not have.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let absent = NAMES.iter().filter(|(_, names, kind)| kind.is_some() && self.symbol(names).is_none());
        absent.map(|(call, ..)| *call).collect()
    }

    /// The row of the library.
    ///
    /// # Errors
    /// In words, when it is no malloc library.
    pub fn row(&self, origin: Origin) -> Result<Row<Heap>, String> {
        let missing = self.missing();
        if missing.iter().any(|call| ["malloc", "free"].contains(call)) {
            return Err(format!(
                "{} has no {prefix}malloc and {prefix}free: name the prefix of its functions behind a colon",
                self.path.display(),
                prefix = self.prefix
            ));
        }
        let mut contract = self.contract;
        for (_, names, kind) in NAMES {
            if let Some(kind) = kind.filter(|_| self.symbol(names).is_none()) {
                contract.calls = contract.calls.without(Calls::of(&[kind]));
            }
        }
        if self.symbol(&["malloc_trim"]).is_none() && self.symbol(&["collect"]).is_none() {
            contract.calls = contract.calls.without(Calls::of(&[OpKind::Trim]));
        }
        let name: &'static str = Box::leak(origin.file.clone().into_boxed_str());
        let loader: &'static Loader = Box::leak(Box::new(Loader {
            path: self.path.clone(),
            names: NAMES.map(|(_, names, _)| self.symbol(names)),
            functions: OnceLock::new(),
        }));
        let build = move |setup: &Setup| -> Result<Box<dyn AnySubject<Heap>>, Unsupported> {
            let functions = loader.functions()?;
            let family = Rationed::over(Family::with_contract(Loaded(functions), contract), setup);
            Ok(Box::new(Program::with(family, contract, setup)))
        };
        let origin: &'static Origin = Box::leak(Box::new(origin));
        Ok(Row {
            name,
            health: memtwin_models::Health::Sound,
            contract,
            build: Box::leak(Box::new(build)),
            origin: Some(origin),
        })
    }
}

/// Loads a library once.
#[derive(Debug)]
struct Loader {
    path: PathBuf,
    names: [Option<String>; NAMES.len()],
    functions: OnceLock<Result<Functions, Unsupported>>,
}

impl Loader {
    fn functions(&self) -> Result<Functions, Unsupported> {
        *self.functions.get_or_init(|| self.load())
    }

    fn load(&self) -> Result<Functions, Unsupported> {
        let failed = Unsupported("the library cannot be loaded: see the line that its loader wrote");
        let handle = library::open(&self.path).ok_or(failed)?;
        let find =
            |index: usize| -> *mut c_void { self.names[index].as_ref().map_or(null_mut(), |name| handle.symbol(name)) };
        let missing = Unsupported("the library has no malloc and free when it is loaded");
        Ok(Functions {
            // SAFETY: the library calls this function malloc, which is declared so (C17, 7.22.3.4).
            malloc: unsafe { function(find(0)) }.ok_or(missing)?,
            // SAFETY: likewise free.
            free: unsafe { function(find(1)) }.ok_or(missing)?,
            // SAFETY: likewise calloc.
            calloc: unsafe { function(find(2)) },
            // SAFETY: likewise realloc.
            realloc: unsafe { function(find(3)) },
            // SAFETY: likewise reallocarray (man 3 reallocarray).
            reallocarray: unsafe { function(find(4)) },
            // SAFETY: likewise posix_memalign (POSIX).
            posix_memalign: unsafe { function(find(5)) },
            // SAFETY: likewise aligned_alloc.
            aligned_alloc: unsafe { function(find(6)) },
            // SAFETY: likewise memalign (man 3 memalign).
            memalign: unsafe { function(find(7)) },
            // SAFETY: likewise malloc_usable_size (man 3 malloc_usable_size); oneTBB's msize is declared so, too.
            usable_size: unsafe { function(find(8)) },
            // SAFETY: likewise malloc_trim (man 3 malloc_trim).
            trim: unsafe { function(find(9)) },
            // SAFETY: mimalloc's mi_collect takes a bool.
            collect: unsafe { function(find(10)) },
        })
    }
}

/// A function by its address.
///
/// # Safety
/// The address is that of a function of this type, or null.
unsafe fn function<F: Copy>(address: *mut c_void) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: a function pointer has the size of an address; the caller says that its type is right.
    (!address.is_null()).then(|| unsafe { transmute_copy(&address) })
}

/// The loaded library as a malloc family. Calls that it does not have are not made.
#[derive(Debug)]
struct Loaded(Functions);

impl Malloc for Loaded {
    // The row has the real name.
    const NAME: &'static str = "library";

    fn new(_setup: &Setup) -> Result<Self, Unsupported> {
        Err(Unsupported("a library is built by its row"))
    }

    fn reset(&mut self, _setup: &Setup) -> bool {
        true
    }

    #[inline]
    fn malloc(&self, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        unsafe { (self.0.malloc)(size) }.cast()
    }

    #[inline]
    unsafe fn free(&self, block: *mut u8) {
        // SAFETY: the caller says that the block is live.
        unsafe { (self.0.free)(block.cast()) };
    }

    fn calloc(&self, count: usize, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        self.0.calloc.map_or(null_mut(), |calloc| unsafe { calloc(count, size) }.cast())
    }

    unsafe fn realloc(&self, block: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller says that the block is live.
        self.0.realloc.map_or(null_mut(), |realloc| unsafe { realloc(block.cast(), size) }.cast())
    }

    unsafe fn reallocarray(&self, block: *mut u8, count: usize, size: usize) -> *mut u8 {
        let reallocarray = self.0.reallocarray;
        // SAFETY: the caller says that the block is live.
        reallocarray.map_or(null_mut(), |reallocarray| unsafe { reallocarray(block.cast(), count, size) }.cast())
    }

    fn posix_memalign(&self, align: usize, size: usize) -> (*mut u8, i32) {
        let mut block = null_mut();
        let returned = match self.0.posix_memalign {
            // SAFETY: the place for the block is the stack's.
            Some(posix_memalign) => unsafe { posix_memalign(&raw mut block, align, size) },
            None => libc::ENOSYS,
        };
        (block.cast(), returned)
    }

    fn aligned_alloc(&self, align: usize, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        self.0.aligned_alloc.map_or(null_mut(), |aligned_alloc| unsafe { aligned_alloc(align, size) }.cast())
    }

    fn memalign(&self, align: usize, size: usize) -> *mut u8 {
        // SAFETY: any size may be asked for.
        self.0.memalign.map_or(null_mut(), |memalign| unsafe { memalign(align, size) }.cast())
    }

    unsafe fn usable_size(&self, block: *mut u8) -> usize {
        // SAFETY: the caller says that the block is live.
        self.0.usable_size.map_or(0, |usable_size| unsafe { usable_size(block.cast()) })
    }

    /// The memory of the whole process that is resident: of nothing smaller can a library be asked.
    fn held_bytes(&self) -> Option<u64> {
        let text = std::fs::read_to_string("/proc/self/statm").ok()?;
        text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
    }

    fn trim(&self) {
        if let Some(trim) = self.0.trim {
            // SAFETY: it may be called at any time.
            let _ = unsafe { trim(0) };
        }
        if let Some(collect) = self.0.collect {
            // SAFETY: as above.
            unsafe { collect(true) };
        }
    }
}
