use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hivecast_feed::{
    Color, Engine, Environment, MetastorePatience, MetastoreSettings, Property, StoreTimeouts, Target,
    Warehouse, parse_project,
};
use insta::assert_snapshot;

use crate::support::FixedSecrets;

/// Every setting there is.
pub(crate) const EVERYTHING: &str = r#"
feeds: feeds/
environments:
  local: { warehouse: ./warehouse, target: { dir: ./topics }, store: ./editions, mask_key: open }
  qa:
    warehouse: { metastore: [thrift://one:9083, "thrift://${HOST}:9083"] }
    engine: sc://spark:15002
    store: hdfs://namenode:8020/hivecast/editions
    mask_key: "${file:/run/mask}"
    target:
      kafka:
        bootstrap.servers: [one:9093, two:9093]
        security.protocol: SASL_SSL
        linger.ms: 5
        sasl.username: "${USER}"
        sasl.password: "${PASSWORD}"
      ledger: qa.ledger
      transaction_timeout: 90s
  lab:
    warehouse: hdfs://lab/warehouse
    store: s3://lab/editions
    target: { dir: ./topics }
    hadoop:
      conf_dir: /etc/hadoop/conf
      properties: { dfs.client.use.datanode.hostname: true }
      user: "${USER}"
      kerberos: { principal: "${USER}@EXAMPLE.COM", keytab: etl.keytab, cache: "FILE:/run/${USER}" }
      connect_timeout: 2s
      call_timeout: 5m
    s3:
      endpoint: "http://${HOST}:9000"
      region: eu-west-1
      access_key_id: "${USER}"
      secret_access_key: "${PASSWORD}"
      connect_timeout: 3s
      call_timeout: 1500ms
  slow:
    warehouse: { metastore: thrift://one:9083, connect_timeout: 4s, answer_timeout: 2m, operation_timeout: 1h, rounds: 5, pause: 20s }
    store: ./editions
    target: { dir: ./topics }
"#;

fn secrets() -> FixedSecrets {
    FixedSecrets {
        variables: BTreeMap::from([("HOST", "two"), ("USER", "ann"), ("PASSWORD", "hunter2")]),
        files: BTreeMap::from([("/run/mask", "topsecret\n")]),
    }
}

fn environment(name: &str, secrets: &FixedSecrets) -> Environment {
    parse_project("hivecast.yaml", EVERYTHING).unwrap().environment(name, secrets).unwrap()
}

fn mistakes(text: &str) -> String {
    parse_project("hivecast.yaml", text).expect_err("the project must be mistaken").render(Color::Plain)
}

/// A project with one more environment.
fn with_qa(settings: &str) -> String {
    format!("feeds: feeds\nenvironments:\n  qa: {{ warehouse: w, store: s, {settings} }}\n")
}

#[test]
fn local_needs_no_variable() {
    let local = environment("local", &FixedSecrets::default());
    assert_eq!(local.warehouse, Warehouse::Directory("./warehouse".to_owned()));
    assert_eq!(local.engine, Engine::Embedded);
    assert_eq!(local.target, Target::Dir(PathBuf::from("./topics")));
    assert_eq!(local.store, "./editions");
    assert_eq!(local.mask_key.unwrap().expose(), "open");
}

#[test]
fn every_setting_is_read() {
    let qa = environment("qa", &secrets());
    let addresses = vec!["thrift://one:9083".to_owned(), "thrift://two:9083".to_owned()];
    assert_eq!(qa.warehouse, Warehouse::Metastore(MetastoreSettings { addresses, ..Default::default() }));
    assert!(matches!(&qa.engine, Engine::Spark(endpoint) if endpoint.expose() == "sc://spark:15002"));
    assert_eq!(qa.mask_key.as_ref().unwrap().expose(), "topsecret");
    let Target::Kafka(kafka) = &qa.target else { panic!("{:?}", qa.target) };
    assert_eq!(kafka.ledger, "qa.ledger");
    assert_eq!(kafka.transaction_timeout, Some(Duration::from_secs(90)));
    let plain = |text: &str| Property::Plain(text.to_owned());
    assert_eq!(kafka.properties["bootstrap.servers"], plain("one:9093,two:9093"));
    assert_eq!(kafka.properties["linger.ms"], plain("5"));
    assert_eq!(kafka.properties["sasl.username"], plain("ann"));
    assert!(matches!(&kafka.properties["sasl.password"], Property::Secret(p) if p.expose() == "hunter2"));
}

#[test]
fn debug_text_tells_no_secret() {
    let text = format!("{:?} {:?}", environment("qa", &secrets()), parse_project("f", EVERYTHING).unwrap());
    for secret in ["hunter2", "topsecret", "open"] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(text.contains("***"));
}

#[test]
fn the_ledger_has_a_default() {
    let text = with_qa("target: { kafka: { bootstrap.servers: a } }");
    let qa = parse_project("f", &text).unwrap().environment("qa", &secrets()).unwrap();
    let Target::Kafka(kafka) = qa.target else { panic!("{:?}", qa.target) };
    assert_eq!((kafka.ledger.as_str(), kafka.transaction_timeout), ("hivecast.ledger", None));
}

#[test]
fn what_is_not_set_is_told_for_the_chosen_environment() {
    let project = parse_project("hivecast.yaml", EVERYTHING).unwrap();
    let missing = project.environment("qa", &FixedSecrets::default()).unwrap_err();
    assert_snapshot!(missing.render(Color::Plain), @r#"
    error: the environment variable `HOST` is not set
     --> hivecast.yaml:6:49
      |
    6 |     warehouse: { metastore: [thrift://one:9083, "thrift://${HOST}:9083"] }
      |                                                 ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: set it, or take the value from a file with `${file:/path}`

    error: failed to read the file `/run/mask`: entity not found
     --> hivecast.yaml:9:15
      |
    9 |     mask_key: "${file:/run/mask}"
      |               ^^^^^^^^^^^^^^^^^^^
      |
      = help: it must exist and be readable by who runs hivecast

    error: the environment variable `USER` is not set
      --> hivecast.yaml:15:24
       |
    15 |         sasl.username: "${USER}"
       |                        ^^^^^^^^^
       |
       = help: set it, or take the value from a file with `${file:/path}`

    error: the environment variable `PASSWORD` is not set
      --> hivecast.yaml:16:24
       |
    16 |         sasl.password: "${PASSWORD}"
       |                        ^^^^^^^^^^^^^
       |
       = help: set it, or take the value from a file with `${file:/path}`

    4 mistakes in hivecast.yaml
    "#);
}

#[test]
fn an_environment_that_does_not_exist() {
    let project = parse_project("hivecast.yaml", EVERYTHING).unwrap();
    let error = |name: &str| project.environment(name, &secrets()).unwrap_err().render(Color::Plain);
    assert_snapshot!(error("lokal"), @r"
    error: no environment `lokal`
     --> hivecast.yaml:3:1
      |
    3 | environments:
      | ^^^^^^^^^^^^
      |
      = help: did you mean `local`?

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(error("production"), @r"
    error: no environment `production`
     --> hivecast.yaml:3:1
      |
    3 | environments:
      | ^^^^^^^^^^^^
      |
      = help: there are `lab`, `local`, `qa`, `slow`

    1 mistake in hivecast.yaml
    ");
}

#[test]
fn a_literal_secret_is_refused_outside_local_and_not_shown() {
    let text =
        with_qa("target: { kafka: { bootstrap.servers: a, sasl.password: hunter2 } }, mask_key: topsecret");
    let rendered = mistakes(&text);
    assert!(!rendered.contains("hunter2") && !rendered.contains("topsecret"), "{rendered}");
    assert_snapshot!(rendered, @r#"
    error: `sasl.password` is a secret, and stands in the file; only `local` may do that
     --> hivecast.yaml:3:89
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { bootstrap.servers: a, sasl.password: *** } }, mask_key: *** }
      |                                                                                         ^^^
      |
      = help: take it from the environment, `"${NAME}"`, or a file, `"${file:/path}"`

    error: `mask_key` is a secret, and stands in the file; only `local` may do that
     --> hivecast.yaml:3:108
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { bootstrap.servers: a, sasl.password: *** } }, mask_key: *** }
      |                                                                                                            ^^^
      |
      = help: take it from the environment, `"${NAME}"`, or a file, `"${file:/path}"`

    2 mistakes in hivecast.yaml
    "#);
    let json = serde_json::to_string(&parse_project("f", &text).unwrap_err()).unwrap();
    assert!(!json.contains("hunter2") && !json.contains("topsecret"), "{json}");
}

#[test]
fn a_secret_is_not_shown_for_another_mistake_on_its_line() {
    let text = "feeds: f\nenvironments:\n  local: { warehouse: w, store: s, mask_key: hunter2, stoer: s, target: { kafka: { bootstrap.servers: a, ssl.key.pem: \"----\n    hunter2\", transactional.id: x } } }\n";
    let rendered = mistakes(text);
    assert!(!rendered.contains("hunter2"), "{rendered}");
    assert_snapshot!(rendered, @r"
    error: unknown setting `stoer` in an environment
     --> hivecast.yaml:3:51
      |
    3 |   local: { warehouse: w, store: s, mask_key: ***, stoer: s, target: { kafka: { bootstrap.servers: a, ssl.key.pem: ***
      |                                                   ^^^^^
      |
      = help: did you mean `store`?

    error: `transactional.id` is set by hivecast
     --> hivecast.yaml:4:6
      |
    4 | ***, transactional.id: x } } }
      |      ^^^^^^^^^^^^^^^^
      |
      = help: take it out: it names the feed, the target and the writer

    2 mistakes in hivecast.yaml
    ");
}

#[test]
fn an_unreadable_project_shows_no_line() {
    let rendered = mistakes("environments:\n  qa:\n    sasl.password: \"hunter2\n");
    assert!(!rendered.contains("hunter2"), "{rendered}");
    assert_snapshot!(rendered, @r"
    error: this is not YAML: while scanning a quoted scalar, found unexpected end of stream
    --> hivecast.yaml:3:20

    1 mistake in hivecast.yaml
    ");
}

#[test]
fn an_engines_token_is_a_secret() {
    let rendered = mistakes(&with_qa("target: { dir: t }, engine: sc://host:1/;token=hunter2"));
    assert!(!rendered.contains("hunter2"), "{rendered}");
    assert_snapshot!(rendered, @r#"
    error: the token of `engine` is a secret, and stands in the file; only `local` may do that
     --> hivecast.yaml:3:61
      |
    3 |   qa: { warehouse: w, store: s, target: { dir: t }, engine: *** }
      |                                                             ^^^
      |
      = help: take it from the environment, `"${NAME}"`, or a file, `"${file:/path}"`

    1 mistake in hivecast.yaml
    "#);
}

#[test]
fn a_secret_that_a_comma_cuts_in_two_is_not_shown() {
    let qa = "target: { kafka: { bootstrap.servers: a, sasl.password: hun,ter2 } }, mask_key: top,secret";
    let rendered = mistakes(&with_qa(qa));
    for part in ["hun", "ter2", "top", "secret "] {
        assert!(!rendered.replace("is a secret ", "").contains(part), "{part}: {rendered}");
    }
    assert_snapshot!(rendered, @r#"
    error: `sasl.password` is a secret, and stands in the file; only `local` may do that
     --> hivecast.yaml:3:89
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { bootstrap.servers: a, sasl.password: ***,*** } }, mask_key: ***,*** }
      |                                                                                         ^^^
      |
      = help: take it from the environment, `"${NAME}"`, or a file, `"${file:/path}"`

    error: a name without a value in `kafka`
     --> hivecast.yaml:3:93
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { bootstrap.servers: a, sasl.password: ***,*** } }, mask_key: ***,*** }
      |                                                                                             ^^^
      |
      = help: within `{ }` a comma ends a value: put text with a comma in quotes

    error: `mask_key` is a secret, and stands in the file; only `local` may do that
     --> hivecast.yaml:3:112
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { bootstrap.servers: a, sasl.password: ***,*** } }, mask_key: ***,*** }
      |                                                                                                                ^^^
      |
      = help: take it from the environment, `"${NAME}"`, or a file, `"${file:/path}"`

    error: a name without a value in an environment
     --> hivecast.yaml:3:116
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { bootstrap.servers: a, sasl.password: ***,*** } }, mask_key: ***,*** }
      |                                                                                                                    ^^^
      |
      = help: within `{ }` a comma ends a value: put text with a comma in quotes

    4 mistakes in hivecast.yaml
    "#);
}

#[test]
fn mistakes_of_a_project() {
    assert_snapshot!(mistakes(""), @r"
    error: the project file is empty
     --> hivecast.yaml:1:1
      |
    1 |
      | ^
      |
      = help: `hivecast init DIR` writes an example

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(mistakes("feeds: f\nenvironments: {}\n"), @r"
    error: `environments` must not be empty
     --> hivecast.yaml:2:1
      |
    2 | environments: {}
      | ^^^^^^^^^^^^

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(mistakes(&with_qa("targets: { dir: t }")), @r"
    error: unknown setting `targets` in an environment
     --> hivecast.yaml:3:33
      |
    3 |   qa: { warehouse: w, store: s, targets: { dir: t } }
      |                                 ^^^^^^^
      |
      = help: did you mean `target`?

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(mistakes(&with_qa("target: { dir: t, kafka: { bootstrap.servers: a } }")), @r"
    error: `target` takes only one of `dir`, `kafka`
     --> hivecast.yaml:3:51
      |
    3 |   qa: { warehouse: w, store: s, target: { dir: t, kafka: { bootstrap.servers: a } } }
      |                                                   ^^^^^

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(mistakes(&with_qa("target: { dir: t, ledger: l }")), @r"
    error: only a Kafka target has `ledger`
     --> hivecast.yaml:3:51
      |
    3 |   qa: { warehouse: w, store: s, target: { dir: t, ledger: l } }
      |                                                   ^^^^^^

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(mistakes(&with_qa("target: { kafka: { security.protocol: SSL } }")), @r"
    error: `kafka` needs `bootstrap.servers`
     --> hivecast.yaml:3:43
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { security.protocol: SSL } } }
      |                                           ^^^^^

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(mistakes(&with_qa("target: { dir: t }, engine: spark")), @r"
    error: `engine` must be `embedded` or a Spark Connect endpoint `sc://host:port`
     --> hivecast.yaml:3:61
      |
    3 |   qa: { warehouse: w, store: s, target: { dir: t }, engine: spark }
      |                                                             ^^^^^

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(mistakes(&with_qa("target: { dir: '${x' }")), @r"
    error: `dir`: `${` without its `}`; write `$${` for the characters themselves
     --> hivecast.yaml:3:48
      |
    3 |   qa: { warehouse: w, store: s, target: { dir: '${x' } }
      |                                                ^^^^^^

    1 mistake in hivecast.yaml
    ");
    assert_snapshot!(
        mistakes(&with_qa("target: { kafka: { bootstrap.servers: a }, transaction_timeout: 90 }")), @r"
    error: `transaction_timeout` must be a time such as 500ms, 30s or 5m, and is `90`
     --> hivecast.yaml:3:97
      |
    3 |   qa: { warehouse: w, store: s, target: { kafka: { bootstrap.servers: a }, transaction_timeout: 90 } }
      |                                                                                                 ^^

    1 mistake in hivecast.yaml
    ");
}

#[test]
fn what_variables_hold_is_checked_too() {
    let text = "feeds: f\nenvironments:\n  qa: { warehouse: { metastore: '${M}' }, store: '${S}', target: { dir: t }, engine: '${E}' }\n";
    let secrets = FixedSecrets {
        variables: BTreeMap::from([("M", "http://m"), ("S", ""), ("E", "hunter2")]),
        ..FixedSecrets::default()
    };
    let error = parse_project("hivecast.yaml", text).unwrap().environment("qa", &secrets).unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
    assert_snapshot!(error.to_string(), @"hivecast.yaml:3:33: `metastore` must be `thrift://host:port`, and is `http://m`; hivecast.yaml:3:50: `store` is empty once its variables are looked up; hivecast.yaml:3:86: `engine` must be `embedded` or a Spark Connect endpoint `sc://host:port`");
}

#[test]
fn how_stores_are_reached_and_their_key_is_a_secret() {
    let stores = environment("lab", &secrets()).stores;
    assert_eq!(stores.hadoop_conf_dir.as_deref(), Some("/etc/hadoop/conf"));
    assert_eq!(stores.hadoop["dfs.client.use.datanode.hostname"], "true");
    assert_eq!(stores.s3_endpoint.as_deref(), Some("http://two:9000"));
    assert_eq!(stores.s3_secret_access_key.as_ref().map(|key| key.expose()), Some("hunter2"));
    assert!(!format!("{stores:?}").contains("hunter2"));
    assert_eq!(stores.s3_timeouts, times(3_000, 1_500));
    let told = mistakes(&with_qa("target: { dir: t }, s3: { secret_access_key: hunter2, endpont: x }"));
    assert!(told.contains("is a secret, and stands in the file") && told.contains("endpoint"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

fn times(connect: u64, call: u64) -> StoreTimeouts {
    StoreTimeouts { connect: Some(Duration::from_millis(connect)), call: Some(Duration::from_millis(call)) }
}

#[test]
fn who_logs_in_to_hdfs_and_how_long_it_may_take() {
    let stores = environment("lab", &secrets()).stores;
    assert_eq!(stores.hadoop_user.as_deref(), Some("ann"));
    let kerberos = stores.kerberos.unwrap();
    assert_eq!(kerberos.principal, "ann@EXAMPLE.COM");
    assert_eq!(kerberos.keytab.as_deref(), Some("etl.keytab"));
    assert_eq!(kerberos.cache.as_deref(), Some("FILE:/run/ann"));
    assert_eq!(stores.hadoop_timeouts, times(2_000, 300_000));
    let stores = environment("local", &secrets()).stores;
    assert_eq!((stores.hadoop_user, stores.kerberos), (None, None));
    assert_eq!((stores.hadoop_timeouts, stores.s3_timeouts), Default::default());
}

#[test]
fn how_long_a_metastore_is_waited_for() {
    let Warehouse::Metastore(settings) = environment("slow", &secrets()).warehouse else { panic!() };
    let seconds = |count| Some(Duration::from_secs(count));
    let (connect, answer, operation, pause) = (seconds(4), seconds(120), seconds(3_600), seconds(20));
    assert_eq!(settings.patience, MetastorePatience { connect, answer, operation, pause, rounds: Some(5) });
}

#[test]
fn mistakes_in_what_is_waited_for_and_who_logs_in() {
    let of = |hadoop: &str| mistakes(&with_qa(&format!("target: {{ dir: t }}, hadoop: {{ {hadoop} }}")));
    let told = of("usr: etl");
    assert!(told.contains("unknown setting `usr` in `hadoop`") && told.contains("`user`"), "{told}");
    let told = of("call_timeout: 60");
    assert!(told.contains("`call_timeout` must be a time such as 500ms, 30s or 5m, and is `60`"), "{told}");
    assert!(of("connect_timeout: 0s").contains("must be a time"));
    let told = of("kerberos: { keytab: k, principle: ann@X }");
    assert!(told.contains("did you mean `principal`") || told.contains("`principal`?"), "{told}");
    let told = of("kerberos: { keytab: k }");
    assert!(told.contains("`kerberos` needs `principal`"), "{told}");
    // A keytab is a file, whose path is no secret; what a file holds is not to be written here.
    assert!(
        parse_project(
            "f",
            &with_qa("target: { dir: t }, hadoop: { kerberos: { principal: a@X, keytab: k } }")
        )
        .is_ok()
    );

    let warehouse = |settings: &str| {
        let warehouse = format!("warehouse: {{ metastore: thrift://m, {settings} }}");
        mistakes(&format!(
            "feeds: f\nenvironments:\n  qa: {{ {warehouse}, store: s, target: {{ dir: t }} }}\n"
        ))
    };
    let told = warehouse("answer_timout: 1s");
    assert!(told.contains("unknown setting `answer_timout`") && told.contains("`answer_timeout`"), "{told}");
    assert!(warehouse("rounds: 0").contains("`rounds` must be a whole number from 1 to 100, and is `0`"));

    // What variables hold is told where it is empty.
    let text = with_qa("target: { dir: t }, hadoop: { user: '${U}', kerberos: { principal: '${P}' } }");
    let empty = FixedSecrets { variables: BTreeMap::from([("U", " ")]), ..FixedSecrets::default() };
    let told = parse_project("f", &text).unwrap().environment("qa", &empty).unwrap_err().to_string();
    assert!(told.contains("`user` is empty once its variables are looked up"), "{told}");
    assert!(told.contains("the environment variable `P` is not set"), "{told}");
}
