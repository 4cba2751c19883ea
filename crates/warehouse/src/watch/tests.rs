use std::fs;
use std::path::Path;
use std::sync::Arc;

use hivecast_run::{Cancel, FixedClock, Silent};

use super::*;
use crate::directory::Directory;
use crate::far_store::FarStore;

const FEED: &str = "
feed: contracts
topic: mdm.contracts
partitions: 1
tables:
  accounts: { source: mdm.accounts, ready: success_file, format: json, columns: { id: int } }
  parties: { source: mdm.parties, ready: success_file, format: json, columns: { id: int } }
document:
  from: accounts
  key: id
  fields:
    accountId: id
    party: { one: parties, on: id, fields: { partyId: id } }
";
const DAY: &str = "load_date=2026-11-22";

fn write(root: &Path, table: &str, name: &str, text: &str) {
    let dir = root.join("mdm.db").join(table).join(DAY);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), text).unwrap();
}

/// While one table is late, the files of the others are not opened again and again, and those that are the
/// same are opened once.
#[test]
fn a_file_is_opened_once_however_often_it_is_looked_at() {
    let root = tempfile::tempdir().unwrap();
    let (feed, _) = hivecast_feed::parse("feed.yaml", FEED)
        .unwrap_or_else(|found| panic!("{}", found.render(hivecast_feed::Color::Plain)));
    let store = FarStore::new(root.path());
    let warehouse = Warehouse { catalog: Arc::new(Directory { root: store.root() }) };
    let cancel = Cancel::default();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
    let mut watch = warehouse.watch(&feed, "2026-11-22".parse().unwrap());
    let mut look = |opening| watch.look(Telling::OnlyTheDay, opening, context).unwrap();

    write(root.path(), "accounts", "a", "{\"id\":1}\n");
    write(root.path(), "accounts", "_SUCCESS", "");
    assert!(look(Opening::OnceAllAreMarked).is_err());
    assert_eq!(store.opened(), [""; 0], "parties are late");
    assert!(look(Opening::Always).is_err());
    assert!(!store.opened().is_empty(), "what accounts hold may be a mistake that is to be told");
    assert!(look(Opening::OnceAllAreMarked).is_err());
    assert!(look(Opening::Always).is_err());
    assert_eq!(store.opened(), [""; 0], "they are what they were");

    write(root.path(), "parties", "p", "{\"id\":1}\n");
    write(root.path(), "parties", "_SUCCESS", "");
    let inputs = look(Opening::OnceAllAreMarked).unwrap_or_else(|blocked| panic!("{:?}", blocked.reasons()));
    assert_eq!(
        inputs.tables.iter().map(|table| table.table.as_str()).collect::<Vec<_>>(),
        ["accounts", "parties"]
    );
    assert!(store.opened().iter().all(|name| name == "p"));

    write(root.path(), "accounts", "a", "{\"id\":1}\n{\"id\":2}\n");
    let inputs = look(Opening::OnceAllAreMarked).unwrap_or_else(|blocked| panic!("{:?}", blocked.reasons()));
    assert_eq!(inputs.tables[0].files[0].size, 18, "a file that changed is another one");
    assert!(store.opened().iter().all(|name| name == "a"));
}
