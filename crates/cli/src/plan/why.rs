//! Which number or setting is meant by a name that a person wrote.

use hivecast_estimate::spark::{Cluster, Manager};
use hivecast_estimate::{Answer, Question, answer};
use hivecast_feed::nearest;
use hivecast_run::{Fault, Result};

/// How a cluster is described.
const DESCRIBE: &str = "describe one, such as --nodes 10 --node-cores 16 --node-memory 64GiB";
/// Room for whatever a day needs: its numbers have the names that any cluster's have.
const AMPLE: (u32, u32, u64) = (1000, 64, 1 << 40);

/// The name as the answer has it: whatever its case, without dashes before it, or a part of it that no other has.
pub(super) fn resolve<'a>(asked: &str, question: &Question, answer: &'a Answer) -> Result<&'a str> {
    let mut names = answer.names();
    // One number of several engines has one name.
    names.sort_unstable();
    names.dedup();
    let word = plain(asked);
    if let Some(name) = names.iter().find(|name| plain(name) == word) {
        return Ok(name);
    }
    let of_clusters = of_clusters(question, answer);
    let fitting: Vec<&str> =
        names.iter().copied().filter(|name| !word.is_empty() && plain(name).contains(&word)).collect();
    match fitting.as_slice() {
        [only] => Ok(only),
        [] if of_clusters.iter().any(|name| !word.is_empty() && plain(name).contains(&word)) => {
            Err(no_cluster(asked, answer))
        }
        [] => Err(unknown(asked, &word, &names, &of_clusters)),
        several => Err(Fault::usage(format!("{asked} may be any of {}", several.len()))
            .advise(format!("write one of these: {}", several.join(", ")))),
    }
}

fn plain(name: &str) -> String {
    name.trim().trim_start_matches('-').to_lowercase()
}

/// The names that an answer has with any cluster, and not without.
fn of_clusters(question: &Question, answered: &Answer) -> Vec<String> {
    if answered.cluster.is_some() {
        return Vec::new();
    }
    let (nodes, cores, memory) = AMPLE;
    let ample = Cluster::new(nodes, cores, memory, Manager::YARN);
    let mut facts = question.facts.clone();
    facts.unfit_for_spark = None;
    let with = answer(&Question { cluster: Some(ample), facts, ..question.clone() });
    let without = answered.names();
    with.names().into_iter().filter(|name| !without.contains(name)).map(str::to_owned).collect()
}

fn no_cluster(asked: &str, answer: &Answer) -> Fault {
    let told = format!("{asked} is of a Spark cluster, and");
    match &answer.cluster_lacks {
        Some(lacks) => Fault::usage(format!("{told} none can be planned: {lacks}")).advise(larger(answer)),
        None => Fault::usage(format!("{told} none was described")).advise(DESCRIBE),
    }
}

/// What to do where no cluster can be planned.
pub(super) fn larger(answer: &Answer) -> &'static str {
    match answer.facts.unfit_for_spark {
        Some(_) => "build with the embedded engine; docs/spark.md says what Spark can build",
        None => "describe a larger cluster with --nodes, --node-cores and --node-memory",
    }
}

fn unknown(asked: &str, word: &str, names: &[&str], of_clusters: &[String]) -> Fault {
    let told = Fault::usage(format!("the answer has nothing that is called {asked}"));
    let of_clusters: Vec<&str> = of_clusters.iter().map(String::as_str).collect();
    // `nearest` is of words as they are written; one that is the same but for dashes was found before.
    match nearest(word, names.iter().copied().chain(of_clusters.iter().copied())) {
        Some(near) if of_clusters.contains(&near) => {
            told.advise(format!("did you mean `{near}`? It is of a Spark cluster: {DESCRIBE}"))
        }
        Some(near) => told.advise(format!("did you mean `{near}`?")),
        None => told.advise(format!("there are: {}", names.join(", "))),
    }
}
