//! What holds of every answer.

use hivecast_run::format::bytes;
use proptest::prelude::*;

use crate::spark::{Cluster, DriverPlace, Fractions, Manager, heap_for};
use crate::*;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

const RULE: EmbeddedRule = EmbeddedRule {
    least_bytes: 64 << 20,
    worker_bytes: 48 << 20,
    rows_share: 0.7,
    slack: 1.1,
    part_divisor: 3,
};

/// The sample's shape: accounts, their parties, their addresses.
fn facts(accounts: f64, largest: u64) -> Facts {
    let level = |path: &str, rows: f64, row_bytes: f64, largest: Vec<u64>| LevelFacts {
        path: path.to_owned(),
        table: format!("table of {path}"),
        read: Counted { value: Range::exact(rows), source: Source::Footers },
        read_bytes: Counted { value: Range::exact(rows * row_bytes), source: Source::Footers },
        rows: Counted { value: Range::exact(rows * 0.9), source: Source::Scan },
        largest,
        largest_error: 0,
    };
    Facts {
        version: FACTS_VERSION,
        feed: "contracts".to_owned(),
        load_date: "2026-11-22".to_owned(),
        tables: vec![TableFacts {
            table: "accounts".to_owned(),
            files: 8,
            stored_bytes: (accounts * 40.0) as u64,
            rows: Counted { value: Range::exact(accounts), source: Source::Footers },
        }],
        levels: vec![
            level("", accounts, 180.0, Vec::new()),
            level("parties", accounts * 1.4, 150.0, vec![largest, 3, 3]),
            level("parties.address", accounts * 1.3, 220.0, vec![2, 1]),
        ],
        document_bytes: Counted { value: Range::exact(1_500.0), source: Source::History },
        unfit_for_spark: None,
    }
}

/// An executor's heap for so many tasks at once.
fn heap(facts: &Facts, cores: u32) -> u64 {
    heap_for(&cluster::tasks::tasks(facts).need, cores, Fractions::default())
}

fn machine(threads: u32) -> Machine {
    Machine {
        threads,
        threads_by: ThreadsBy::Machine,
        memory_bytes: 64 * GIB,
        spill_free_bytes: None,
        limit_bytes: None,
    }
}

fn question(facts: Facts, threads: u32, cluster: Option<Cluster>, deadline: Option<f64>) -> Question {
    Question {
        facts,
        machine: machine(threads),
        rule: RULE,
        cluster,
        server: None,
        purpose: Purpose::Publish,
        wanted: Wanted { deadline, core_price: 0.05, dynamic: Dynamic::Fixed },
        models: Models::new(Model::default_of),
    }
}

fn yarn(nodes: u32, cores: u32, memory: u64) -> Cluster {
    Cluster { driver: DriverPlace::OnANode, ..Cluster::new(nodes, cores, memory, Manager::YARN) }
}

