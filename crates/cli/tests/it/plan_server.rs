//! What `hivecast plan --write` wrote starts a real Spark Connect server, with executors of a cluster, that builds
//! the edition.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::processes::{Kept, free_port, listens, page, wait_for};
use crate::support::{DAYS, Scratch};

/// Where Apache Spark is, in the cache.
fn spark_home() -> String {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/spark-answers"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"[]").unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    found["home"].as_str().unwrap().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_written_files_start_a_server_that_builds_the_edition() {
    let scratch = Scratch::sampled(300);
    let cluster = ["--nodes", "1", "--node-cores", "4", "--node-memory", "8GiB", "--manager", "standalone"];
    let more = ["--driver-on", "own", "--write", "spark", "--json"];
    let args = ["plan", "--load-date", DAYS[0]].into_iter().chain(cluster).chain(more);
    let answer = scratch.hivecast(args).succeeded().json();
    let embedded = edition(&scratch);
    std::fs::remove_dir_all(scratch.join("editions")).unwrap();

    let home = spark_home();
    let [master_port, master_ui, connect, ui] = [(); 4].map(|()| free_port());
    let environment =
        [("SPARK_HOME", home.as_str()), ("SPARK_LOCAL_IP", "127.0.0.1"), ("SPARK_NO_DAEMONIZE", "1")];
    let class = format!("{home}/bin/spark-class");
    let start = |command: &[&str], more: &[(&str, &str)], log: &str| {
        Kept::start(command, &[environment.as_slice(), more].concat(), &scratch.join(log))
    };
    let address = format!("spark://127.0.0.1:{master_port}");
    let (port, page_port) = (master_port.to_string(), master_ui.to_string());
    let here = ["--host", "127.0.0.1"];
    let of_master = [
        class.as_str(),
        "org.apache.spark.deploy.master.Master",
        "--port",
        &port,
        "--webui-port",
        &page_port,
    ];
    let mut master = start(&[of_master.as_slice(), &here].concat(), &[], "master.log");
    wait_for("the master", &mut master, || listens(master_port).then_some(()));
    let work = scratch.join("work");
    let of_worker =
        [class.as_str(), "org.apache.spark.deploy.worker.Worker", "--cores", "4", "--memory", "6g"];
    let rest = ["--work-dir", text(&work), "--webui-port", "0", &address];
    let worker = start(&[of_worker.as_slice(), &here, &rest].concat(), &[], "worker.log");
    let (connect_port, ui_port) = (connect.to_string(), format!("spark.ui.port={ui}"));
    let submit = scratch.join("spark/spark-submit.sh");
    let with = [
        "--conf",
        "spark.driver.host=127.0.0.1",
        "--conf",
        "spark.connect.grpc.binding.address=127.0.0.1",
        "--conf",
        &ui_port,
    ];
    let variables = [("SPARK_MASTER", address.as_str()), ("SPARK_CONNECT_PORT", &connect_port)];
    let mut server = start(&[[text(&submit)].as_slice(), &with].concat(), &variables, "server.log");
    wait_for("the server", &mut server, || listens(connect).then_some(()));

    scratch.edit(
        "hivecast.yaml",
        "store: ./editions\n",
        &format!("store: ./editions\n    engine: \"sc://127.0.0.1:{connect}\"\n"),
    );
    assert_eq!(edition(&scratch), embedded);
    let reported = reported(ui, &mut server);
    for setting in answer["cluster"]["settings"].as_array().unwrap() {
        let name = setting["name"].as_str().unwrap();
        assert_eq!(reported.get(name).map(String::as_str), setting["value"].as_str(), "{name}");
    }
    server.stop();
    worker.stop();
    master.stop();
}

/// The checksum and the documents of the first day's edition, which is built.
fn edition(scratch: &Scratch) -> (String, u64) {
    let report = scratch.hivecast(["build", "--load-date", DAYS[0], "--json"]).succeeded().json();
    let edition = &report["runs"][0]["edition"];
    (edition["checksum"].as_str().unwrap().to_owned(), edition["documents"].as_u64().unwrap())
}

/// What Spark says of its own settings.
fn reported(ui: u16, server: &mut Kept) -> std::collections::BTreeMap<String, String> {
    let applications = wait_for("its applications", server, || page(ui, "/api/v1/applications"));
    let id = applications[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/applications/{id}/environment");
    let environment = wait_for("its settings", server, || page(ui, &path));
    let pairs = environment["sparkProperties"].as_array().unwrap().iter();
    pairs.map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned())).collect()
}
