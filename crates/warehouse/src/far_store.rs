//! A directory of this machine that passes for a store of another, and says what was opened.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use hivecast_storage::{Atomic, Entry, Existing, Location, ReadAt, Storage, Stores};

use crate::place::Place;

/// How long a file takes to be opened.
const WAY: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(crate) struct FarStore {
    disk: Arc<dyn Storage>,
    root: Location,
    /// Names of files that can't be opened.
    broken: Mutex<Vec<String>>,
    opened: Mutex<Vec<String>>,
    /// Files that are being opened.
    on_the_way: AtomicUsize,
}

impl FarStore {
    pub(crate) fn new(root: &Path) -> Arc<FarStore> {
        let root = Location::local(root).unwrap();
        Arc::new(FarStore {
            disk: Stores::default().of(&root).unwrap(),
            root,
            broken: Mutex::default(),
            opened: Mutex::default(),
            on_the_way: AtomicUsize::new(0),
        })
    }

    pub(crate) fn root(self: &Arc<Self>) -> Place {
        let storage: Arc<dyn Storage> = Arc::<FarStore>::clone(self);
        Place { storage, at: Location::parse("hdfs://far/").unwrap() }
    }

    /// From now on files of these names can't be opened.
    pub(crate) fn lose(&self, names: &[&str]) {
        self.broken.lock().unwrap().extend(names.iter().map(|name| (*name).to_owned()));
    }

    /// The names of the files that were opened since the last time, sorted.
    pub(crate) fn opened(&self) -> Vec<String> {
        let mut names = std::mem::take(&mut *self.opened.lock().unwrap());
        names.sort();
        names
    }

    pub(crate) fn on_the_way(&self) -> usize {
        self.on_the_way.load(Ordering::SeqCst)
    }

    fn here(&self, at: &Location) -> Location {
        self.root.join(at.path().trim_start_matches('/'))
    }
}

impl Storage for FarStore {
    fn list(&self, dir: &Location) -> io::Result<Vec<Entry>> {
        self.disk.list(&self.here(dir))
    }

    fn stat(&self, at: &Location) -> io::Result<Entry> {
        self.disk.stat(&self.here(at))
    }

    fn open(&self, at: &Location) -> io::Result<Arc<dyn ReadAt>> {
        self.on_the_way.fetch_add(1, Ordering::SeqCst);
        sleep(WAY);
        self.on_the_way.fetch_sub(1, Ordering::SeqCst);
        self.opened.lock().unwrap().push(at.name().to_owned());
        if self.broken.lock().unwrap().iter().any(|name| name == at.name()) {
            return Err(io::Error::other(format!("far: no data node has {}", at.name())));
        }
        self.disk.open(&self.here(at))
    }

    fn create_dir(&self, _: &Location) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn put(&self, _: &Path, _: &Location, _: Existing) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rename_dir(&self, _: &Location, _: &Location) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn remove(&self, _: &Location) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn atomic(&self) -> Atomic {
        Atomic::FilesAlone
    }
}