proptest! {
    #[test]
    fn more_data_never_needs_less(accounts in 1e3..1e9_f64, more in 1.0..50.0_f64, threads in 1..64_u32, largest in 1..100_000_u64) {
        let (small, large) = (facts(accounts, largest), facts(accounts * more, largest));
        let plan = |facts: &Facts| answer(&question(facts.clone(), threads, None, None)).embedded;
        let (few, many) = (plan(&small), plan(&large));
        prop_assert!(many.limit_bytes >= few.limit_bytes);
        // Past the limit, what is held hangs on the limit.
        prop_assert!(many.way != few.way || many.peak.expected >= few.peak.expected);
        prop_assert!(many.wall.expected >= few.wall.expected);
        prop_assert!(many.spill.expected >= few.spill.expected);
        let need = |facts: &Facts| cluster::tasks::tasks(facts).need;
        let (few, many) = (need(&small), need(&large));
        prop_assert!(many.execution_per_task >= few.execution_per_task);
        prop_assert!(many.outside_per_task >= few.outside_per_task);
        prop_assert!(heap(&large, 2) >= heap(&small, 2));
    }

    #[test]
    fn a_larger_key_never_needs_less(accounts in 1e4..1e8_f64, rows in 1..1_000_000_u64, more in 1..50_u64) {
        let heap = |largest| heap(&facts(accounts, largest), 4);
        prop_assert!(heap(rows * more) >= heap(rows));
        // With more threads it may be less: fewer are then taken.
        let limit = |largest| answer(&question(facts(accounts, largest), 1, None, None)).embedded.limit_bytes;
        prop_assert!(limit(rows * more) >= limit(rows));
    }

    #[test]
    fn more_cores_never_take_longer(accounts in 1e3..1e9_f64, threads in 1..64_u32, nodes in 1..40_u32, largest in 1..1_000_000_u64) {
        let wall = |threads| answer(&question(facts(accounts, largest), threads, None, None)).embedded.wall.expected;
        prop_assert!(wall(threads + 1) <= wall(threads) * (1.0 + 1e-9));
        let found = answer(&question(facts(accounts, largest), threads, Some(yarn(nodes, 16, 256 * GIB)), None));
        if let Some(plan) = found.cluster {
            for pair in plan.curve.windows(2) {
                prop_assert!(pair[1].executors > pair[0].executors);
                prop_assert!(pair[1].wall.expected <= pair[0].wall.expected * (1.0 + 1e-9), "{pair:?}");
            }
        }
    }

    #[test]
    fn a_plan_never_exceeds_the_cluster(
        accounts in 1e3..1e9_f64, nodes in 1..40_u32, cores in 1..64_u32, gib in 1..512_u64, deadline in 1.0..1e5_f64,
    ) {
        let cluster = yarn(nodes, cores, gib * GIB);
        let found = answer(&question(facts(accounts, 10), 8, Some(cluster), Some(deadline)));
        match found.cluster {
            None => prop_assert!(found.cluster_lacks.is_some_and(|lacks| !lacks.is_empty())),
            Some(plan) => for sized in [&plan.cheapest, &plan.fastest] {
                let executors = u64::from(sized.point.executors);
                let each = sized.shape.executor;
                let driver = sized.shape.driver;
                let master = cluster.manager.application_master().unwrap();
                let granted = cluster.manager.granted(each.heap + each.overhead);
                let memory = executors * granted + driver.heap + driver.overhead + master.memory;
                prop_assert!(sized.point.executors >= 1);
                prop_assert!(sized.point.cores + driver.cores + master.cores <= nodes * (cores - cluster.reserved_cores));
                prop_assert!(memory <= u64::from(nodes) * (gib * GIB - cluster.reserved_memory));
                prop_assert!(sized.point.cost.expected >= 0.0);
            },
        }
    }

    #[test]
    fn what_meets_a_deadline_meets_it_and_is_the_cheapest(accounts in 1e5..1e9_f64, deadline in 10.0..1e5_f64) {
        let found = answer(&question(facts(accounts, 10), 8, Some(yarn(10, 16, 64 * GIB)), Some(deadline)));
        let plan = found.cluster.unwrap();
        match &plan.deadline {
            Met::NoDeadline => prop_assert!(false, "there is one"),
            Met::Surely => prop_assert!(plan.cheapest.point.wall.high <= deadline),
            Met::Likely => prop_assert!(plan.cheapest.point.wall.expected <= deadline),
            Met::Never { would_do } => {
                prop_assert!(plan.fastest.point.wall.expected > deadline);
                prop_assert!(!would_do.is_empty());
            }
        }
        if plan.deadline != (Met::Surely) { return Ok(()) }
        for point in &plan.curve {
            prop_assert!(point.wall.high > deadline || point.cost.expected >= plan.cheapest.point.cost.expected * (1.0 - 1e-9));
        }
    }

    /// What a machine does of itself is found in its runs, whatever they were.
    #[test]
    fn models_find_what_made_their_observations(
        start in 0.0..10.0_f64, per_row in 0.0..5.0_f64, per_document in 0.1..20.0_f64, sizes in prop::collection::vec((1e5..1e8_f64, 1.0..20.0_f64), 6..20),
    ) {
        let load = |(rows, share): (f64, f64)| {
            let work = Work { rows, documents: rows / share, ..Work::default() };
            Load::plain(work, 2, 4.0)
        };
        let truth = |load: &Load| start + (per_row * load.work.rows + per_document * load.work.documents) / 1e6 / 4.0;
        let seen: Vec<Observation> =
            sizes.iter().map(|size| load(*size)).map(|load| Observation { load, measured: truth(&load) }).collect();
        let model = Model::fit(Subject::BuildSpark, &seen, Basis::Learned { runs: seen.len() });
        for observation in &seen {
            let predicted = model.predict(&observation.load);
            let off = predicted.expected / observation.measured - 1.0;
            prop_assert!(off.abs() < 0.2, "{off}: {model:?}");
        }
    }
}

