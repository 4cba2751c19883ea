//! Old exports go from a metastore whose tables lie on HDFS.

use hivecast_metastore::{Partition, Table, TableKind};

use crate::cluster::{Outside, Project, hdfs_as_owner, metastore, says, variable};
use crate::support::DAYS;

const TABLES: [&str; 3] = ["accounts", "parties", "party_address"];
const PRUNE: [&str; 4] = ["prune", "--exports", "--keep", "1"];

/// Three days on HDFS, of which the last is published.
struct OnHdfs {
    project: Project,
    server: &'static str,
    /// The database's directory.
    home: Outside,
}

impl OnHdfs {
    fn new(server: &'static str, test: &str) -> OnHdfs {
        let project = Project::new(&format!("prune_{test}_{server}"));
        let root = format!("{}/{}", variable("HDFS"), project.name);
        let home = Outside::new(&format!("{root}/{}.db", project.name), hdfs_as_owner("022"));
        let warehouse =
            format!("warehouse: {{ metastore: \"{}\" }}", variable(&format!("METASTORE_{server}")));
        project.environment("hive", &warehouse);
        // He may write beside the partitions, and remove nothing from them.
        project.environment("bob", &format!("{warehouse}, hadoop: {{ user: bob }}"));
        for table in TABLES {
            let everybodys = Outside::new(&format!("{}/{table}", home.at), hdfs_as_owner("000"));
            everybodys.storage.create_dir(&everybodys.at).unwrap();
        }
        project.sample("hive", 30, 3, &["--location", &root]);
        let on = OnHdfs { project, server, home };
        on.publish(DAYS[2]);
        on
    }

    fn publish(&self, day: &str) {
        // Both environments send what they have to a topic of their own.
        for env in ["hive", "bob"] {
            self.project.hivecast(env, &["publish", "--load-date", day]).succeeded();
        }
    }

    fn table(&self, table: &str) -> Outside {
        Outside { storage: self.home.storage.clone(), at: self.home.at.join(table) }
    }

    /// The load_dates that the metastore has of a table.
    fn registered(&self, table: &str) -> Vec<String> {
        let metastore = metastore(self.server);
        let table = metastore.table(&self.project.name, table).unwrap().unwrap();
        let mut names = metastore.partition_names(&table).unwrap();
        names.sort();
        names
    }

    /// Registers a partition of a table in a directory of the test's choice.
    fn register(&self, table: &str, day: &str, location: &str) {
        let metastore = metastore(self.server);
        let table = metastore.table(&self.project.name, table).unwrap().unwrap();
        let mut partition = Partition::new(vec![day.to_owned()], location.to_owned());
        partition.storage =
            hivecast_metastore::Storage { location: Some(location.to_owned()), ..table.storage.clone() };
        assert_eq!(metastore.add_partitions(&table, &[partition]).unwrap(), 1);
    }

    /// It is refused, and nothing is removed, not even of other tables.
    fn refused(&self, why: &[&str]) {
        let before = (self.home.tree(), TABLES.map(|table| self.registered(table)));
        let said = self.project.hivecast("hive", &PRUNE).failed(20);
        says(&said, why);
        assert_eq!((self.home.tree(), TABLES.map(|table| self.registered(table))), before);
    }
}

fn names(days: &[&str]) -> Vec<String> {
    days.iter().map(|day| format!("load_date={day}")).collect()
}

