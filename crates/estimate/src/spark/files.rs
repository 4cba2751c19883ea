//! The files that hand a shape over: executor settings as properties, and a script that starts a Spark Connect
//! server with them and the driver's.

use super::Manager;
use super::settings::{Of, Setting, Shape, settings};

/// The name of the file that [`spark_conf`] renders, which the script looks for beside itself.
pub const CONF_NAME: &str = "spark.conf";
/// The name of the file that [`spark_submit`] renders.
pub const SUBMIT_NAME: &str = "spark-submit.sh";
/// Where a Spark Connect server listens: the default of `spark.connect.grpc.binding.port`.
pub const CONNECT_PORT: u16 = 15002;

/// Columns that comments are kept within.
const WIDTH: usize = 100;
/// What Spark Connect's server is in Spark 4.
const SERVER: &str = "org.apache.spark.sql.connect.service.SparkConnectServer";

/// Executor settings, as `spark-submit --properties-file` reads them. What is left is a comment with the reason.
pub fn spark_conf(shape: &Shape) -> String {
    let mut text =
        comment("Executor settings of a Spark Connect server. spark-submit.sh beside this file starts it.");
    for setting in settings(shape).iter().filter(|setting| setting.of == Of::Executor) {
        text.push('\n');
        text.push_str(&match &setting.value {
            Some(value) => format!("{}{} {value}\n", comment(&setting.why), setting.name),
            None => not_set(setting),
        });
    }
    text
}

/// A POSIX shell script that starts a Spark Connect server: driver settings are in it, executor settings come from
/// the file beside it, and what it is called with goes to `spark-submit` last, so that it wins.
pub fn spark_submit(shape: &Shape) -> String {
    [HEAD, &manager(shape.manager), FIND, &driver(shape), &exec()].concat()
}

const HEAD: &str = r#"#!/bin/sh
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
    let (variables, master) = match manager {
        Manager::Yarn { .. } => (YARN, "yarn"),
        Manager::Kubernetes => (KUBERNETES, "k8s://https://kubernetes.default.svc:443"),
        Manager::Standalone => (STANDALONE, "spark://localhost:7077"),
    };
    let mut text = format!("{variables}set -eu\n\nmaster=${{SPARK_MASTER:-{master}}}\n");
    if manager == Manager::Kubernetes {
        text.push_str(IMAGE);
    }
    text
}

const YARN: &str = "# SPARK_MASTER              the cluster (yarn)
# HADOOP_CONF_DIR           the directory with the cluster's core-site.xml and yarn-site.xml
";
const KUBERNETES: &str = "# SPARK_MASTER              the cluster (the one that this runs in a pod of)
# SPARK_IMAGE               the executors' image, where the defaults have no
#                           spark.kubernetes.container.image
# SPARK_DRIVER_HOST         the address that executors reach this pod by, such as its IP
";
const STANDALONE: &str = "# SPARK_MASTER              the cluster (spark://localhost:7077)
";

const IMAGE: &str = r#"if [ -n "${SPARK_IMAGE:-}" ]; then
    set -- --conf "spark.kubernetes.container.image=$SPARK_IMAGE" "$@"
fi
if [ -n "${SPARK_DRIVER_HOST:-}" ]; then
    set -- --conf "spark.driver.host=$SPARK_DRIVER_HOST" "$@"
fi
"#;

fn driver(shape: &Shape) -> String {
    let mut text = String::new();
    for setting in settings(shape).iter().filter(|setting| setting.of == Of::Driver) {
        text.push('\n');
        text.push_str(&match &setting.value {
            Some(value) => {
                format!("{}set -- --conf {}={value} \"$@\"\n", comment(&setting.why), setting.name)
            }
            None => not_set(setting),
        });
    }
    text
}

/// The driver is the server, so it runs here: client mode. A properties file would keep the cluster's own defaults
/// from being read.
fn exec() -> String {
    format!(
        r#"
# The server is in the driver, and stays here: client mode. The cluster's own defaults hold for what
# is not set in spark.conf.
exec "$submit" \
    --master "$master" --deploy-mode client --name "Spark Connect server" \
    --properties-file "$here/{CONF_NAME}" --load-spark-defaults \
    --conf "spark.connect.grpc.binding.port=${{SPARK_CONNECT_PORT:-{CONNECT_PORT}}}" \
    --class {SERVER} \
    "$@" spark-internal
"#
    )
}

fn not_set(setting: &Setting) -> String {
    comment(&format!("{} is not set. {}", setting.name, setting.why))
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
