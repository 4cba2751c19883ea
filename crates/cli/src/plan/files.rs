//! The files that a plan reads and writes.

use std::path::Path;

use hivecast_estimate::spark::files::{CONF_NAME, SUBMIT_NAME, spark_conf, spark_submit};
use hivecast_estimate::{Answer, FACTS_VERSION, Facts};
use hivecast_run::{Fault, Result};

use crate::project::unreadable;

/// Reads what `--save-facts` wrote.
pub(super) fn read_facts(file: &Path) -> Result<Facts> {
    let what = || format!("failed to read the facts {}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| unreadable(what(), error))?;
    let facts: Facts = serde_json::from_str(&text).map_err(|error| {
        Fault::usage(what()).because(error).advise("write it with `hivecast plan --save-facts FILE`")
    })?;
    if facts.version != FACTS_VERSION {
        return Err(Fault::usage(format!(
            "{}: they have version {}, and this program reads version {FACTS_VERSION}",
            what(),
            facts.version
        ))
        .advise("write them again with `hivecast plan --save-facts FILE`"));
    }
    if !facts.is_sound() {
        return Err(Fault::usage(format!(
            "{}: a number in it is negative, infinite, or not between its low and its high end",
            what()
        ))
        .advise("write them again with `hivecast plan --save-facts FILE`"));
    }
    Ok(facts)
}

/// Writes a file, with the directory that it is in.
pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    let failed = |error| Fault::io(format!("failed to write {}", file.display()), error);
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    std::fs::write(file, text).map_err(failed)
}

/// Writes Spark's settings for the shape that was chosen. Fails with `Class::Usage` where there is none.
pub(super) fn write_settings(dir: &Path, answer: &Answer) -> Result<()> {
    let Some(plan) = &answer.cluster else {
        let why = answer.cluster_lacks.as_deref().unwrap_or("no cluster was given");
        return Err(Fault::usage(format!("there are no settings to write: {why}"))
            .advise("describe a larger cluster with --nodes, --node-cores and --node-memory"));
    };
    let shape = &plan.chosen().shape;
    write(&dir.join(CONF_NAME), &spark_conf(shape))?;
    let submit = dir.join(SUBMIT_NAME);
    write(&submit, &spark_submit(shape))?;
    make_executable(&submit)
}

fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const EXECUTABLE: u32 = 0o755;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(EXECUTABLE))
        .map_err(|error| Fault::io(format!("failed to make {} executable", file.display()), error))
}
