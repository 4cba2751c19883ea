#!/bin/sh
# Made by `hivecast plan`. Change nothing here: plan again.
# Feed contracts, load_date 2026-11-21, and days that are no larger.
# Cluster: 10 nodes of 16 cores and 64 GiB, of which each keeps 1 core and 8 GiB; YARN, with
# containers in steps of 1 GiB; the driver on a machine of its own.
# Beside the executors there is room for YARN's application master, as spark.yarn.am.cores and
# spark.yarn.am.memory come: 1 core, 1 GiB.
# On the nodes' local disks (spark.local.dir), shuffle = 22.4 GiB: 9.3 GiB of rows that `where`
# leaves x 1.2 as Spark has them x 2 shuffles.
# Asked with: --for publish --deadline 30m --threads 16 --machine-memory 64GiB --nodes 10
# --node-cores 16 --node-memory 64GiB --reserved-cores 1 --reserved-memory 8GiB --manager yarn
# --yarn-increment 1GiB --driver-on own --allocation fixed --core-price 0.05
#
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

# Planning, and a thread or two for results. In client mode no manager sees to it: the machine must
# have them.
# driver cores = 2: it plans, and sends tasks; no rows go through it
set -- --conf spark.driver.cores=2 "$@"

# The heap of the Spark Connect server, which is the driver.
# driver heap = 1 GiB: 768 MiB of its own, with the Spark Connect server, and 32.0 KiB for each file
# and each of 320 tasks, which is what all cores of the cluster get behind a shuffle, in steps of
# 256 MiB
set -- --conf spark.driver.memory=1024m "$@"

# Beside the heap. In client mode no manager sees to it: the machine must have both, 1024 + 384 =
# 1408 MiB.
# driver overhead = 384 MiB: the greater of 384 MiB and 1 GiB x 0.1
set -- --conf spark.driver.memoryOverhead=384m "$@"

# spark.driver.memoryOverheadFactor is not set. The overhead is stated, which makes the factor void.

# The server is in the driver, which runs where this script does: client mode.
# It was reckoned to be no node of the cluster: a machine with 2 cores and 1408 MiB for it.
# The cluster's own defaults hold for what is not set in spark.conf.
exec "$submit" \
    --master "$master" --deploy-mode client --name "Spark Connect server" \
    --properties-file "$here/spark.conf" --load-spark-defaults \
    --conf "spark.connect.grpc.binding.port=${SPARK_CONNECT_PORT:-15002}" \
    --class org.apache.spark.sql.connect.service.SparkConnectServer \
    "$@" spark-internal
