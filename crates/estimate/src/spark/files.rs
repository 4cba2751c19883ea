//! The files that hand a shape over: executor settings as properties, and a script that starts a Spark Connect
//! server with them and the driver's.

mod occasion;

use hivecast_run::format::plural;

use super::memory::{container, mebibytes};
use super::settings::{Of, Setting, Shape, settings};
use super::{Cluster, DriverPlace, Manager};

pub use occasion::Occasion;

/// The name of the file that [`spark_conf`] renders, which the script looks for beside itself.
pub const CONF_NAME: &str = "spark.conf";
/// The name of the file that [`spark_submit`] renders.
pub const SUBMIT_NAME: &str = "spark-submit.sh";
/// Where a Spark Connect server listens: the default of `spark.connect.grpc.binding.port`.
pub const CONNECT_PORT: u16 = 15002;

/// How the first comment of every file begins that `hivecast plan` writes, by which it knows its own.
pub const MADE_BY: &str = "Made by `hivecast plan`";

/// Columns that comments are kept within.
const WIDTH: usize = 100;
/// What Spark Connect's server is in Spark 4.
const SERVER: &str = "org.apache.spark.sql.connect.service.SparkConnectServer";

/// Executor settings, as `spark-submit --properties-file` reads them. What is left is a comment with the reason.
pub fn spark_conf(shape: &Shape, occasion: &Occasion<'_>) -> String {
    let mut text = occasion.head(shape);
    text.push_str("#\n");
    text.push_str(&comment(
        "Executor settings of a Spark Connect server. spark-submit.sh beside this file starts it.",
    ));
    let line = |setting: &Setting, value: &str| format!("{} {value}\n", setting.name);
    text.push_str(&set_and_left(shape, Of::Executor, occasion, line));
    text
}

/// A POSIX shell script that starts a Spark Connect server: driver settings are in it, executor settings come from
/// the file beside it, and what it is called with goes to `spark-submit` last, so that it wins.
pub fn spark_submit(shape: &Shape, occasion: &Occasion<'_>) -> String {
    let line = |setting: &Setting, value: &str| format!("set -- --conf {}={value} \"$@\"\n", setting.name);
    [
        "#!/bin/sh\n",
        &occasion.head(shape),
        HEAD,
        &manager(shape.manager),
        FIND,
        &set_and_left(shape, Of::Driver, occasion, line),
        &exec(shape, occasion.cluster),
    ]
    .concat()
}

const HEAD: &str = r#"#
# Starts a Spark Connect server with the executor settings in spark.conf beside this file, and stays
# until it is stopped. Options of spark-submit may follow, and win: ./spark-submit.sh --conf a=b
#
# SPARK_HOME                where Spark 4 is; else the spark-submit in PATH is taken
# SPARK_CONNECT_PORT        where the server listens (15002)
# SPARK_CONNECT_TOKEN_FILE  a file with the token that clients have to send, readable by this user
#                           alone; without it everybody who reaches the port may run anything
"#;

const FIND: &str = r#"
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
if [ -n "${SPARK_HOME:-}" ]; then
    submit=$SPARK_HOME/bin/spark-submit
    if [ ! -x "$submit" ]; then
        echo "failed to find $submit: SPARK_HOME has to be where Spark 4 is" >&2
        exit 1
    fi
elif ! submit=$(command -v spark-submit); then
    echo "failed to find spark-submit: set SPARK_HOME, or add Spark's bin to PATH" >&2
    exit 1
fi
if [ ! -r "$here/spark.conf" ]; then
    echo "failed to read $here/spark.conf: it belongs beside this script" >&2
    exit 1
fi
# The token goes through the environment, since anybody on the machine may read arguments.
if [ -n "${SPARK_CONNECT_TOKEN_FILE:-}" ]; then
    SPARK_CONNECT_AUTHENTICATE_TOKEN=$(cat -- "$SPARK_CONNECT_TOKEN_FILE")
    export SPARK_CONNECT_AUTHENTICATE_TOKEN
fi
"#;

/// What differs by manager: the comment on its variables, and the master.
fn manager(manager: Manager) -> String {
    match manager {
        Manager::Yarn { .. } => format!("{YARN}set -eu\n\nmaster=${{SPARK_MASTER:-yarn}}\n"),
        Manager::Kubernetes => format!(
            "{KUBERNETES}set -eu\n\nmaster=${{SPARK_MASTER:-k8s://https://kubernetes.default.svc:443}}\n{IMAGE}"
        ),
        Manager::Standalone => format!("{STANDALONE}set -eu\n{MASTER}"),
    }
}

