//! A cluster of Spark's own manager, and a Spark Connect server started there with our two files: it has to say of
//! itself what they say of it.

use std::path::Path;

use hivecast_estimate::spark::files::{CONF_NAME, SUBMIT_NAME};
use hivecast_estimate::spark::memory::{container, fractions_for};
use hivecast_estimate::spark::{
    Allocation, Driver, Executor, MIB, Manager, Overhead, Shape, TaskNeed, heap_for, regions, settings,
};
use serde_json::Value;

use crate::files::files;
use crate::processes::{Kept, free_port, listens, page, wait_for};
use crate::spark::ask;

/// More than the shape asks for: what is beyond it has to stay unused.
const WORKER_CORES: &str = "6";
/// Of the worker, for all its executors.
const WORKER_MEMORY: &str = "8g";
/// Others than the shape's, which have to win, and one of the cluster's own, which has to stay.
const DEFAULTS: &str = "spark.executor.memory 3g\nspark.driver.memory 3g\nspark.memory.fraction 0.75\n\
                        spark.connect.session.planCache.maxSize 7\n";
const TOKEN: &str = "a-token-that-nobody-may-read";

fn shape() -> Shape {
    let need = TaskNeed { execution_per_task: 100 * MIB, outside_per_task: 60 * MIB, ..TaskNeed::default() };
    let cores = 2;
    let fractions = fractions_for(&need, cores);
    let heap = heap_for(&need, cores, fractions);
    Shape {
        allocation: Allocation::Fixed { executors: 2 },
        executor: Executor { cores, heap, overhead: Overhead::default().of(heap) },
        driver: Driver { cores: 1, heap: 768 * MIB, overhead: 400 * MIB },
        fractions,
        shuffle_partitions: 7,
        manager: Manager::Standalone,
    }
}

#[test]
fn a_server_started_with_the_files_has_the_shape() {
    for allocation in [Allocation::Fixed { executors: 2 }, Allocation::Dynamic { least: 1, most: 2 }] {
        let shape = Shape { allocation, ..shape() };
        let executors = if let Allocation::Dynamic { least, .. } = allocation { least } else { 2 };
        compare(&shape, executors);
    }
}

/// Starts a cluster and the server, and holds what they say against the shape, with so many executors at the start.
fn compare(shape: &Shape, executors: u32) {
    let dir = tempfile::Builder::new().prefix("with space ").tempdir().unwrap();
    let home = ask(&[]).home;
    let [master_port, master_ui, ui] = [(); 3].map(|()| free_port());
    let machine =
        Machine { home: text(&home), dir: dir.path(), address: format!("spark://127.0.0.1:{master_port}") };
    let master = machine.master(master_port, master_ui);
    let worker = machine.worker();
    let mut server = machine.server(shape, ui);
    let found = wait_for("executors", &mut server, || all_executors(ui, executors));
    settings_are_the_shapes(shape, ui);
    heaps_are_the_shapes(shape, &found);
    master_counts_heaps(shape, executors, master_ui);
    token_is_in_no_argument(&server);
    server.stop();
    worker.stop();
    master.stop();
}

/// Where the processes of a cluster are.
struct Machine<'a> {
    home: &'a str,
    dir: &'a Path,
    /// The master's.
    address: String,
}

impl Machine<'_> {
    fn master(&self, port: u16, ui: u16) -> Kept {
        let arguments = ["--host", "127.0.0.1", "--port", &port.to_string(), "--webui-port", &ui.to_string()];
        let mut master = self.daemon("master.Master", &arguments);
        wait_for("the master", &mut master, || listens(port).then_some(()));
        master
    }

    fn worker(&self) -> Kept {
        let work = self.dir.join("work");
        let here = ["--host", "127.0.0.1", "--webui-port", "0", "--work-dir", text(&work)];
        let size = ["--cores", WORKER_CORES, "--memory", WORKER_MEMORY, &self.address];
        self.daemon("worker.Worker", &[here.as_slice(), &size].concat())
    }

    fn daemon(&self, class: &str, arguments: &[&str]) -> Kept {
        let (run, name) =
            (format!("{}/bin/spark-class", self.home), format!("org.apache.spark.deploy.{class}"));
        let command = [&[run.as_str(), &name], arguments].concat();
        let memory = [("SPARK_DAEMON_MEMORY", "512m")];
        Kept::start(
            &command,
            &[self.environment().as_slice(), &memory].concat(),
            &self.dir.join(format!("{class}.log")),
        )
    }

    /// The server, once it listens.
    fn server(&self, shape: &Shape, ui: u16) -> Kept {
        let (conf, token, port) = (self.dir.join("conf"), self.dir.join("token"), free_port());
        std::fs::create_dir(&conf).unwrap();
        std::fs::write(conf.join("spark-defaults.conf"), DEFAULTS).unwrap();
        std::fs::write(&token, TOKEN).unwrap();
        let port_text = port.to_string();
        let environment = [
            ("SPARK_MASTER", self.address.as_str()),
            ("SPARK_CONF_DIR", text(&conf)),
            ("SPARK_CONNECT_PORT", &port_text),
            ("SPARK_CONNECT_TOKEN_FILE", text(&token)),
        ];
        let mut server = start(shape, self.dir, &[self.environment().as_slice(), &environment].concat(), ui);
        wait_for("the server", &mut server, || listens(port).then_some(()));
        server
    }

    fn environment(&self) -> [(&str, &str); 3] {
        [("SPARK_HOME", self.home), ("SPARK_LOCAL_IP", "127.0.0.1"), ("SPARK_LOCAL_DIRS", text(self.dir))]
    }
}

