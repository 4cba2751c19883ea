//! Every setting of a project file.

use crate::settings::{Group, Kind, optional, required};

pub(crate) static PROJECT: Group = Group {
    id: "project",
    title: "the project file",
    settings: &[
        required("feeds", Kind::Text, "The directory of feed files, beside this file."),
        required(
            "environments",
            Kind::MapOf(&Kind::Group(&ENVIRONMENT)),
            "Where feeds are built and sent, by the name that `--env` takes.",
        ),
    ],
    exactly_one: &[],
};

static LOCATION: [Kind; 2] = [Kind::Text, Kind::Group(&WAREHOUSE)];

pub(crate) static ENVIRONMENT: Group = Group {
    id: "environment",
    title: "an environment",
    settings: &[
        required(
            "warehouse",
            Kind::AnyOf(&LOCATION),
            "Where exports lie: a directory in Hive layout, or the Hive Metastore that says where.",
        ),
        optional(
            "engine",
            Kind::Text,
            "`embedded`, the default, or a Spark Connect endpoint `sc://host:port`.",
        ),
        required("store", Kind::Text, "Where editions are kept: a directory or a URL."),
        required("target", Kind::Group(&TARGET), "Where documents go."),
        optional("hadoop", Kind::Group(&HADOOP), "How HDFS is reached, where HADOOP_CONF_DIR does not say."),
        optional(
            "s3",
            Kind::Group(&S3),
            "How S3-compatible stores are reached, where the environment does not say.",
        ),
        optional("mask_key", Kind::Text, "The key of `mask: hmac-sha256`: `${NAME}` or `${file:path}`."),
    ],
    exactly_one: &[],
};

pub(crate) static HADOOP: Group = Group {
    id: "hadoop",
    title: "`hadoop`",
    settings: &[
        optional("conf_dir", Kind::Text, "The directory of `core-site.xml` and `hdfs-site.xml`."),
        optional("properties", Kind::MapOf(&Kind::Text), "Hadoop's own properties, over those of the files."),
    ],
    exactly_one: &[],
};

pub(crate) static S3: Group = Group {
    id: "s3",
    title: "`s3`",
    settings: &[
        optional("endpoint", Kind::Text, "The store's address; Amazon's by default."),
        optional("region", Kind::Text, "The region."),
        optional("access_key_id", Kind::Text, "The access key's name."),
        optional("secret_access_key", Kind::Text, "The access key: `${NAME}` or `${file:path}`."),
    ],
    exactly_one: &[],
};

pub(crate) static WAREHOUSE: Group = Group {
    id: "warehouse",
    title: "`warehouse`",
    settings: &[required(
        "metastore",
        Kind::AnyOf(&[Kind::Text, Kind::ListOf(&Kind::Text)]),
        "`thrift://host:port`, or several of them, tried in turn.",
    )],
    exactly_one: &[],
};

pub(crate) static TARGET: Group = Group {
    id: "target",
    title: "`target`",
    settings: &[
        optional("dir", Kind::Text, "A directory of NDJSON files, one for each topic partition."),
        optional(
            "kafka",
            Kind::MapOf(&Kind::AnyOf(&[Kind::Text, Kind::ListOf(&Kind::Text)])),
            "A Kafka cluster, in librdkafka's own property names.",
        ),
        optional("ledger", Kind::Text, "For Kafka: the ledger's topic; `hivecast.ledger` by default."),
        optional(
            "transaction_timeout",
            Kind::Duration,
            "For Kafka: how long a transaction may stay open before the broker aborts it.",
        ),
    ],
    exactly_one: &["dir", "kafka"],
};