const YARN: &str = "# SPARK_MASTER              the cluster (yarn)
# HADOOP_CONF_DIR           the directory with the cluster's core-site.xml and yarn-site.xml
";
const KUBERNETES: &str = "# SPARK_MASTER              the cluster (the one that this runs in a pod of)
# SPARK_IMAGE               the executors' image, where the defaults have no
#                           spark.kubernetes.container.image
# SPARK_DRIVER_HOST         the address that executors reach this pod by, such as its IP
";
const STANDALONE: &str =
    "# SPARK_MASTER              the cluster's master, spark://HOST:7077; it has to be set
";

/// Where a standalone master is nobody knows but its admin.
const MASTER: &str = r#"
master=${SPARK_MASTER:-}
if [ -z "$master" ]; then
    echo "failed to find the cluster: set SPARK_MASTER to its master, spark://HOST:7077" >&2
    exit 1
fi
"#;

const IMAGE: &str = r#"if [ -n "${SPARK_IMAGE:-}" ]; then
    set -- --conf "spark.kubernetes.container.image=$SPARK_IMAGE" "$@"
fi
if [ -n "${SPARK_DRIVER_HOST:-}" ]; then
    set -- --conf "spark.driver.host=$SPARK_DRIVER_HOST" "$@"
fi
"#;

/// The settings of one file, each below its reason and its arithmetic; what is left for one reason is told together.
fn set_and_left(
    shape: &Shape,
    of: Of,
    occasion: &Occasion<'_>,
    line: impl Fn(&Setting, &str) -> String,
) -> String {
    let all: Vec<Setting> = settings(shape).into_iter().filter(|setting| setting.of == of).collect();
    let mut text = String::new();
    for alike in all.chunk_by(|one, next| one.value.is_none() && next.value.is_none() && one.why == next.why)
    {
        let setting = &alike[0];
        text.push('\n');
        let Some(value) = &setting.value else {
            text.push_str(&not_set(alike));
            continue;
        };
        text.push_str(&comment(&setting.why));
        (occasion.arithmetic)(&setting.name).iter().for_each(|told| text.push_str(&comment(told)));
        text.push_str(&line(setting, value));
    }
    text
}

/// The driver is the server, so it runs here: client mode. A properties file would keep the cluster's own defaults
/// from being read.
fn exec(shape: &Shape, cluster: &Cluster) -> String {
    format!(
        r#"
# The server is in the driver, which runs where this script does: client mode.
{}# The cluster's own defaults hold for what is not set in spark.conf.
exec "$submit" \
    --master "$master" --deploy-mode client --name "Spark Connect server" \
    --properties-file "$here/{CONF_NAME}" --load-spark-defaults \
    --conf "spark.connect.grpc.binding.port=${{SPARK_CONNECT_PORT:-{CONNECT_PORT}}}" \
    --class {SERVER} \
    "$@" spark-internal
"#,
        comment(&whereabouts(shape, cluster))
    )
}

/// Where the driver was reckoned to be, and what has to be done for that to be true.
fn whereabouts(shape: &Shape, cluster: &Cluster) -> String {
    let driver = &shape.driver;
    let takes = format!(
        "{} and {} MiB",
        plural(driver.cores.into(), "core"),
        mebibytes(container(driver.heap, driver.overhead))
    );
    match (cluster.driver, shape.manager) {
        (DriverPlace::OwnMachine, _) => {
            format!("It was reckoned to be no node of the cluster: a machine with {takes} for it.")
        }
        (DriverPlace::OnANode, Manager::Yarn { .. }) => format!(
            "It was reckoned to be a node of the cluster: start this script on one. YARN does not know of it, so that \
             node's yarn.nodemanager.resource.cpu-vcores and memory-mb have to leave {takes} to it."
        ),
        (DriverPlace::OnANode, Manager::Standalone) => format!(
            "It was reckoned to be a node of the cluster: start this script on one. The master does not know of it, so \
             that node's SPARK_WORKER_CORES and SPARK_WORKER_MEMORY have to leave {takes} to it."
        ),
        (DriverPlace::OnANode, Manager::Kubernetes) => format!(
            "It was reckoned to be on a node of the cluster: start this script in a pod that requests {takes}."
        ),
    }
}

/// Settings that are left for one reason.
fn not_set(alike: &[Setting]) -> String {
    let names: Vec<&str> = alike.iter().map(|setting| setting.name.as_str()).collect();
    let verb = if alike.len() == 1 { "is" } else { "are" };
    comment(&format!("{} {verb} not set. {}", names.join(", "), alike[0].why))
}

/// Lines that start with `#` and are no longer than [`WIDTH`].
fn comment(words: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in words.split_whitespace() {
        if lines.last().is_some_and(|line| line.len() > 1 && line.len() + 1 + word.len() > WIDTH) {
            lines.push(String::from("#"));
        }
        let line = lines.last_mut().expect("there is a first line");
        line.push(' ');
        line.push_str(word);
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests;