fn start(shape: &Shape, dir: &Path, environment: &[(&str, &str)], ui: u16) -> Kept {
    let (conf, submit) = files(shape);
    std::fs::write(dir.join(CONF_NAME), conf).unwrap();
    let script = dir.join(SUBMIT_NAME);
    std::fs::write(&script, submit).unwrap();
    std::fs::write(dir.join("token"), TOKEN).unwrap();
    let [ui, warehouse] = [
        format!("spark.ui.port={ui}"),
        format!("spark.sql.warehouse.dir={}", dir.join("warehouse").display()),
    ];
    let command = [
        "sh",
        text(&script),
        "--conf",
        &ui,
        "--conf",
        &warehouse,
        "--conf",
        "spark.driver.host=127.0.0.1",
        "--conf",
        "spark.connect.grpc.binding.address=127.0.0.1",
    ];
    Kept::start(&command, environment, &dir.join("server.log"))
}

/// The driver and its executors, once so many are there.
fn all_executors(ui: u16, expected: u32) -> Option<Vec<Value>> {
    let path = format!("/api/v1/applications/{}/executors", application(ui)?);
    let Value::Array(all) = page(ui, &path)? else { return None };
    let known = |one: &Value| one["memoryMetrics"]["totalOnHeapStorageMemory"].as_u64().is_some();
    (all.len() == expected as usize + 1 && all.iter().all(known)).then_some(all)
}

fn application(ui: u16) -> Option<String> {
    Some(page(ui, "/api/v1/applications")?[0]["id"].as_str()?.to_owned())
}

fn settings_are_the_shapes(shape: &Shape, ui: u16) {
    let path = format!("/api/v1/applications/{}/environment", application(ui).unwrap());
    let environment = page(ui, &path).unwrap();
    let value = |name: &str| {
        let all = environment["sparkProperties"].as_array().unwrap();
        all.iter().find(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned())
    };
    for setting in settings(shape) {
        assert_eq!(value(&setting.name), setting.value, "{}", setting.name);
    }
    assert_eq!(
        value("spark.connect.session.planCache.maxSize").as_deref(),
        Some("7"),
        "the cluster's own defaults"
    );
    let profile = &environment["resourceProfiles"][0]["executorResources"];
    let amounts =
        ["cores", "memory", "memoryOverhead", "offHeap"].map(|name| profile[name]["amount"].as_u64());
    let Executor { cores, heap, overhead } = shape.executor;
    assert_eq!(amounts, [u64::from(cores), heap / MIB, overhead / MIB, 0].map(Some), "{profile}");
    assert!(profile["pyspark.memory"].is_null());
}

fn heaps_are_the_shapes(shape: &Shape, all: &[Value]) {
    for one in all {
        let (heap, cores) = match one["id"].as_str() {
            Some("driver") => (shape.driver.heap, 0),
            _ => (shape.executor.heap, shape.executor.cores),
        };
        let unified = regions(heap, shape.fractions).unwrap().unified;
        assert_eq!(one["memoryMetrics"]["totalOnHeapStorageMemory"].as_u64(), Some(unified), "{one}");
        assert_eq!(one["totalCores"].as_u64(), Some(cores.into()), "{one}");
    }
}

/// What `Manager::Standalone` says: no more executors than were asked for, and of each the heap alone is counted,
/// while the machine has to have the container.
fn master_counts_heaps(shape: &Shape, executors: u32, master_ui: u16) {
    let state = page(master_ui, "/json/").unwrap();
    let [worker] = state["workers"].as_array().unwrap().as_slice() else { panic!("{state}") };
    let heaps = shape.executor.heap / MIB * u64::from(executors);
    assert_eq!(worker["memoryused"].as_u64(), Some(heaps), "{state}");
    assert_eq!(worker["coresused"].as_u64(), Some((shape.executor.cores * executors).into()), "{state}");
    let asked = container(shape.executor.heap, shape.executor.overhead);
    assert!(heaps * MIB < Manager::Standalone.granted(asked) * u64::from(executors));
}

fn token_is_in_no_argument(server: &Kept) {
    let read = |id: &u32, what: &str| std::fs::read(format!("/proc/{id}/{what}")).unwrap_or_default();
    let holds = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains(TOKEN);
    let members = server.members();
    assert!(members.iter().any(|id| holds(read(id, "environ"))), "the server was not given the token");
    assert!(!members.iter().any(|id| holds(read(id, "cmdline"))), "the token is an argument");
    assert!(!server.log().contains(TOKEN), "the token is in the log");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
