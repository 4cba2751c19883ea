//! Asking Apache Spark's own classes, through `dev/spark-answers`.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Where Spark is, and its answers in the order of the questions.
pub(crate) struct Answers {
    pub(crate) home: PathBuf,
    pub(crate) answers: Vec<Value>,
}

pub(crate) fn ask(questions: &[Value]) -> Answers {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dev/spark-answers"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let text = serde_json::to_vec(questions).unwrap();
    child.stdin.take().unwrap().write_all(&text).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut found: Value = serde_json::from_slice(&done.stdout).unwrap();
    let Value::Array(answers) = found["answers"].take() else { panic!("{found}") };
    assert_eq!(answers.len(), questions.len());
    Answers { home: found["home"].as_str().unwrap().into(), answers }
}

/// As [`ask`], of which only the answers are wanted.
pub(crate) fn answers(questions: &[Value]) -> Vec<Value> {
    ask(questions).answers
}
