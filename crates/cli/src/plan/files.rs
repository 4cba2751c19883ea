//! The files that a plan writes.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hivecast_estimate::spark::Cluster;
use hivecast_estimate::spark::files::{CONF_NAME, MADE_BY, Occasion, SUBMIT_NAME, spark_conf, spark_submit};
use hivecast_estimate::{Answer, Chosen, Question};
use hivecast_report::plan_page;
use hivecast_run::{Clock, Context, Fault, Result};

use super::why;
use crate::args::{AllocationArg, DriverOn, PlanArgs, PlanFor};
use crate::failure::json_line;
use crate::history::rfc3339;
use crate::run::CLOCK;

/// What every page begins with, whoever made it.
const DOCTYPE: &str = "<!DOCTYPE html>\n";
/// So much of a file is looked at to see who made it.
const LOOK_BYTES: u64 = 4096;
/// Fields that only facts have together.
const FACTS_FIELDS: [&str; 3] = ["\"version\"", "\"feed\"", "\"load_date\""];

/// Refuses to write over files that are somebody else's, before anything else is done.
pub(super) fn refuse_foreign(args: &PlanArgs) -> Result<()> {
    let mut seen: Vec<PathBuf> = Vec::new();
    for (path, is_ours) in targets(args) {
        if seen.contains(&path) {
            return Err(Fault::usage(format!("two results can't be written to {}", path.display()))
                .advise("name a file for each"));
        }
        if let Some(fault) = no_place(&path) {
            return Err(fault);
        }
        if !is_free(&path, is_ours)? {
            return Err(Fault::usage(format!(
                "{} is there already, and `hivecast plan` did not write it",
                path.display()
            ))
            .advise("remove it, or name another place"));
        }
        seen.push(path);
    }
    Ok(())
}

/// Whether a file that begins so was written by `plan`.
type IsOurs = fn(&str) -> bool;

/// Every file that is to be written, and how one of ours is known.
fn targets(args: &PlanArgs) -> Vec<(PathBuf, IsOurs)> {
    let mut targets: Vec<(PathBuf, IsOurs)> = Vec::new();
    targets.extend(args.save_facts.clone().map(|file| (file, are_facts as IsOurs)));
    targets.extend(args.page.clone().map(|file| (file, is_marked as IsOurs)));
    for name in [CONF_NAME, SUBMIT_NAME] {
        targets.extend(args.write.as_ref().map(|dir| (dir.join(name), is_marked as IsOurs)));
    }
    targets
}

/// The first line, or in a script and a page the second, has the mark.
fn is_marked(start: &str) -> bool {
    start.lines().take(2).any(|line| line.trim_start_matches(['#', '<', '!', '-', ' ']).starts_with(MADE_BY))
}

fn are_facts(start: &str) -> bool {
    start.starts_with('{') && FACTS_FIELDS.iter().all(|field| start.contains(field))
}

/// Whether nothing is lost by writing there: no file, an empty one, or one of ours. What is no file, a pipe for one,
/// loses nothing either.
fn is_free(path: &Path, is_ours: IsOurs) -> Result<bool> {
    let what = || format!("failed to look at {}", path.display());
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() && found.len() > 0 => {}
        // Whatever is wrong with it is told where it is written.
        _ => return Ok(true),
    }
    let file = std::fs::File::open(path).map_err(|error| Fault::io(what(), error))?;
    let mut start = Vec::new();
    file.take(LOOK_BYTES).read_to_end(&mut start).map_err(|error| Fault::io(what(), error))?;
    Ok(is_ours(&String::from_utf8_lossy(&start)))
}

/// Writes what is asked for, and says what was written.
pub(super) fn write_all(
    args: &PlanArgs,
    question: &Question,
    answer: &Answer,
    context: &Context<'_>,
) -> Result<()> {
    if let Some(file) = &args.save_facts {
        write(file, &json_line(&answer.facts))?;
        context.info(format!("wrote what is known of the day to {}", file.display()));
    }
    if let Some(file) = &args.page {
        write(file, &marked_page(question, answer))?;
        context.info(format!("wrote the page to {}", file.display()));
    }
    if let Some(dir) = &args.write {
        write_settings(dir, args, question, answer)?;
        let [conf, submit] = [CONF_NAME, SUBMIT_NAME].map(|name| dir.join(name));
        let though = match answer.choice.engine {
            Chosen::Spark => "",
            Chosen::Embedded | Chosen::Neither => ", although the answer is not to use that cluster",
        };
        context.info(format!(
            "wrote Spark's settings to {} and {}{though}",
            conf.display(),
            submit.display()
        ));
    }
    Ok(())
}

fn marked_page(question: &Question, answer: &Answer) -> String {
    let page = plan_page(answer, question, &rfc3339(CLOCK.now_ms()));
    let rest = page.strip_prefix(DOCTYPE).unwrap_or(&page);
    format!("{DOCTYPE}<!-- {MADE_BY} {} -->\n{rest}", env!("CARGO_PKG_VERSION"))
}

/// Writes a file, with the directory that it is in.
fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).map_err(|error| unwritable(file, error))?;
    }
    std::fs::write(file, text).map_err(|error| unwritable(file, error))
}

