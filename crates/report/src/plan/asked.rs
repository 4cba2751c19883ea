//! What was asked, for who has the page and not the command line.

use hivecast_estimate::spark::{Cluster, DriverPlace, Manager};
use hivecast_estimate::{Dynamic, Purpose, Question, Unit};
use hivecast_run::format::{bytes, plural};

use super::html::escape;
use super::words;

/// A list of what the answer holds for.
pub(super) fn asked(question: &Question, made: &str) -> String {
    let (machine, wanted) = (question.machine, question.wanted);
    let run = match question.purpose {
        Purpose::Build => "building the edition alone",
        Purpose::Publish => "building the edition, publishing it and reading it back",
    };
    let threads = plural(machine.threads.into(), "thread");
    let mut items = vec![
        ("run", run.to_owned()),
        ("deadline", wanted.deadline.map_or("none".to_owned(), |limit| Unit::Seconds.show(limit))),
        ("this machine", format!("{threads}, {} of memory", bytes(machine.memory_bytes))),
    ];
    if let Some(of) = &question.cluster {
        items.push(("Spark cluster", cluster(of)));
        let dynamic = match wanted.dynamic {
            Dynamic::Fixed => "as many for as long as the server runs",
            Dynamic::OnDemand => "come and go with the work",
        };
        items.push(("executors", dynamic.to_owned()));
        items.push(("price", format!("{} for a core with 4 GiB and hour", wanted.core_price)));
    }
    items.push(("made", format!("{} UTC", words::moment(made))));
    let items: String =
        items.iter().map(|(what, value)| format!("<dt>{what}</dt><dd>{}</dd>\n", escape(value))).collect();
    format!("<dl class=\"asked\">\n{items}</dl>\n")
}

fn cluster(of: &Cluster) -> String {
    let cores = |number: u32| plural(number.into(), "core");
    let manager = match of.manager {
        Manager::Yarn { minimum, increment, maximum } => {
            let step = if increment == 0 { minimum } else { increment };
            let most = maximum.map_or(String::new(), |most| format!(" up to {}", bytes(most)));
            format!("YARN with containers in steps of {}{most}", bytes(step))
        }
        Manager::Kubernetes => "Kubernetes".to_owned(),
        Manager::Standalone => "Spark's own manager".to_owned(),
    };
    let driver = match of.driver {
        DriverPlace::OwnMachine => "the driver on a machine of its own",
        DriverPlace::OnANode => "the driver on one of the nodes",
    };
    let keeps = if of.nodes == 1 { "which keeps" } else { "of which each keeps" };
    format!(
        "{} of {} and {}, {keeps} {} and {} for itself; {manager}; {driver}",
        plural(of.nodes.into(), "node"),
        cores(of.node_cores),
        bytes(of.node_memory),
        cores(of.reserved_cores),
        bytes(of.reserved_memory)
    )
}
