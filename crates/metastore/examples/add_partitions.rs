//! Adds partitions to tables, as many exports would: for the benchmark of tables that have many.
//!
//! ```text
//! add_partitions thrift://HOST:PORT DATABASE FILE TABLE...   FILE has a partition's value on each line
//! ```
//! All lie in the table's own directory, where nothing is for them.

use std::error::Error;
use std::fs;

use hivecast_metastore::{Address, Metastore, Partition, Timeouts, User};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, database, file, tables @ ..] = &arguments[..] else {
        return Err("usage: add_partitions thrift://HOST:PORT DATABASE FILE TABLE...".into());
    };
    let hosts = Address::parse_list(address).map_err(|fault| fault.chain())?;
    let metastore =
        Metastore::new(&hosts, Timeouts::default(), User::current()).map_err(|fault| fault.chain())?;
    let values = fs::read_to_string(file)?;
    for name in tables {
        let table = metastore.table(database, name).map_err(|fault| fault.chain())?;
        let table = table.ok_or_else(|| format!("{database}.{name} is not there"))?;
        let root = table.storage.location.as_deref().ok_or("the table has no location")?;
        let partitions: Vec<Partition> =
            values.lines().map(|value| Partition::new(vec![value.to_owned()], root)).collect();
        let added = metastore.add_partitions(&table, &partitions).map_err(|fault| fault.chain())?;
        println!("{database}.{name}: {added} partitions added");
    }
    Ok(())
}
