use serde::{Deserialize, Serialize};

/// Header with the feed's name.
pub const HEADER_FEED: &str = "hivecast.feed";
/// Header with the load_date, `YYYY-MM-DD`.
pub const HEADER_LOAD_DATE: &str = "hivecast.load_date";
/// Header with the edition's id.
pub const HEADER_EDITION: &str = "hivecast.edition";
/// Header with the record's [`Operation`].
pub const HEADER_OP: &str = "hivecast.op";

/// What a record does to its key, as the header `hivecast.op` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// The whole document, whatever was there before.
    Upsert,
    /// The key is gone: a tombstone.
    Delete,
}

impl Operation {
    /// The header's text.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Upsert => "upsert",
            Operation::Delete => "delete",
        }
    }
}