fn partitions_go_from_the_metastore_first(server: &'static str) {
    let on = OnHdfs::new(server, "order");
    let before = on.home.tree();
    let dry = on.project.hivecast("hive", &[&PRUNE[..], &["--dry-run"]].concat()).succeeded().stdout;
    says(&dry, &["would remove 6 exports"]);
    assert_eq!(on.home.tree(), before, "--dry-run changes nothing");
    assert_eq!(on.registered("accounts"), names(&DAYS));

    // The name node refuses to remove the files of the first partition.
    let oldest = on.table("accounts").at.join(&format!("load_date={}", DAYS[0]));
    let said = on.project.hivecast("bob", &PRUNE).failed(30);
    says(&said, &["table accounts", DAYS[0], &oldest.to_string(), "Permission denied: user=bob"]);
    assert_eq!(on.registered("accounts"), names(&DAYS[1..]), "no query finds it any more");
    let left = Outside { storage: on.home.storage.clone(), at: oldest };
    assert!(left.names().contains(&"_SUCCESS".to_owned()), "its files are all there");
    assert_eq!(on.registered("parties"), names(&DAYS), "nothing goes after a failure");
    on.project.hivecast("hive", &["check"]).succeeded();

    // Who may finishes it.
    let told = on.project.hivecast("hive", &PRUNE).succeeded().stdout;
    says(
        &told,
        &["removed 6 exports", &format!("accounts {}: {} (left by a run that died)", DAYS[0], left.at)],
    );
    for table in TABLES {
        assert_eq!(on.table(table).names(), names(&DAYS[2..]), "{table}: no files and no markers");
        assert_eq!(on.registered(table), names(&DAYS[2..]), "{table}");
    }
    assert_eq!(on.project.hivecast("hive", &PRUNE).succeeded().stdout, "nothing to remove\n");
    on.project.hivecast("hive", &["publish", "--load-date", DAYS[2]]).succeeded();
}

#[test]
fn partitions_go_from_hive_4_first() {
    partitions_go_from_the_metastore_first("4");
}

#[test]
fn partitions_go_from_hive_3_first() {
    partitions_go_from_the_metastore_first("3");
}

#[test]
fn what_is_published_and_what_is_newer_stays() {
    let on = OnHdfs::new("4", "newest");
    // The topic is put back to the day in the middle.
    on.project.hivecast("hive", &["publish", "--load-date", DAYS[1], "--replace"]).succeeded();
    on.project.hivecast("hive", &["prune", "--exports", "--keep", "1"]).succeeded();
    for table in TABLES {
        assert_eq!(on.registered(table), names(&DAYS[1..]), "{table}");
        assert_eq!(on.table(table).names(), names(&DAYS[1..]), "{table}");
    }
}

#[test]
fn a_directory_that_is_not_the_partitions_own_is_refused() {
    let on = OnHdfs::new("4", "refused");
    let other = "2026-11-01";
    // Of another table, of a place of its own, of another partition, and above one.
    let elsewhere = on.table("parties").at.join("load_date=2026-11-20").to_string();
    on.register("accounts", other, &elsewhere);
    on.refused(&["table accounts", other, &elsewhere, "lies outside of the table's own directory"]);
    let again = |location: &str, why: &str| {
        let metastore = metastore("4");
        let accounts = metastore.table(&on.project.name, "accounts").unwrap().unwrap();
        metastore.drop_partition(&accounts, &[other.to_owned()]).unwrap();
        on.register("accounts", other, location);
        on.refused(&["table accounts", other, location, why]);
    };
    again(&format!("{}-archive/{other}", on.table("accounts").at), "lies outside of");
    again(&on.table("accounts").at.join("load_date=2026-11-22").to_string(), "is another partition's too");
    again(&on.table("accounts").at.join("load_date=2026-11-22/part").to_string(), "lies in one");
    again(&on.table("accounts").at.to_string(), "lies outside of");

    // Of a second table over the same files, as where somebody tries another format of them.
    let metastore = metastore("4");
    let accounts = metastore.table(&on.project.name, "accounts").unwrap().unwrap();
    metastore.drop_partition(&accounts, &[other.to_owned()]).unwrap();
    let mut second = Table::new(&on.project.name, "accounts_again", TableKind::External);
    second.columns = accounts.columns.clone();
    second.storage = accounts.storage.clone();
    metastore.create_table(&second).unwrap();
    on.refused(&[
        "table accounts",
        DAYS[0],
        &format!("shared with table {}.accounts_again", on.project.name),
    ]);
}
