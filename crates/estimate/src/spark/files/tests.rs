use super::super::settings::{Allocation, Driver, Executor};
use super::super::{Cluster, Fractions, GIB, MIB};
use super::*;

fn shape(allocation: Allocation, manager: Manager) -> Shape {
    let executor = Executor { cores: 5, heap: 8896 * MIB, overhead: 889 * MIB };
    let driver = Driver { cores: 2, heap: 4 * GIB, overhead: 409 * MIB };
    let fractions = Fractions::default();
    Shape { allocation, executor, driver, fractions, shuffle_partitions: 600, manager }
}

fn cluster(manager: Manager, driver: DriverPlace) -> Cluster {
    Cluster { driver, ..Cluster::new(10, 16, 64 * GIB, manager) }
}

fn occasion(cluster: &Cluster) -> Occasion<'_> {
    let arithmetic = &|name: &str| match name {
        "shuffle" => {
            vec!["shuffle = 22.4 GiB: 9.3 GiB of rows x 1.2 as Spark has them x 2 shuffles".to_owned()]
        }
        "spark.executor.memory" | "spark.driver.memory" => vec!["heap = 1.6 GiB: 3 tasks".to_owned()],
        _ => Vec::new(),
    };
    let (version, feed, load_date, asked) = ("1.2.3", "contracts", "2026-11-20", "--deadline 30m");
    Occasion { version, feed, load_date, asked, cluster, arithmetic }
}

fn conf(shape: &Shape) -> String {
    spark_conf(shape, &occasion(&cluster(shape.manager, DriverPlace::OwnMachine)))
}

fn submit(shape: &Shape, driver: DriverPlace) -> String {
    spark_submit(shape, &occasion(&cluster(shape.manager, driver)))
}

