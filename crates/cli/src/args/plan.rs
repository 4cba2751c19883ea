//! What may be written behind `hivecast plan`.

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, ValueEnum};
use hivecast_run::format::{bytes, plural};

use super::ResourceArgs;
use super::values::{parse_deadline, parse_duration, parse_price, parse_size, parse_yarn_size, whole};
use crate::dates::{DateArg, one_day};

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The day: YYYY-MM-DD, today, yesterday or latest
    #[arg(long, value_name = "DATE", default_value = "latest", value_parser = one_day)]
    pub(crate) load_date: DateArg,

    #[command(flatten)]
    pub(crate) resources: ResourceArgs,

    /// The memory of the machine that will run Hivecast [default: this one's]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) machine_memory: Option<u64>,

    /// What the run is for
    #[arg(long = "for", value_name = "COMMAND", value_enum, default_value_t = PlanFor::Publish)]
    pub(crate) purpose: PlanFor,

    /// The wall time that the whole run may take (90s, 30m, 1.5h)
    #[arg(long, value_name = "TIME", value_parser = parse_deadline)]
    pub(crate) deadline: Option<Duration>,

    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,

    /// Build 1 to 8 % of the keys with the environment's engine first, up to 32 % where that is quick, for 10
    /// minutes at most, and measure
    #[arg(long, conflicts_with_all = ["quick", "facts"])]
    pub(crate) calibrate: bool,

    /// What --calibrate runs in processes of their own: one share of the keys, in percent
    #[arg(long, hide = true, value_name = "PERCENT", value_parser = whole::<u32>(1, 100))]
    pub(crate) calibrate_share: Option<u32>,

    /// … for so long at most
    #[arg(long, hide = true, value_name = "TIME", default_value = "10m", value_parser = parse_duration)]
    pub(crate) calibrate_for: Duration,

    /// Read no rows: footers and statistics alone. Rows that `where` leaves, and large keys, are then guessed
    #[arg(long)]
    pub(crate) quick: bool,

    /// Explain one number or setting by its name or a part of it that no other has: "peak memory", --threads,
    /// with --nodes spark.executor.memory too
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(crate) why: Option<String>,

    /// Show what was foretold of the last runs, beside what was measured
    #[arg(long, conflicts_with_all = ["calibrate", "why", "write", "page"])]
    pub(crate) history: bool,

    /// Write spark.conf and spark-submit.sh into this directory
    #[arg(long, value_name = "DIR", requires = "nodes")]
    pub(crate) write: Option<PathBuf>,

    /// Write the answer as a page with a chart
    #[arg(long, value_name = "FILE")]
    pub(crate) page: Option<PathBuf>,

    /// Take what is known of the day from this file, as --save-facts wrote it; no project is needed
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "load_date"])]
    pub(crate) facts: Option<PathBuf>,

    /// Write what is known of the day into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) save_facts: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFor {
    Build,
    Publish,
}

/// A Spark cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "The Spark cluster")]
pub(crate) struct ClusterArgs {
    /// Its nodes
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 100_000), requires_all = ["node_cores", "node_memory"])]
    pub(crate) nodes: Option<u32>,

    /// Cores of a node
    #[arg(long, value_name = "N", value_parser = whole::<u32>(1, 4096), requires = "nodes")]
    pub(crate) node_cores: Option<u32>,

    /// Memory of a node, such as 64GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "nodes")]
    pub(crate) node_memory: Option<u64>,

    /// Cores of a node that are not Spark's, but its daemons' [default: 1]
    #[arg(long, value_name = "N", value_parser = whole::<u32>(0, 4096), requires = "nodes")]
    pub(crate) reserved_cores: Option<u32>,

    /// Memory of a node that is not Spark's [default: an eighth, at least 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size, requires = "nodes")]
    pub(crate) reserved_memory: Option<u64>,

    /// Who hands out the machines
    #[arg(long, value_enum, default_value_t = ManagerArg::Yarn, requires = "nodes")]
    pub(crate) manager: ManagerArg,

    /// What YARN rounds containers up to: yarn.scheduler.minimum-allocation-mb, or the FairScheduler's increment
    #[arg(long, value_name = "SIZE", value_parser = parse_yarn_size, default_value = "1GiB", requires = "nodes")]
    pub(crate) yarn_increment: u64,

    /// The largest container that YARN hands out: yarn.scheduler.maximum-allocation-mb [default: any]
    #[arg(long, value_name = "SIZE", value_parser = parse_yarn_size, requires = "nodes")]
    pub(crate) yarn_maximum: Option<u64>,

    /// Where the driver runs, with the Spark Connect server in it
    #[arg(long, value_enum, default_value_t = DriverOn::Node, requires = "nodes")]
    pub(crate) driver_on: DriverOn,

    /// Executors for as long as the server runs, or as tasks wait for them
    #[arg(long, value_enum, default_value_t = AllocationArg::Fixed, requires = "nodes")]
    pub(crate) allocation: AllocationArg,

    /// What a core with 4 GiB costs by the hour
    #[arg(long, value_name = "MONEY", value_parser = parse_price, default_value_t = 0.05, requires = "nodes")]
    pub(crate) core_price: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ManagerArg {
    Yarn,
    Kubernetes,
    Standalone,
}

