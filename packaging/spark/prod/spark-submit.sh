#!/bin/sh
# Starts a Spark Connect server with the executor settings in spark.conf beside this file, and stays
# until it is stopped. Options of spark-submit may follow, and win: ./spark-submit.sh --conf a=b
#
# SPARK_HOME                where Spark 4 is; else the spark-submit in PATH is taken
# SPARK_CONNECT_PORT        where the server listens (15002)
# SPARK_CONNECT_TOKEN_FILE  a file with the token that clients have to send, readable by this user
#                           alone; without it everybody who reaches the port may run anything
# SPARK_MASTER              the cluster (yarn)
# HADOOP_CONF_DIR           the directory with the cluster's core-site.xml and yarn-site.xml
set -eu

master=${SPARK_MASTER:-yarn}

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

# Planning, and a thread or two for results; no manager sees to it in client mode: it is what the
# machine must have.
set -- --conf spark.driver.cores=2 "$@"

# The heap of the Spark Connect server, which is the driver.
set -- --conf spark.driver.memory=1024m "$@"

# Beside the heap; no manager sees to it in client mode: it is what the machine must have.
set -- --conf spark.driver.memoryOverhead=384m "$@"

# spark.driver.memoryOverheadFactor is not set. The overhead is stated, which makes the factor void.

# The server is in the driver, and stays here: client mode. The cluster's own defaults hold for what
# is not set in spark.conf.
exec "$submit" \
    --master "$master" --deploy-mode client --name "Spark Connect server" \
    --properties-file "$here/spark.conf" --load-spark-defaults \
    --conf "spark.connect.grpc.binding.port=${SPARK_CONNECT_PORT:-15002}" \
    --class org.apache.spark.sql.connect.service.SparkConnectServer \
    "$@" spark-internal
