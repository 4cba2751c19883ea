//! The files of a shape.

use hivecast_estimate::spark::files::{Occasion, spark_conf, spark_submit};
use hivecast_estimate::spark::{Cluster, GIB, Shape};

/// `spark.conf` and `spark-submit.sh`.
pub(crate) fn files(shape: &Shape) -> (String, String) {
    let cluster = Cluster::new(3, 16, 64 * GIB, shape.manager);
    let occasion = Occasion {
        version: "0.0.0",
        feed: "contracts",
        load_date: "2026-11-20",
        asked: "--nodes 3 --node-cores 16 --node-memory 64GiB",
        cluster: &cluster,
        arithmetic: &|name| vec![format!("{name}, `reckoned` as $(it) \"is\"")],
    };
    (spark_conf(shape, &occasion), spark_submit(shape, &occasion))
}