#[test]
fn an_impossible_deadline_is_said_to_be_so_with_the_least_that_would_do() {
    let told = |deadline, nodes| {
        let asked = question(facts(1e8, 10), 2, Some(yarn(nodes, 16, 64 * GIB)), Some(deadline));
        let found = answer(&Question { purpose: Purpose::Build, ..asked });
        assert_eq!(found.choice.engine, Chosen::Neither, "{:?}", found.choice);
        found.choice.why
    };
    let never = told(1.0, 10);
    assert!(never.contains("no cluster does it in 1.0 s") && never.contains("at the target"), "{never}");
    let more = told(250.0, 1);
    assert!(more.contains("executors of") && more.contains("would do, on some"), "{more}");
}

#[test]
fn one_key_that_no_cores_help_is_what_a_deadline_is_missed_by() {
    let asked = question(facts(1e8, 60_000_000), 16, Some(yarn(400, 64, 2_048 * GIB)), Some(260.0));
    let found = answer(&Question { purpose: Purpose::Build, ..asked });
    let Met::Never { would_do } = found.cluster.unwrap().deadline else { panic!("it is met") };
    assert!(would_do.contains("the largest key"), "{would_do}");
}

#[test]
fn a_machine_that_can_with_fewer_threads_does() {
    let mut asked = question(facts(1e7, 6_000_000), 32, None, None);
    asked.machine.memory_bytes = 32 * GIB;
    let found = answer(&asked);
    assert_eq!(found.choice.engine, Chosen::Embedded, "{}", found.choice.why);
    assert!(found.embedded.threads < 32 && found.embedded.limit_bytes <= 32 * GIB);
}

#[test]
fn a_cluster_smaller_than_one_executor_is_said_to_be_so() {
    let found = answer(&question(facts(1e6, 10), 2, Some(yarn(3, 2, 2 * GIB)), None));
    let lacks = found.cluster_lacks.unwrap();
    assert!(found.cluster.is_none() && lacks.contains("MiB"), "{lacks}");
    assert_eq!(found.choice.engine, Chosen::Embedded);
}

#[test]
fn one_key_with_half_the_rows_is_told_and_no_cores_help_it() {
    let found = answer(&question(facts(1e6, 700_000), 2, Some(yarn(40, 64, 512 * GIB)), None));
    assert!(found.notes.iter().any(|note| note.contains("one key has 700,000 of")), "{:?}", found.notes);
    let plan = found.cluster.unwrap();
    let last = plan.curve.last().unwrap();
    let half = &plan.curve[plan.curve.len() / 2];
    assert!((last.wall.expected - half.wall.expected).abs() < 1e-9, "more executors have nothing to do");
    let even = answer(&question(facts(1e6, 3), 2, Some(yarn(40, 64, 512 * GIB)), None)).cluster.unwrap();
    assert!(plan.chosen().shape.executor.heap > even.chosen().shape.executor.heap * 2);
}

#[test]
fn a_limit_that_is_too_low_for_the_largest_key_is_told_with_what_would_do() {
    let mut asked = question(facts(1e6, 700_000), 2, None, None);
    asked.machine.limit_bytes = Some(256 * MIB);
    let found = answer(&asked);
    assert_eq!(found.choice.engine, Chosen::Neither);
    assert!(found.choice.why.contains("set --memory"), "{}", found.choice.why);
}

