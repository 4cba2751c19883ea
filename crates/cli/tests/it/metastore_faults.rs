//! A metastore that is slow, restarted, dead, or that lies: the exit code, and what the message names.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::cluster::{Outside, Project, hdfs_as_owner, host, metastore, says, variable};
use crate::servers::dead_address;
use crate::support::DAYS;

/// As slow as a metastore whose database is being cleaned up.
const SLOW: Duration = Duration::from_secs(30);

/// What stands between hivecast and a metastore does with an answer, by its number.
type Answers = dyn Fn(usize) -> Answer + Send + Sync;

#[derive(Clone, Copy)]
enum Answer {
    PassOn,
    After(Duration),
    /// It is lost, and for so long nobody listens.
    Restart(Duration),
}

/// Passes calls on to a server, and does with its answers as it is told.
fn proxy(server: &str, answers: impl Fn(usize) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (at, server) = (address.clone(), server.to_owned());
    let answers: Arc<Answers> = Arc::new(answers);
    thread::spawn(move || {
        let count = AtomicUsize::new(0);
        let mut listener = Some(listener);
        // One client with one connection at a time, as hivecast is.
        loop {
            let open = listener.take().unwrap_or_else(|| TcpListener::bind(&at).unwrap());
            let Ok((client, _)) = open.accept() else { return };
            match serve(&client, &TcpStream::connect(&server).unwrap(), &count, &*answers) {
                Some(down) => {
                    drop(open);
                    drop(client);
                    thread::sleep(down);
                }
                None => listener = Some(open),
            }
        }
    });
    address
}

/// How long nobody is to listen after this connection, where the server is to seem restarted.
fn serve(
    mut client: &TcpStream,
    mut server: &TcpStream,
    count: &AtomicUsize,
    answers: &Answers,
) -> Option<Duration> {
    let mut buffer = vec![0; 1 << 16];
    let ended = |stream: &TcpStream| stream.shutdown(Shutdown::Both);
    // A call and its answer each come whole, since both are small and the client waits for the one
    // before it sends the other.
    while let Ok(called @ 1..) = client.read(&mut buffer) {
        server.write_all(&buffer[..called]).ok()?;
        let Ok(answered @ 1..) = server.read(&mut buffer) else { break };
        match answers(count.fetch_add(1, Ordering::SeqCst)) {
            Answer::PassOn => {}
            Answer::After(pause) => thread::sleep(pause),
            Answer::Restart(down) => {
                let _ = ended(client);
                return Some(down);
            }
        }
        if client.write_all(&buffer[..answered]).is_err() {
            break;
        }
    }
    let _ = ended(client);
    None
}

/// A project with a sample of one day in a metastore, whose environment `hive` reaches it at this address.
fn sampled(test: &str, address: &str, settings: &str) -> Project {
    let project = Project::new(test);
    project.environment("direct", &format!("warehouse: {{ metastore: \"{}\" }}", variable("METASTORE_4")));
    let warehouse = format!("warehouse: {{ metastore: \"thrift://{address}\"{settings} }}");
    project.environment("hive", &warehouse);
    project.sample("direct", 30, 1, &["--location", "lake"]);
    project
}

#[test]
fn a_slow_metastore_is_waited_for_as_long_as_the_project_file_says() {
    let server = variable("METASTORE_4");
    // The answer to the first question: the one before is to who asks.
    let slow = |number| if number == 1 { Answer::After(SLOW) } else { Answer::PassOn };
    let address = proxy(host(&server), slow);
    let project = sampled("slow", &address, ", answer_timeout: 2m, operation_timeout: 5m, rounds: 1");
    let run = project.run("hive", &["publish", "--load-date", DAYS[2]]);
    assert_eq!(run["outcome"], "published", "{run}");

    let always =
        proxy(host(&server), |number| if number == 0 { Answer::PassOn } else { Answer::After(SLOW) });
    let settings =
        format!("warehouse: {{ metastore: \"thrift://{always}\", answer_timeout: 2s, rounds: 1 }}");
    project.environment("hasty", &settings);
    let said = project.hivecast("hasty", &["publish", "--load-date", DAYS[2]]).failed(10);
    says(&said, &["table accounts", &always, "no answer within 2 s"]);
    assert!(!project.scratch.join("topics-hasty/mdm.contracts").exists(), "nothing was sent");
}

#[test]
fn a_metastore_that_is_restarted_between_two_calls_is_asked_again() {
    let server = variable("METASTORE_4");
    let down = Duration::from_secs(3);
    let restarts = move |number| if matches!(number, 2 | 5) { Answer::Restart(down) } else { Answer::PassOn };
    let address = proxy(host(&server), restarts);
    let project = sampled("restarted", &address, "");
    let run = project.run("hive", &["publish", "--load-date", DAYS[2]]);
    assert_eq!(run["outcome"], "published", "{run}");

    // The same without another round.
    let address = proxy(host(&server), restarts);
    project.environment("once", &format!("warehouse: {{ metastore: \"thrift://{address}\", rounds: 1 }}"));
    let said = project.hivecast("once", &["publish", "--load-date", DAYS[2]]).failed(10);
    says(&said, &["table ", &address, &project.name]);
}

#[test]
fn a_dead_metastore_is_infrastructure_with_every_host_named() {
    let (one, two) = (dead_address(), dead_address());
    let project = Project::new("dead");
    let both = format!("[\"thrift://{one}\", \"thrift://{two}\"]");
    project.environment("hive", &format!("warehouse: {{ metastore: {both}, rounds: 2, pause: 100ms }}"));
    let said = project.hivecast("hive", &["publish", "--load-date", DAYS[2]]).failed(10);
    says(&said, &["table accounts", &one, &two, "refused"]);
}

/// A location that the metastore speaks of and that is not there: nothing but a new export mends it, so it
/// is the data's fault, and not one that may pass.
#[test]
fn a_metastore_that_lies_about_a_location_is_a_fault_of_the_data() {
    let project = Project::new("lying");
    let server = variable("METASTORE_4");
    project.environment("hive", &format!("warehouse: {{ metastore: \"{server}\" }}"));
    let home = format!("{}/{}", variable("HDFS"), project.name);
    project.sample("hive", 30, 1, &["--location", &home]);
    let parties = format!("{home}/{}.db/parties/load_date={}", project.name, DAYS[2]);
    let partition = Outside::new(&parties, hdfs_as_owner("022"));
    partition.storage.remove(&partition.at).unwrap();
    let said = project.hivecast("hive", &["publish", "--load-date", DAYS[2]]).failed(20);
    says(&said, &["table parties", DAYS[2], &parties, host(&server)]);
    assert_eq!(metastore("4").tables(&project.name).unwrap().len(), 3);
}
