//! What the files say of how they came to be.

use hivecast_run::format::{bytes, plural};

use super::super::{Cluster, DriverPlace, Manager, Shape};
use super::{MADE_BY, comment};

/// For what a shape was found. There is no time in it: the same question gives the same files.
#[derive(Clone, Copy)]
pub struct Occasion<'a> {
    /// The program's version.
    pub version: &'a str,
    /// The feed.
    pub feed: &'a str,
    /// The day.
    pub load_date: &'a str,
    /// The options that it was asked with.
    pub asked: &'a str,
    /// The cluster that the shape is for.
    pub cluster: &'a Cluster,
    /// The arithmetic of a setting or a number, by its name, one line each; none where there is none.
    pub arithmetic: &'a dyn Fn(&str) -> Vec<String>,
}

impl Occasion<'_> {
    /// The comment that each file begins with.
    pub(super) fn head(&self, shape: &Shape) -> String {
        let Occasion { version, feed, load_date, asked, cluster, .. } = self;
        let mut text = comment(&format!("{MADE_BY} {version}. Change nothing here: plan again."));
        let mut say = |words: &str| text.push_str(&comment(words));
        say(&format!("Feed {feed}, load_date {load_date}, and days that are no larger."));
        say(&format!("Cluster: {}.", described(cluster)));
        if let Some(room) = shape.manager.application_master() {
            say(&format!(
                "Beside the executors there is room for YARN's application master, as spark.yarn.am.cores and \
                 spark.yarn.am.memory come: {}, {}.",
                plural(room.cores.into(), "core"),
                bytes(room.memory)
            ));
        }
        // Of all nodes together, on spark.local.dir.
        let shuffled = (self.arithmetic)("shuffle");
        shuffled
            .iter()
            .for_each(|told| say(&format!("On the nodes' local disks (spark.local.dir), {told}.")));
        say(&format!("Asked with: {asked}"));
        text
    }
}

fn described(cluster: &Cluster) -> String {
    let Cluster { nodes, node_cores, node_memory, reserved_cores, reserved_memory, manager, driver } =
        cluster;
    let driver = match driver {
        DriverPlace::OwnMachine => "the driver on a machine of its own",
        DriverPlace::OnANode => "the driver on one of them",
    };
    format!(
        "{} of {} and {}, of which each keeps {} and {}; {}; {driver}",
        plural((*nodes).into(), "node"),
        plural((*node_cores).into(), "core"),
        bytes(*node_memory),
        plural((*reserved_cores).into(), "core"),
        bytes(*reserved_memory),
        managed(*manager)
    )
}

fn managed(manager: Manager) -> String {
    match manager {
        Manager::Yarn { increment, maximum, .. } => {
            let most = maximum.map_or_else(String::new, |most| format!(", {} at most", bytes(most)));
            format!("YARN, with containers in steps of {}{most}", bytes(increment))
        }
        Manager::Kubernetes => "Kubernetes".to_owned(),
        Manager::Standalone => "Spark's own manager".to_owned(),
    }
}
