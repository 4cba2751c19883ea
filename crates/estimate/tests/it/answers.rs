//! The arithmetic, held against Spark's own answers.

use hivecast_estimate::spark::memory::{
    HEAP_STEP, LEAST_HEAP, LEAST_OVERHEAD, NON_JVM_OVERHEAD_PERCENT, OVERHEAD_PERCENT, container, mebibytes,
};
use hivecast_estimate::spark::{Fractions, GIB, MIB, Manager, Overhead, TaskNeed, heap_for, regions};
use serde_json::{Value, json};

use crate::spark::answers;

#[test]
fn every_fraction_of_a_heap_is_what_spark_makes_it() {
    let heaps = [LEAST_HEAP, LEAST_HEAP + 1, GIB, 8896 * MIB + 12_345, 31 * GIB - 7, 200 * GIB];
    let usual = Fractions::default();
    let memory = (1..100).map(|memory| Fractions { memory, ..usual });
    let storage = (0..=99).map(|storage| Fractions { storage, ..usual });
    let fractions: Vec<Fractions> = memory.chain(storage).collect();
    let cases: Vec<(u64, Fractions)> =
        heaps.iter().flat_map(|heap| fractions.iter().map(move |one| (*heap, *one))).collect();
    let ask = |(heap, of): &(u64, Fractions)| {
        let conf = json!({
            "spark.testing.memory": heap.to_string(),
            "spark.memory.fraction": (f64::from(of.memory) / 100.0).to_string(),
            "spark.memory.storageFraction": (f64::from(of.storage) / 100.0).to_string(),
        });
        json!({"ask": "regions", "conf": conf})
    };
    for ((heap, of), answer) in cases.iter().zip(answers(&cases.iter().map(ask).collect::<Vec<_>>())) {
        let ours = regions(*heap, *of).unwrap();
        assert_eq!((ours.unified, ours.storage), (number(&answer["unified"]), number(&answer["storage"])));
    }
}

#[test]
fn spark_divides_heaps_as_we_do_where_its_settings_are_silent() {
    let heaps = [LEAST_HEAP, 512 * MIB, GIB, 64 * GIB];
    let ask = |heap: &u64| json!({"ask": "regions", "conf": {"spark.testing.memory": heap.to_string()}});
    for (heap, answer) in heaps.iter().zip(answers(&heaps.iter().map(ask).collect::<Vec<_>>())) {
        let ours = regions(*heap, Fractions::default()).unwrap();
        assert_eq!((ours.unified, ours.storage), (number(&answer["unified"]), number(&answer["storage"])));
    }
}

#[test]
fn spark_refuses_the_heaps_that_we_refuse() {
    let too_small = LEAST_HEAP - 1;
    let of_driver = json!({"spark.testing.memory": too_small.to_string()});
    let of_executor = json!({"spark.testing.memory": GIB.to_string(), "spark.executor.memory": "449m"});
    let questions = [of_driver, of_executor].map(|conf| json!({"ask": "regions", "conf": conf}));
    for answer in answers(&questions) {
        assert!(
            answer["refused"].as_str().is_some_and(|text| text.contains(&LEAST_HEAP.to_string())),
            "{answer}"
        );
    }
    assert!(regions(too_small, Fractions::default()).is_err());
}

#[test]
fn java_gives_a_heap_of_whole_steps_as_it_is() {
    let heap = 17 * HEAP_STEP;
    let java = |collector: &str| {
        let java = format!("--driver-memory {}m --driver-java-options -XX:+Use{collector}GC", heap / MIB);
        json!({"ask": "regions", "java": java})
    };
    let found = answers(&[java("G1"), java("Serial")]);
    let ours = regions(heap, Fractions::default()).unwrap();
    assert_eq!((number(&found[0]["heap"]), number(&found[0]["unified"])), (heap, ours.unified));
    // What the doc comment of `regions` says of the serial collector.
    let serial = number(&found[1]["heap"]);
    assert!(serial < heap && serial > heap / 100 * 96, "{serial} of {heap}");
}

#[test]
fn tasks_of_a_heap_for_their_need_all_get_it_and_no_more_than_their_part() {
    let needs = [(1, GIB), (3, 100 * MIB + 1), (4, 512 * MIB), (5, 777 * MIB + 7), (8, 3 * GIB)];
    let fractions = Fractions::default();
    let heap = |(tasks, bytes): (u32, u64)| {
        heap_for(&TaskNeed { execution_per_task: bytes, ..TaskNeed::default() }, tasks, fractions)
    };
    let ask = |bytes: u64, (tasks, need): (u32, u64)| {
        let conf = json!({"spark.testing.memory": heap((tasks, need)).to_string()});
        json!({"ask": "execution", "conf": conf, "tasks": tasks, "bytes": bytes})
    };
    let enough = needs.map(|need| ask(need.1, need));
    for ((tasks, bytes), answer) in needs.into_iter().zip(answers(&enough)) {
        assert_eq!(answer["first"], json!(vec![bytes; tasks as usize]), "{tasks} tasks");
    }
    let part = |need: (u32, u64)| regions(heap(need), fractions).unwrap().unified / u64::from(need.0);
    let more = needs.map(|need| ask(part(need), need));
    for (need, answer) in needs.into_iter().zip(answers(&more)) {
        assert_eq!(answer["first"], json!(vec![part(need); need.0 as usize]));
        assert_eq!(answer["again"], json!(vec![0; need.0 as usize]));
    }
}