#[test]
fn a_machine_with_less_memory_than_the_process_takes_is_not_used() {
    let with = |memory_bytes, limit_bytes| {
        let mut asked = question(facts(1e6, 10), 2, Some(yarn(10, 16, 64 * GIB)), None);
        asked.machine.memory_bytes = memory_bytes;
        asked.machine.limit_bytes = limit_bytes;
        answer(&asked)
    };
    let small = with(128 * MIB, None);
    assert!(small.embedded.peak.expected > 128.0 * MIB as f64);
    assert_eq!(small.choice.engine, Chosen::Spark);
    let [lack] = small.embedded.lacks.as_slice() else { panic!("{:?}", small.embedded.lacks) };
    assert!(lack.contains("128 MiB of memory") && lack.contains("would do"), "{lack}");
    // What would do does.
    let least = (small.embedded.peak.high as u64).div_ceil(64 * MIB) * 64 * MIB;
    assert!(lack.contains(&hivecast_run::format::bytes(least)), "{lack}");
    assert!(with(least, None).embedded.lacks.is_empty());
    // A limit beyond the machine: less would do, and is said.
    let much = with(32 * GIB, Some(100 * GIB));
    let [lack] = much.embedded.lacks.as_slice() else { panic!("{:?}", much.embedded.lacks) };
    let advised = lack.rsplit_once("set --memory ").and_then(|(_, less)| less.strip_suffix("MiB")).unwrap();
    assert!(with(32 * GIB, Some(advised.parse::<u64>().unwrap() * MIB)).embedded.lacks.is_empty());
    // Between what is expected and what is possible the answer notes it.
    let narrow = with((small.embedded.peak.expected * 1.1) as u64, Some(64 * MIB));
    assert!(narrow.notes.iter().any(|note| note.contains("may take up to")), "{:?}", narrow.notes);
}

#[test]
fn what_spark_cannot_build_has_no_cluster() {
    let mut day = facts(1e9, 10);
    day.unfit_for_spark = Some("table t can't be built with Spark: it is text".to_owned());
    let asked = Question {
        server: Some(Server { cores: Some(8) }),
        ..question(day, 2, Some(yarn(10, 16, 64 * GIB)), None)
    };
    let found = answer(&asked);
    assert!(found.cluster.is_none() && found.server.is_none());
    assert!(found.cluster_lacks.unwrap().contains("it is text"));
    assert!(
        found.notes.iter().any(|note| note.contains("builds with Spark, and table t")),
        "{:?}",
        found.notes
    );
    assert!(found.sections.iter().all(|section| !section.title.contains("spark")));
}

#[test]
fn the_server_that_an_environment_builds_with_is_foretold() {
    // In time on many cores, and not on this machine.
    let ask = |accounts, cores| {
        let asked = question(facts(accounts, 10), 2, None, Some(2_400.0));
        answer(&Question { server: Some(Server { cores }), purpose: Purpose::Build, ..asked })
    };
    let large = ask(1e9, Some(400));
    assert_eq!(large.choice.engine, Chosen::Spark, "{:?}", large.choice);
    assert!(large.choice.why.contains("with 400 cores"), "{}", large.choice.why);
    let slower = ask(1e9, Some(40)).server.unwrap();
    assert!(slower.wall.expected > large.server.unwrap().wall.expected);
    assert_eq!(ask(1e4, Some(400)).choice.engine, Chosen::Embedded);
    let silent = ask(1e6, None);
    assert!(
        silent.server.is_none()
            && silent.notes.iter().any(|note| note.contains("does not say how many cores"))
    );
}

#[test]
fn threads_that_somebody_has_set_stay() {
    let mut asked = question(facts(1e7, 6_000_000), 32, None, None);
    asked.machine.threads_by = ThreadsBy::Asked;
    let found = answer(&asked);
    assert_eq!(found.embedded.threads, 32);
    assert!(found.why("--threads")[0].ends_with("as was set"));
}

#[test]
fn a_missed_deadline_says_that_the_fastest_is_meant() {
    let asked = question(facts(1e8, 10), 2, Some(yarn(10, 16, 64 * GIB)), Some(1.0));
    let plan = answer(&asked).cluster.unwrap();
    assert!(plan.cheapest.point.cost.expected <= plan.fastest.point.cost.expected);
    assert_ne!(plan.cheapest.point, plan.fastest.point);
    let executors = plan.quantities.iter().find(|quantity| quantity.name == "executors").unwrap();
    assert!(executors.how.starts_with("the fastest shape, since none is in time"), "{}", executors.how);
    assert_eq!(executors.value.expected, f64::from(plan.fastest.point.executors));
}

/// A build of so many documents that was measured.
fn record(origin: Origin, documents: f64) -> Record {
    let work = Work { documents, rows: documents, ..Work::default() };
    let foretold = Foretold {
        subject: Subject::BuildEmbedded,
        predicted: Range::exact(1.0),
        basis: Basis::Default,
        measured: Some(documents / 1e5),
    };
    Record { origin, load: Load::plain(work, 2, 0.0), numbers: vec![foretold] }
}