impl ManagerArg {
    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ManagerArg::Yarn => "yarn",
            ManagerArg::Kubernetes => "kubernetes",
            ManagerArg::Standalone => "standalone",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DriverOn {
    /// One of the nodes
    Node,
    /// A machine of its own
    Own,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AllocationArg {
    Fixed,
    Dynamic,
}

/// Refuses options of `plan` of which each is right, and which can't be true together.
pub(super) fn refuse_contradictions(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    let Some(plan) = matches.subcommand_matches("plan") else { return Ok(()) };
    match contradiction(plan) {
        None => Ok(()),
        Some(told) => {
            let plan = command.find_subcommand_mut("plan").expect("it was matched");
            Err(plan.error(ErrorKind::ArgumentConflict, told))
        }
    }
}

fn contradiction(plan: &ArgMatches) -> Option<String> {
    let given = |id: &str| plan.value_source(id) == Some(ValueSource::CommandLine);
    let cores = |id: &str| plan.get_one::<u32>(id).copied();
    let size = |id: &str| plan.get_one::<u64>(id).copied();
    let manager = *plan.get_one::<ManagerArg>("manager")?;
    let of_yarn = [("yarn_increment", "--yarn-increment"), ("yarn_maximum", "--yarn-maximum")];
    if let Some((_, option)) = of_yarn.iter().find(|(id, _)| manager != ManagerArg::Yarn && given(id)) {
        return Some(format!("{option} is for --manager yarn, and the manager is {}", manager.name()));
    }
    if let (Some(maximum), Some(increment)) = (size("yarn_maximum"), size("yarn_increment"))
        && maximum < increment
    {
        let [maximum, increment] = [maximum, increment].map(bytes);
        return Some(format!("--yarn-maximum {maximum} is less than --yarn-increment, {increment}"));
    }
    if let (Some(reserved), Some(of)) = (cores("reserved_cores"), cores("node_cores"))
        && reserved >= of
    {
        let of = plural(of.into(), "core");
        return Some(format!("--reserved-cores {reserved} leaves Spark nothing of a node with {of}"));
    }
    if let (Some(reserved), Some(of)) = (size("reserved_memory"), size("node_memory"))
        && reserved >= of
    {
        let [reserved, of] = [reserved, of].map(bytes);
        return Some(format!("--reserved-memory {reserved} leaves Spark nothing of a node with {of}"));
    }
    None
}

#[cfg(test)]
mod tests {
    fn refused(more: &str) -> String {
        let line = format!("hivecast plan --nodes 3 --node-cores 4 --node-memory 8GiB {more}");
        match super::super::parse(line.split_whitespace()) {
            Ok(_) => panic!("{more} is taken"),
            Err(error) => {
                assert_eq!(error.exit_code(), 2, "{more}");
                error.to_string()
            }
        }
    }

    fn taken(more: &str) {
        let line = format!("hivecast plan --nodes 3 --node-cores 4 --node-memory 8GiB {more}");
        assert!(super::super::parse(line.split_whitespace()).is_ok(), "{more}");
    }

    #[test]
    fn nonsense_is_refused_and_names_its_option() {
        for (more, told) in [
            ("--deadline 0s", "--deadline"),
            ("--deadline 99999999999999h", "longer than a year"),
            ("--manager kubernetes --yarn-maximum 8GiB", "--yarn-maximum is for --manager yarn"),
            ("--manager standalone --yarn-increment 1GiB", "the manager is standalone"),
            ("--yarn-maximum 512MiB", "--yarn-maximum 512 MiB is less than --yarn-increment, 1 GiB"),
            ("--yarn-increment 1B", "--yarn-increment"),
            ("--core-price 0", "--core-price"),
            ("--core-price 1e300", "--core-price"),
            ("--core-price $0.05", "a number above 0"),
            ("--reserved-memory 8GiB", "--reserved-memory 8 GiB leaves Spark nothing"),
            ("--reserved-cores 4", "--reserved-cores 4 leaves Spark nothing of a node with 4 cores"),
            ("--reserved-cores two", "from 0 to 4,096"),
            ("--memory 999999TiB", "1PiB is the most"),
            ("--load-date 2026-11-20..2026-11-21", "give one load_date"),
        ] {
            let said = refused(more);
            assert!(said.contains(told) && !said.contains("literal") && !said.contains("digit"), "{said}");
        }
    }

    #[test]
    fn what_is_next_to_nonsense_is_taken() {
        taken(
            "--deadline 3m20s --yarn-maximum 1GiB --core-price 0.001 --reserved-memory 7g --reserved-cores 3",
        );
        taken("--manager kubernetes --why --memory");
        taken("--why --threads --quick");
    }
}
