//! Every setting of a project file.

use crate::settings::{Group, Kind, Setting, optional, required};

/// More would wait longer than any operation may take.
pub(super) const MAX_ROUNDS: u64 = 100;

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
        optional(
            "user",
            Kind::Text,
            "Who HDFS and the metastore take hivecast for; `HADOOP_USER_NAME` by default. With Kerberos, whom the principal stands in for on HDFS.",
        ),
        optional(
            "kerberos",
            Kind::Group(&KERBEROS),
            "Who logs in where `hadoop.security.authentication` is `kerberos`; the ticket of `kinit` by default.",
        ),
        CONNECT_TIMEOUT,
        CALL_TIMEOUT,
    ],
    exactly_one: &[],
};

pub(crate) static KERBEROS: Group = Group {
    id: "kerberos",
    title: "`kerberos`",
    settings: &[
        required("principal", Kind::Text, "Who logs in, as `name@REALM`."),
        optional("keytab", Kind::Text, "The file that holds the principal's keys."),
        optional(
            "cache",
            Kind::Text,
            "The ticket cache, as `FILE:/path`; `KRB5CCNAME` by default, and with a keytab one in memory.",
        ),
    ],
    exactly_one: &[],
};

/// Of HDFS and of S3-compatible stores.
const CONNECT_TIMEOUT: Setting =
    optional("connect_timeout", Kind::Duration, "How long a connection may take; 10s by default.");
const CALL_TIMEOUT: Setting = optional(
    "call_timeout",
    Kind::Duration,
    "How long one call, such as a list or 8 MiB of a file, may take; 60s by default.",
);

pub(crate) static S3: Group = Group {
    id: "s3",
    title: "`s3`",
    settings: &[
        optional("endpoint", Kind::Text, "The store's address; Amazon's by default."),
        optional("region", Kind::Text, "The region."),
        optional("access_key_id", Kind::Text, "The access key's name."),
        optional("secret_access_key", Kind::Text, "The access key: `${NAME}` or `${file:path}`."),
        CONNECT_TIMEOUT,
        CALL_TIMEOUT,
    ],
    exactly_one: &[],
};

pub(crate) static WAREHOUSE: Group = Group {
    id: "warehouse",
    title: "`warehouse`",
    settings: &[
        required(
            "metastore",
            Kind::AnyOf(&[Kind::Text, Kind::ListOf(&Kind::Text)]),
            "`thrift://host:port`, or several of them, tried in turn.",
        ),
        optional("connect_timeout", Kind::Duration, "How long a connection may take; 10s by default."),
        optional("answer_timeout", Kind::Duration, "How long a host may be silent; 60s by default."),
        optional(
            "operation_timeout",
            Kind::Duration,
            "How long one question may take with all its calls, to whatever host; 3m by default.",
        ),
        optional(
            "rounds",
            Kind::Integer { min: 1, max: MAX_ROUNDS },
            "How often all hosts are tried; 3 by default.",
        ),
        optional("pause", Kind::Duration, "Before they are tried again; 2s by default."),
    ],
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