#[test]
fn models_know_shares_from_whole_days() {
    let (share, day) = (record(Origin::Calibration, 1e4), record(Origin::Run, 1e6));
    let words = |records: &[Record]| learn(Subject::BuildEmbedded, records).basis.words();
    assert_eq!(words(&[share.clone(), share.clone()]), "calibrated by 2 runs");
    assert_eq!(words(&[share, day.clone()]), "learned from 1 run, and calibrated by 1 more");
    assert_eq!(words(&[day.clone(), day]), "learned from 2 runs");
    assert_eq!(words(&[]), "stated defaults; nothing was measured");
}

#[test]
fn a_doubt_is_counted_once_and_by_who_it_concerns() {
    let guess = |value: f64| Counted { value: Range::around(value, 0.6, 2.0), source: Source::Sizes };
    let mut day = facts(1e6, 10);
    for level in &mut day.levels {
        level.read = guess(level.read.value.expected);
        level.read_bytes = guess(level.read_bytes.value.expected);
        level.rows = level.read;
    }
    let (all, kept) = (day.levels[0].read_bytes.value, day.levels[0].kept_bytes());
    assert_eq!((kept.low, kept.expected, kept.high), (all.low, all.expected, all.high), "all rows are left");
    // How large documents are concerns who sends them, and nobody else.
    let times = |bytes: Range| {
        let mut day = facts(1e6, 10);
        day.document_bytes.value = bytes;
        let found = answer(&question(day, 2, None, None));
        let time = |name: &str| {
            let mut all = found.embedded.quantities.iter();
            all.find(|quantity| quantity.name == name).unwrap().value
        };
        ["build time", "publish time", "verify time"].map(time)
    };
    let [build, publish, verify] = times(Range::exact(1_500.0));
    let [same, longer, later] = times(Range { low: 100.0, expected: 1_500.0, high: 150_000.0 });
    assert_eq!(build, same);
    assert!(longer.high > publish.high * 5.0 && longer.low < publish.low && later.high > verify.high * 5.0);
    assert_eq!((longer.expected, later.expected), (publish.expected, verify.expected));
}

#[test]
fn surely_in_time_comes_before_likely() {
    let ask = |deadline| {
        let asked = question(facts(3e7, 10), 16, Some(yarn(20, 16, 64 * GIB)), deadline);
        answer(&Question { purpose: Purpose::Build, ..asked })
    };
    let free = ask(None);
    let (alone, fastest) = (free.embedded.wall, free.cluster.unwrap().fastest.point.wall);
    assert!(fastest.high < alone.high && alone.expected < fastest.high, "{alone:?} {fastest:?}");
    let deadline = (fastest.high + alone.high) / 2.0;
    let held = ask(Some(deadline));
    assert_eq!(held.choice.engine, Chosen::Spark, "{:?}", held.choice);
    assert!(held.choice.why.contains("surely in time"), "{:?}", held.choice);
    assert_eq!(ask(Some(alone.high + 1.0)).choice.engine, Chosen::Embedded);
}

#[test]
fn a_level_in_a_mapping_is_the_documents_own() {
    let mut day = facts(1e5, 5_000);
    let plain = day.largest_document_bytes();
    let first = day.levels[1].path.clone();
    for level in &mut day.levels[1..] {
        level.path = level.path.replacen(&first, &format!("left.{first}"), 1);
    }
    assert_eq!(day.largest_document_bytes(), plain);
}

#[test]
fn calibrations_leave_room_for_whole_days() {
    let mut records = vec![record(Origin::Run, 1e6); 5];
    records.extend(vec![record(Origin::Calibration, 1e4); 200]);
    let basis = learn(Subject::BuildEmbedded, &records).basis;
    assert_eq!(basis, Basis::Calibrated { shares: 18, runs: 5 });
}

#[test]
fn every_number_explains_itself() {
    let found = answer(&question(facts(1e6, 10), 2, Some(yarn(10, 16, 64 * GIB)), Some(3_600.0)));
    for name in found.names() {
        let why = found.why(name);
        assert!(!why.is_empty() && why.iter().all(|why| why.len() > name.len() + 5), "{name}: {why:?}");
    }
    let told = found.why("spark.executor.memory");
    assert!(told[0].starts_with("spark.executor.memory = "), "{told:?}");
    let heap = bytes(found.cluster.as_ref().unwrap().chosen().shape.executor.heap);
    assert!(told[1].contains(&heap) && told[1].contains("300 MiB + the greater of"), "{told:?}");
    assert!(found.why("nothing").is_empty());
}
