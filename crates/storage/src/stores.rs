use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hivecast_run::Result;

use crate::hadoop::Hadoop;
use crate::hdfs::Hdfs;
use crate::local::Local;
use crate::s3::S3;
use crate::{Location, Scheme, Storage};

/// See [`Timeouts::connect`].
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// See [`Timeouts::call`].
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How stores are reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The directory of `core-site.xml` and `hdfs-site.xml`; else `HADOOP_CONF_DIR` says.
    pub hadoop_conf_dir: Option<PathBuf>,
    /// Hadoop's properties that those files lack or that differ from them.
    pub hadoop: BTreeMap<String, String>,
    /// Who logs in to HDFS.
    pub hdfs: HdfsLogin,
    /// How long HDFS may take to answer.
    pub hdfs_timeouts: Timeouts,
    /// S3-compatible stores.
    pub s3: S3Settings,
    /// How long they may take to answer.
    pub s3_timeouts: Timeouts,
}

/// How long a store may take to answer before it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until there is a connection; by default 10 s.
    pub connect: Duration,
    /// For one call, such as a list, or 8 MiB of a file; by default 60 s.
    pub call: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts { connect: CONNECT_TIMEOUT, call: CALL_TIMEOUT }
    }
}

/// Who logs in to HDFS. Whether Kerberos is asked for is Hadoop's own setting,
/// `hadoop.security.authentication`; a principal where it is not asked for is refused. What is none is found
/// as Hadoop's own clients find it: the user of `HADOOP_USER_NAME`, the ticket of `KRB5CCNAME`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HdfsLogin {
    /// The user. With Kerberos, whom the principal stands in for.
    pub user: Option<String>,
    /// The principal. A keytab or a cache needs it.
    pub kerberos_principal: Option<String>,
    /// The keytab's file.
    pub kerberos_keytab: Option<PathBuf>,
    /// The ticket cache, as `FILE:/path`.
    pub kerberos_cache: Option<String>,
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
    hadoop: OnceLock<Hadoop>,
    open: Mutex<BTreeMap<(Scheme, String), Arc<dyn Storage>>>,
}

impl Stores {
    /// Nothing is connected yet.
    pub fn new(settings: Settings) -> Stores {
        Stores { settings, hadoop: OnceLock::new(), open: Mutex::default() }
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
            Scheme::Hdfs => Arc::new(Hdfs::open(location, self.hadoop()?, &self.settings)?),
            Scheme::S3 => Arc::new(S3::open(location, &self.settings)?),
        };
        open.insert(key, Arc::clone(&storage));
        Ok(storage)
    }

    fn hadoop(&self) -> Result<&Hadoop> {
        if let Some(hadoop) = self.hadoop.get() {
            return Ok(hadoop);
        }
        let hadoop = Hadoop::load(&self.settings)?;
        Ok(self.hadoop.get_or_init(|| hadoop))
    }
}