/// Why no file can be there, where none can: a mistake that no repetition mends.
fn no_place(file: &Path) -> Option<Fault> {
    let what = format!("failed to write {}", file.display());
    if file.is_dir() {
        return Some(Fault::usage(format!("{what}: it is a directory")).advise("name a file in it"));
    }
    let in_the_way = file.ancestors().skip(1).find(|above| above.exists() && !above.is_dir())?;
    Some(
        Fault::usage(format!("{what}: {} is a file, and no directory", in_the_way.display()))
            .advise("name a place in a directory"),
    )
}

fn unwritable(file: &Path, error: std::io::Error) -> Fault {
    let what = format!("failed to write {}", file.display());
    match error.kind() {
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            Fault::usage(what).because(error).advise("name another place")
        }
        ErrorKind::PermissionDenied => {
            Fault::io(what, error).advise("name a place where this user may write, or grant it")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Fault::io(what, error).advise("make room there, or name another place")
        }
        _ => Fault::io(what, error).advise("see what is wrong with that place, or name another one"),
    }
}

/// Writes Spark's settings for the shape that was chosen. Fails with `Class::Usage` where there is none.
fn write_settings(dir: &Path, args: &PlanArgs, question: &Question, answer: &Answer) -> Result<()> {
    let (Some(plan), Some(cluster)) = (&answer.cluster, &question.cluster) else {
        let why = answer.cluster_lacks.as_deref().unwrap_or("no cluster was given");
        return Err(
            Fault::usage(format!("there are no settings to write: {why}")).advise(why::larger(answer))
        );
    };
    let shape = &plan.chosen().shape;
    let asked = asked(args, cluster);
    let arithmetic = |name: &str| -> Vec<String> {
        let lines = answer.why(name).into_iter();
        lines.filter_map(|line| line.strip_prefix("spark: ").map(str::to_owned)).collect()
    };
    let occasion = Occasion {
        version: env!("CARGO_PKG_VERSION"),
        feed: &answer.facts.feed,
        load_date: &answer.facts.load_date,
        asked: &asked,
        cluster,
        arithmetic: &arithmetic,
    };
    write(&dir.join(CONF_NAME), &spark_conf(shape, &occasion))?;
    let submit = dir.join(SUBMIT_NAME);
    write(&submit, &spark_submit(shape, &occasion))?;
    make_executable(&submit)
}

/// The options that decide the settings, as they could be given again: what is not given is as it was reckoned with.
fn asked(args: &PlanArgs, cluster: &Cluster) -> String {
    let mut asked = String::new();
    let mut add = |option: &str, value: String| {
        asked.push_str(&format!("{}{option} {value}", if asked.is_empty() { "" } else { " " }));
    };
    let of = match args.purpose {
        PlanFor::Build => "build",
        PlanFor::Publish => "publish",
    };
    add("--for", of.to_owned());
    if let Some(deadline) = args.deadline {
        add("--deadline", time(deadline));
    }
    if let Some(threads) = args.resources.threads {
        add("--threads", threads.to_string());
    }
    if let Some(memory) = args.resources.memory {
        add("--memory", size(memory));
    }
    if let Some(memory) = args.machine_memory {
        add("--machine-memory", size(memory));
    }
    add("--nodes", cluster.nodes.to_string());
    add("--node-cores", cluster.node_cores.to_string());
    add("--node-memory", size(cluster.node_memory));
    add("--reserved-cores", cluster.reserved_cores.to_string());
    add("--reserved-memory", size(cluster.reserved_memory));
    add("--manager", args.cluster.manager.name().to_owned());
    if args.cluster.manager == crate::args::ManagerArg::Yarn {
        add("--yarn-increment", size(args.cluster.yarn_increment));
        if let Some(most) = args.cluster.yarn_maximum {
            add("--yarn-maximum", size(most));
        }
    }
    let driver = match args.cluster.driver_on {
        DriverOn::Node => "node",
        DriverOn::Own => "own",
    };
    add("--driver-on", driver.to_owned());
    let allocation = match args.cluster.allocation {
        AllocationArg::Fixed => "fixed",
        AllocationArg::Dynamic => "dynamic",
    };
    add("--allocation", allocation.to_owned());
    add("--core-price", args.cluster.core_price.to_string());
    asked
}

/// A time as an option takes it, in the largest unit that it is a whole number of.
fn time(time: Duration) -> String {
    const UNITS: [(&str, u64); 2] = [("h", 3600), ("m", 60)];
    let seconds = (time.subsec_nanos() == 0).then_some(time.as_secs());
    let whole =
        |unit: u64| seconds.filter(|seconds| seconds.is_multiple_of(unit)).map(|seconds| seconds / unit);
    let found = UNITS.into_iter().find_map(|(name, unit)| Some(format!("{}{name}", whole(unit)?)));
    found.unwrap_or_else(|| format!("{}s", time.as_secs_f64()))
}

/// A size as an option takes it, in the largest unit that it is a whole number of.
fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.into_iter().find(|(_, unit)| bytes.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{bytes}B"), |(name, unit)| format!("{}{name}", bytes / unit))
}

fn make_executable(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const EXECUTABLE: u32 = 0o755;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(EXECUTABLE))
        .map_err(|error| Fault::io(format!("failed to make {} executable", file.display()), error))
}