#[test]
fn executor_settings_of_a_fixed_number() {
    let shape = shape(Allocation::Fixed { executors: 30 }, Manager::Kubernetes);
    insta::assert_snapshot!(conf(&shape), @r"
    # Made by `hivecast plan` 1.2.3. Change nothing here: plan again.
    # Feed contracts, load_date 2026-11-20, and days that are no larger.
    # Cluster: 10 nodes of 16 cores and 64 GiB, of which each keeps 1 core and 8 GiB; Kubernetes; the
    # driver on a machine of its own.
    # On the nodes' local disks (spark.local.dir), shuffle = 22.4 GiB: 9.3 GiB of rows x 1.2 as Spark
    # has them x 2 shuffles.
    # Asked with: --deadline 30m
    #
    # Executor settings of a Spark Connect server. spark-submit.sh beside this file starts it.

    # As many as the shape has that was chosen.
    spark.executor.instances 30

    # The number of executors is fixed, also where a cluster's defaults would change it.
    spark.dynamicAllocation.enabled false

    # spark.dynamicAllocation.minExecutors, spark.dynamicAllocation.maxExecutors,
    # spark.dynamicAllocation.initialExecutors, spark.dynamicAllocation.shuffleTracking.enabled are not
    # set. A fixed number of executors has no use for it.

    # spark.cores.max is not set. For a standalone master, which hands out cores.

    # Tasks that run at once in one executor and share its heap.
    spark.executor.cores 5

    # The heap that gives each of these tasks what it was reckoned to need.
    # heap = 1.6 GiB: 3 tasks
    spark.executor.memory 8896m

    # Beside the heap: threads' stacks, classes, buffers. Heap and this are the container: 8896 + 889 =
    # 9785 MiB, what the pod asks for.
    spark.executor.memoryOverhead 889m

    # spark.executor.memoryOverheadFactor is not set. The overhead is stated, which makes the factor
    # void.

    # spark.executor.pyspark.memory is not set. Nothing here runs in Python: no container has memory for
    # its workers.

    # Of the heap without 300 MiB, what joins, sorts and shuffles have: (8896 - 300) x 0.6 = 5157 MiB.
    # The rest is for the lists of rows.
    spark.memory.fraction 0.6

    # Of that, what cached and broadcast blocks keep: 5157 x 0.5 = 2578 MiB. The rest is never theirs
    # for long.
    spark.memory.storageFraction 0.5

    # spark.python.worker.memory is not set. No Python worker runs.

    # Tasks behind a shuffle: each has to have its rows in its part of the heap. Adaptive execution,
    # where it is on, joins small ones.
    spark.sql.shuffle.partitions 600
    ");
}

#[test]
fn executor_settings_of_dynamic_allocation() {
    let shape = shape(Allocation::Dynamic { least: 2, most: 30 }, Manager::Standalone);
    insta::assert_snapshot!(conf(&shape), @r"
    # Made by `hivecast plan` 1.2.3. Change nothing here: plan again.
    # Feed contracts, load_date 2026-11-20, and days that are no larger.
    # Cluster: 10 nodes of 16 cores and 64 GiB, of which each keeps 1 core and 8 GiB; Spark's own
    # manager; the driver on a machine of its own.
    # On the nodes' local disks (spark.local.dir), shuffle = 22.4 GiB: 9.3 GiB of rows x 1.2 as Spark
    # has them x 2 shuffles.
    # Asked with: --deadline 30m
    #
    # Executor settings of a Spark Connect server. spark-submit.sh beside this file starts it.

    # spark.executor.instances is not set. Dynamic allocation counts them, and would start with that
    # many.

    # Executors come as tasks wait, and go when idle.
    spark.dynamicAllocation.enabled true

    # Kept while nothing runs.
    spark.dynamicAllocation.minExecutors 2

    # As many as the shape has that was chosen.
    spark.dynamicAllocation.maxExecutors 30

    # More come with the first tasks that wait.
    spark.dynamicAllocation.initialExecutors 2

    # Executors whose shuffle files are still read stay: no external shuffle service is relied upon, and
    # Kubernetes has none.
    spark.dynamicAllocation.shuffleTracking.enabled true

    # A standalone master hands out all cores that it has otherwise: 30 executors of 5 cores.
    spark.cores.max 150

    # Tasks that run at once in one executor and share its heap.
    spark.executor.cores 5

    # The heap that gives each of these tasks what it was reckoned to need.
    # heap = 1.6 GiB: 3 tasks
    spark.executor.memory 8896m

    # Beside the heap: threads' stacks, classes, buffers. Heap and this are the container: 8896 + 889 =
    # 9785 MiB. The master counts the heap alone, and the machine must have both.
    spark.executor.memoryOverhead 889m

    # spark.executor.memoryOverheadFactor is not set. The overhead is stated, which makes the factor
    # void.

    # spark.executor.pyspark.memory is not set. Nothing here runs in Python: no container has memory for
    # its workers.

    # Of the heap without 300 MiB, what joins, sorts and shuffles have: (8896 - 300) x 0.6 = 5157 MiB.
    # The rest is for the lists of rows.
    spark.memory.fraction 0.6

    # Of that, what cached and broadcast blocks keep: 5157 x 0.5 = 2578 MiB. The rest is never theirs
    # for long.
    spark.memory.storageFraction 0.5

    # spark.python.worker.memory is not set. No Python worker runs.

    # Tasks behind a shuffle: each has to have its rows in its part of the heap. Adaptive execution,
    # where it is on, joins small ones.
    spark.sql.shuffle.partitions 600
    ");
}

#[test]
fn the_script_for_yarn() {
    let shape = shape(Allocation::Fixed { executors: 30 }, Manager::YARN);
    insta::assert_snapshot!(submit(&shape, DriverPlace::OnANode), @r#"
    #!/bin/sh
    # Made by `hivecast plan` 1.2.3. Change nothing here: plan again.
    # Feed contracts, load_date 2026-11-20, and days that are no larger.
    # Cluster: 10 nodes of 16 cores and 64 GiB, of which each keeps 1 core and 8 GiB; YARN, with
    # containers in steps of 1 GiB; the driver on one of them.
    # Beside the executors there is room for YARN's application master, as spark.yarn.am.cores and
    # spark.yarn.am.memory come: 1 core, 1 GiB.
    # On the nodes' local disks (spark.local.dir), shuffle = 22.4 GiB: 9.3 GiB of rows x 1.2 as Spark
    # has them x 2 shuffles.
    # Asked with: --deadline 30m
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
    set -- --conf spark.driver.cores=2 "$@"

    # The heap of the Spark Connect server, which is the driver.
    # heap = 1.6 GiB: 3 tasks
    set -- --conf spark.driver.memory=4096m "$@"

    # Beside the heap. In client mode no manager sees to it: the machine must have both, 4096 + 409 =
    # 4505 MiB.
    set -- --conf spark.driver.memoryOverhead=409m "$@"

    # spark.driver.memoryOverheadFactor is not set. The overhead is stated, which makes the factor void.

    # The server is in the driver, which runs where this script does: client mode.
    # It was reckoned to be a node of the cluster: start this script on one. YARN does not know of it,
    # so that node's yarn.nodemanager.resource.cpu-vcores and memory-mb have to leave 2 cores and 4505
    # MiB to it.
    # The cluster's own defaults hold for what is not set in spark.conf.
    exec "$submit" \
        --master "$master" --deploy-mode client --name "Spark Connect server" \
        --properties-file "$here/spark.conf" --load-spark-defaults \
        --conf "spark.connect.grpc.binding.port=${SPARK_CONNECT_PORT:-15002}" \
        --class org.apache.spark.sql.connect.service.SparkConnectServer \
        "$@" spark-internal
    "#);
}

#[test]
fn scripts_differ_in_what_managers_need() {
    let by = |manager| submit(&shape(Allocation::Fixed { executors: 30 }, manager), DriverPlace::OwnMachine);
    assert!(by(Manager::Kubernetes).contains("k8s://https://kubernetes.default.svc:443"));
    assert!(by(Manager::Kubernetes).contains("SPARK_IMAGE"));
    assert!(!by(Manager::Standalone).contains("localhost"));
    assert!(!by(Manager::Standalone).contains("SPARK_IMAGE"));
}

#[test]
fn nothing_in_the_files_is_longer_than_a_line() {
    for manager in [Manager::YARN, Manager::Kubernetes, Manager::Standalone] {
        let shape = shape(Allocation::Dynamic { least: 0, most: 30 }, manager);
        for line in [conf(&shape), submit(&shape, DriverPlace::OnANode)].concat().lines() {
            assert!(line.len() <= WIDTH, "{}: {line}", line.len());
        }
    }
}

#[test]
fn the_container_is_what_the_manager_makes_of_heap_and_overhead() {
    let by = |manager| conf(&shape(Allocation::Fixed { executors: 30 }, manager)).replace("\n# ", " ");
    let exact = Manager::Yarn { minimum: MIB, increment: MIB, maximum: None };
    assert!(by(Manager::YARN).contains("8896 + 889 = 9785 MiB, which YARN rounds up to 10240 MiB."));
    assert!(by(exact).contains("8896 + 889 = 9785 MiB, which YARN hands out as they are."));
    assert!(by(Manager::Kubernetes).contains("8896 + 889 = 9785 MiB, what the pod asks for."));
    assert!(by(Manager::Standalone).contains("= 9785 MiB. The master counts the heap alone"));
}

#[test]
fn a_driver_on_a_node_is_not_one_on_a_machine_of_its_own() {
    for (manager, told) in [
        (
            Manager::YARN,
            "yarn.nodemanager.resource.cpu-vcores and memory-mb have to leave 2 cores and 4505 MiB",
        ),
        (
            Manager::Standalone,
            "SPARK_WORKER_CORES and SPARK_WORKER_MEMORY have to leave 2 cores and 4505 MiB",
        ),
        (Manager::Kubernetes, "in a pod that requests 2 cores and 4505 MiB"),
    ] {
        let shape = shape(Allocation::Fixed { executors: 30 }, manager);
        let [node, own] = [DriverPlace::OnANode, DriverPlace::OwnMachine]
            .map(|driver| submit(&shape, driver).replace("\n# ", " "));
        assert!(node.contains(told) && node.contains("the driver on one of them"), "{node}");
        assert!(!own.contains(told) && own.contains("a machine with 2 cores and 4505 MiB for it"), "{own}");
    }
}
