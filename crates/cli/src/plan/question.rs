//! The question, out of the command line and what is known.

use hivecast_engine::MEMORY_RULE;
use hivecast_estimate::spark::{Cluster, DriverPlace, Manager};
use hivecast_estimate::{
    Dynamic, EmbeddedRule, Machine, Models, Purpose, Question, ThreadsBy, Wanted, learn,
};
use hivecast_run::{Fault, Result};

use super::Known;
use crate::args::{AllocationArg, ClusterArgs, DriverOn, ManagerArg, PlanArgs, PlanFor};
use crate::machine;

pub(super) fn question(args: &PlanArgs, known: &Known) -> Result<Question> {
    let records = super::learn::records(&known.history);
    Ok(Question {
        facts: known.facts.clone(),
        machine: Machine {
            threads: args.resources.threads.map_or_else(machine::default_threads, usize::from) as u32,
            threads_by: if args.resources.threads.is_some() { ThreadsBy::Asked } else { ThreadsBy::Machine },
            memory_bytes: args.machine_memory.unwrap_or_else(machine::memory),
            spill_free_bytes: known.spill_free_bytes,
            limit_bytes: args.resources.memory,
        },
        rule: rule(),
        cluster: cluster(&args.cluster),
        server: known.server,
        purpose: purpose(args.purpose),
        wanted: Wanted {
            deadline: args.deadline.map(|deadline| deadline.as_secs_f64()),
            core_price: price(args.cluster.core_price)?,
            dynamic: match args.cluster.allocation {
                AllocationArg::Fixed => Dynamic::Fixed,
                AllocationArg::Dynamic => Dynamic::OnDemand,
            },
        },
        models: Models::new(|subject| learn(subject, &records)),
    })
}

/// How the embedded engine divides its memory limit.
pub(super) fn rule() -> EmbeddedRule {
    EmbeddedRule {
        least_bytes: MEMORY_RULE.least_bytes as u64,
        worker_bytes: MEMORY_RULE.worker_bytes as u64,
        rows_share: MEMORY_RULE.rows_share,
        slack: MEMORY_RULE.slack,
        part_divisor: MEMORY_RULE.part_divisor as u64,
    }
}

fn purpose(of: PlanFor) -> Purpose {
    match of {
        PlanFor::Build => Purpose::Build,
        PlanFor::Publish => Purpose::Publish,
    }
}

fn price(price: f64) -> Result<f64> {
    if price.is_finite() && price >= 0.0 {
        return Ok(price);
    }
    Err(Fault::usage(format!("--core-price {price} is no price"))
        .advise("give what a core costs by the hour, such as 0.05"))
}

fn cluster(args: &ClusterArgs) -> Option<Cluster> {
    let (nodes, cores, memory) = (args.nodes?, args.node_cores?, args.node_memory?);
    let manager = match args.manager {
        ManagerArg::Yarn => {
            let (minimum, increment) = (args.yarn_increment, args.yarn_increment);
            Manager::Yarn { minimum, increment, maximum: args.yarn_maximum }
        }
        ManagerArg::Kubernetes => Manager::Kubernetes,
        ManagerArg::Standalone => Manager::Standalone,
    };
    let usual = Cluster::new(nodes, cores, memory, manager);
    Some(Cluster {
        reserved_cores: args.reserved_cores.unwrap_or(usual.reserved_cores),
        reserved_memory: args.reserved_memory.unwrap_or(usual.reserved_memory),
        driver: match args.driver_on {
            DriverOn::Node => DriverPlace::OnANode,
            DriverOn::Own => DriverPlace::OwnMachine,
        },
        ..usual
    })
}
