//! What the script hands on to `spark-submit`, here a stand-in that prints it, and what it says when it can't.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use hivecast_estimate::spark::files::{CONF_NAME, SUBMIT_NAME};
use hivecast_estimate::spark::{Allocation, Driver, Executor, Fractions, GIB, MIB, Manager, Shape};

use crate::files::files;

/// Prints its arguments, one a line, and the token that it was given.
const PRINT: &str = "#!/bin/sh\nprintf '%s\\n' \"$@\" \"token ${SPARK_CONNECT_AUTHENTICATE_TOKEN:-}\"\n";

fn shape(manager: Manager) -> Shape {
    let executor = Executor { cores: 4, heap: 8 * GIB, overhead: 819 * MIB };
    let driver = Driver { cores: 2, heap: 4 * GIB, overhead: 409 * MIB };
    let allocation = Allocation::Fixed { executors: 3 };
    Shape { allocation, executor, driver, fractions: Fractions::default(), shuffle_partitions: 48, manager }
}

/// A directory whose name needs quotes, with both files and a Spark that prints.
fn directory(manager: Manager) -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("it's $(a) ").tempdir().unwrap();
    let (conf, submit) = files(&shape(manager));
    std::fs::write(dir.path().join(CONF_NAME), conf).unwrap();
    std::fs::write(dir.path().join(SUBMIT_NAME), submit).unwrap();
    let bin = dir.path().join("spark home/bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("spark-submit"), PRINT).unwrap();
    std::fs::set_permissions(bin.join("spark-submit"), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn run(dir: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.arg(dir.join(SUBMIT_NAME)).args(arguments).env_clear();
    command.env("PATH", "/usr/bin:/bin").envs(environment.iter().copied()).output().unwrap()
}

fn lines(output: &Output) -> Vec<&str> {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap().lines().collect()
}

#[test]
fn everything_is_handed_on_in_order_and_quoted() {
    let dir = directory(Manager::YARN);
    let home = dir.path().join("spark home");
    let output = run(
        dir.path(),
        &[("SPARK_HOME", home.to_str().unwrap())],
        &["--conf", "spark.app.name=it's $HOME *"],
    );
    let conf = dir.path().join(CONF_NAME);
    let expected = [
        ["--master", "yarn"].as_slice(),
        &["--deploy-mode", "client", "--name", "Spark Connect server"],
        &["--properties-file", conf.to_str().unwrap(), "--load-spark-defaults"],
        &["--conf", "spark.connect.grpc.binding.port=15002"],
        &["--class", "org.apache.spark.sql.connect.service.SparkConnectServer"],
        &["--conf", "spark.driver.memoryOverhead=409m"],
        &["--conf", "spark.driver.memory=4096m", "--conf", "spark.driver.cores=2"],
        // What it is called with comes behind ours, so that it wins.
        &["--conf", "spark.app.name=it's $HOME *", "spark-internal", "token "],
    ];
    assert_eq!(lines(&output), expected.concat());
}

#[test]
fn kubernetes_takes_an_image_and_an_address() {
    let dir = directory(Manager::Kubernetes);
    let home = dir.path().join("spark home");
    let environment = [
        ("SPARK_HOME", home.to_str().unwrap()),
        ("SPARK_IMAGE", "registry/spark:4"),
        ("SPARK_DRIVER_HOST", "10.0.0.7"),
    ];
    let output = run(dir.path(), &environment, &[]);
    let lines = lines(&output);
    assert!(lines.contains(&"k8s://https://kubernetes.default.svc:443"));
    assert!(lines.contains(&"spark.kubernetes.container.image=registry/spark:4"));
    assert!(lines.contains(&"spark.driver.host=10.0.0.7"));
}

#[test]
fn a_spark_in_the_path_is_found_and_the_token_is_no_argument() {
    let dir = directory(Manager::Standalone);
    let path = format!("{}:/usr/bin:/bin", dir.path().join("spark home/bin").display());
    let token = dir.path().join("token");
    std::fs::write(&token, "very secret\n").unwrap();
    let environment = [
        ("PATH", path.as_str()),
        ("SPARK_MASTER", "spark://there:7077"),
        ("SPARK_CONNECT_PORT", "15999"),
        ("SPARK_CONNECT_TOKEN_FILE", token.to_str().unwrap()),
    ];
    let output = run(dir.path(), &environment, &[]);
    let lines = lines(&output);
    assert_eq!(lines[..2], ["--master", "spark://there:7077"]);
    assert!(lines.contains(&"spark.connect.grpc.binding.port=15999"));
    assert_eq!(
        lines.iter().filter(|line| line.contains("secret")).collect::<Vec<_>>(),
        [&"token very secret"]
    );
}

#[test]
fn what_is_missing_is_said() {
    let dir = directory(Manager::YARN);
    let home = dir.path().join("spark home");
    let said = |environment: &[(&str, &str)]| {
        let output = run(dir.path(), environment, &[]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(said(&[]).starts_with("failed to find spark-submit: set SPARK_HOME"));
    assert!(said(&[("SPARK_HOME", "/nowhere")]).starts_with("failed to find /nowhere/bin/spark-submit"));
    let found = [("SPARK_HOME", home.to_str().unwrap())];
    let no_token = [found[0], ("SPARK_CONNECT_TOKEN_FILE", "/nowhere/token")];
    assert!(said(&no_token).contains("/nowhere/token"));
    let standalone = directory(Manager::Standalone);
    let output = run(standalone.path(), &found, &[]);
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), b"".as_slice()), "no master is made up");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("failed to find the cluster: set SPARK_MASTER"), "{told}");
    std::fs::remove_file(dir.path().join(CONF_NAME)).unwrap();
    assert!(said(&found).starts_with("failed to read "));
}