#[test]
fn pods_of_kubernetes_are_heap_and_overhead() {
    let heaps = [512, 3840, 3841, 8192, 8896, 100_001];
    let overheads = [
        (json!({}), Overhead::default()),
        (factor("0.25", "1g"), Overhead::Factor { percent: 25, least: GIB }),
        (
            json!({"spark.executor.memoryOverhead": "200m", "spark.driver.memoryOverhead": "200m",
                "spark.executor.memoryOverheadFactor": "0.5"}),
            Overhead::Stated(200 * MIB),
        ),
    ];
    let cases = cases(&heaps, &overheads);
    let ask = |(heap, conf, _): &Case| json!({"ask": "kubernetes", "conf": with_heap(conf, *heap)});
    for ((heap, _, overhead), answer) in cases.iter().zip(answers(&cases.iter().map(ask).collect::<Vec<_>>()))
    {
        let heap = heap * MIB;
        let asked = Manager::Kubernetes.granted(container(heap, overhead.of(heap)));
        let ours = format!("{}Mi", mebibytes(asked));
        assert_eq!((answer["executor"].as_str(), answer["driver"].as_str()), (Some(&*ours), Some(&*ours)));
    }
}

#[test]
fn applications_in_python_have_more_overhead_on_kubernetes() {
    let conf = with_heap(&json!({}), 8192);
    let [answer] = &answers(&[json!({"ask": "kubernetes", "language": "python", "conf": conf})])[..] else {
        panic!("one answer")
    };
    let [jvm, other] = [OVERHEAD_PERCENT, NON_JVM_OVERHEAD_PERCENT].map(|percent| {
        let overhead = Overhead::Factor { percent, least: LEAST_OVERHEAD };
        format!("{}Mi", mebibytes(container(8 * GIB, overhead.of(8 * GIB))))
    });
    assert_eq!((answer["executor"].as_str(), answer["driver"].as_str()), (Some(&*jvm), Some(&*other)));
}

#[test]
fn yarn_is_asked_for_the_overhead_that_we_reckon() {
    let heaps = [512, 3841, 8896, 100_001];
    let overheads = [
        (json!({}), Overhead::default()),
        (factor("0.25", "1g"), Overhead::Factor { percent: 25, least: GIB }),
        (json!({"spark.executor.memoryOverhead": "77m"}), Overhead::Stated(77 * MIB)),
    ];
    let cases = cases(&heaps, &overheads);
    let ask = |(heap, conf, _): &Case| json!({"ask": "yarn", "conf": with_heap(conf, *heap)});
    for ((heap, _, overhead), answer) in cases.iter().zip(answers(&cases.iter().map(ask).collect::<Vec<_>>()))
    {
        assert_eq!(number(&answer["executorMemoryOverhead"]) * MIB, overhead.of(heap * MIB));
        let master = (number(&answer["amMemory"]) + number(&answer["amMemoryOverhead"])) * MIB;
        let exact = Manager::Yarn { minimum: 0, increment: MIB, maximum: None };
        assert_eq!(exact.application_master().unwrap().memory, master);
    }
}

#[test]
fn yarn_grants_what_we_say_it_does() {
    let schedulers =
        [(1024, 1024, 8192), (256, 128, 100_000), (1024, 0, 8192), (1000, 300, 5000), (0, 512, 65_536)];
    let sizes = [1, 384, 896, 1023, 1024, 1025, 1408, 2047, 4999, 5000, 8191, 8192, 9011, 13_516];
    let cases: Vec<_> =
        schedulers.iter().flat_map(|one| sizes.iter().map(move |asked| (*one, *asked))).collect();
    let ask = |((minimum, increment, maximum), asked): &((u64, u64, u64), u64)| json!({"ask": "yarn_grants", "asked": asked, "minimum": minimum, "increment": increment, "maximum": maximum});
    for (((minimum, increment, maximum), asked), answer) in
        cases.iter().zip(answers(&cases.iter().map(ask).collect::<Vec<_>>()))
    {
        let [minimum, increment, maximum] = [minimum, increment, maximum].map(|size| size * MIB);
        let manager = Manager::Yarn { minimum, increment, maximum: Some(maximum) };
        assert_eq!(manager.granted(asked * MIB), number(&answer) * MIB, "{manager:?}, {asked} MiB");
    }
}

/// A heap in MiB, further settings, and the overhead that they mean.
type Case = (u64, Value, Overhead);

fn cases(heaps: &[u64], overheads: &[(Value, Overhead)]) -> Vec<Case> {
    let each =
        heaps.iter().flat_map(|heap| overheads.iter().map(move |(conf, is)| (*heap, conf.clone(), *is)));
    each.collect()
}

fn factor(factor: &str, least: &str) -> Value {
    json!({
        "spark.executor.memoryOverheadFactor": factor, "spark.driver.memoryOverheadFactor": factor,
        "spark.executor.minMemoryOverhead": least, "spark.driver.minMemoryOverhead": least,
    })
}

fn with_heap(conf: &Value, heap: u64) -> Value {
    let mut conf = conf.clone();
    for name in ["spark.executor.memory", "spark.driver.memory"] {
        conf[name] = json!(format!("{heap}m"));
    }
    conf
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}
