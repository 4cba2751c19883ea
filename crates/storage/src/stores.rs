use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hivecast_run::{Fault, Result};

use crate::local::Local;
use crate::{Location, Scheme, Storage};

/// How stores are reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The directory of `core-site.xml` and `hdfs-site.xml`; else `HADOOP_CONF_DIR` says.
    pub hadoop_conf_dir: Option<PathBuf>,
    /// Hadoop's properties that those files lack or that differ from them.
    pub hadoop: BTreeMap<String, String>,
    /// S3-compatible stores.
    pub s3: S3Settings,
}

/// How S3-compatible stores are reached. What is none is taken from the environment, as AWS's own
/// tools do (`AWS_ACCESS_KEY_ID`, `AWS_REGION`, web identity, the machine's role).
#[derive(Clone, Default)]
pub struct S3Settings {
    /// The store's address; none is Amazon's.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The access key's name.
    pub access_key_id: Option<String>,
    /// The access key.
    pub secret_access_key: Option<String>,
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Settings")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// The stores that a run uses, each opened once.
#[derive(Debug, Default)]
pub struct Stores {
    settings: Settings,
    open: Mutex<BTreeMap<(Scheme, String), Arc<dyn Storage>>>,
}

impl Stores {
    /// Nothing is connected yet.
    pub fn new(settings: Settings) -> Stores {
        Stores { settings, open: Mutex::default() }
    }

    /// The store that the location lies in. `Class::Usage` where it can't be one, such as a name
    /// service that no configuration has. Nothing is connected yet.
    pub fn of(&self, location: &Location) -> Result<Arc<dyn Storage>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (location.scheme(), location.authority().to_owned());
        if let Some(storage) = open.get(&key) {
            return Ok(Arc::clone(storage));
        }
        let storage: Arc<dyn Storage> = match location.scheme() {
            Scheme::File => Arc::new(Local),
            Scheme::Hdfs | Scheme::S3 => {
                return Err(Fault::usage(format!("{location}: not yet")));
            }
        };
        let _ = &self.settings;
        open.insert(key, Arc::clone(&storage));
        Ok(storage)
    }
}
