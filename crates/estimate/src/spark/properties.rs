//! What holds of any numbers.

use proptest::prelude::*;

use super::memory::{LEAST_HEAP, LEAST_OVERHEAD, RESERVED, container, fractions_for};
use super::pack::Short;
use super::*;

fn needs() -> impl Strategy<Value = TaskNeed> {
    let bytes = 0..64 * GIB;
    (bytes.clone(), bytes.clone(), bytes.clone(), bytes).prop_map(|(execution, outside, fixed, storage)| {
        TaskNeed { execution_per_task: execution, outside_per_task: outside, outside_fixed: fixed, storage }
    })
}

fn fractions() -> impl Strategy<Value = Fractions> {
    (1..100_u32, 0..=100_u32).prop_map(|(memory, storage)| Fractions { memory, storage })
}

fn managers() -> impl Strategy<Value = Manager> {
    let maximum = proptest::option::of(0..64 * GIB);
    let yarn = (0..16 * GIB, 0..4 * GIB, maximum).prop_map(|(minimum, increment, maximum)| Manager::Yarn {
        minimum,
        increment,
        maximum,
    });
    prop_oneof![yarn, Just(Manager::YARN), Just(Manager::Kubernetes), Just(Manager::Standalone)]
}

fn clusters() -> impl Strategy<Value = Cluster> {
    let places = prop_oneof![Just(DriverPlace::OwnMachine), Just(DriverPlace::OnANode)];
    (0..40_u32, 0..64_u32, 0..256 * GIB, managers(), places).prop_map(
        |(nodes, cores, memory, manager, driver)| Cluster {
            driver,
            ..Cluster::new(nodes, cores, memory, manager)
        },
    )
}

fn executors() -> impl Strategy<Value = Executor> {
    (1..16_u32, LEAST_HEAP..64 * GIB, 0..8 * GIB).prop_map(|(cores, heap, overhead)| Executor {
        cores,
        heap,
        overhead,
    })
}

fn drivers() -> impl Strategy<Value = Driver> {
    (0..8_u32, LEAST_HEAP..16 * GIB).prop_map(|(cores, heap)| Driver {
        cores,
        heap,
        overhead: LEAST_OVERHEAD,
    })
}

proptest! {
    #[test]
    fn regions_are_the_heap(heap in LEAST_HEAP..1024 * GIB, fractions in fractions()) {
        let found = regions(heap, fractions).unwrap();
        prop_assert_eq!(found.unified + found.outside + RESERVED, heap);
        prop_assert!(found.storage <= found.unified);
    }

    #[test]
    fn a_heap_holds_its_need_and_no_step_less_does(need in needs(), cores in 1..9_u32, fractions in fractions()) {
        let heap = heap_for(&need, cores, fractions);
        let holds = |heap| regions(heap, fractions).is_ok_and(|found| {
            found.unified >= need.execution_per_task * u64::from(cores) + need.storage
                && found.outside >= need.outside_per_task * u64::from(cores) + need.outside_fixed
        });
        prop_assert_eq!(heap % memory::HEAP_STEP, 0);
        prop_assert!(holds(heap));
        prop_assert!(!holds(heap - memory::HEAP_STEP));
    }

    #[test]
    fn more_need_is_never_less_heap(
        (need, more) in (needs(), needs()),
        (cores, further) in (1..9_u32, 0..4_u32),
        fractions in fractions(),
    ) {
        let sum = TaskNeed {
            execution_per_task: need.execution_per_task + more.execution_per_task,
            outside_per_task: need.outside_per_task + more.outside_per_task,
            outside_fixed: need.outside_fixed + more.outside_fixed,
            storage: need.storage + more.storage,
        };
        prop_assert!(heap_for(&sum, cores + further, fractions) >= heap_for(&need, cores, fractions));
    }

    #[test]
    fn chosen_fractions_take_no_more_heap_than_sparks_own(need in needs(), cores in 1..9_u32) {
        let chosen = heap_for(&need, cores, fractions_for(&need, cores));
        prop_assert!(chosen <= heap_for(&need, cores, Fractions::default()));
    }

    #[test]
    fn no_number_is_too_large(
        bytes in any::<[u64; 4]>(),
        cores in any::<u32>(),
        (memory, storage) in (0..=100_u32, 0..=100_u32),
        manager in managers(),
    ) {
        let [execution_per_task, outside_per_task, outside_fixed, storage_need] = bytes;
        let need = TaskNeed { execution_per_task, outside_per_task, outside_fixed, storage: storage_need };
        let heap = heap_for(&need, cores, Fractions { memory, storage });
        prop_assert!(heap >= LEAST_HEAP);
        prop_assert!(manager.granted(container(heap, Overhead::default().of(heap))) >= manager.granted(0));
    }

    #[test]
    fn rounding_is_idempotent_and_monotone(manager in managers(), a in 0..128 * GIB, b in 0..128 * GIB) {
        let granted = manager.granted(a);
        prop_assert_eq!(manager.granted(granted), granted);
        prop_assert!(manager.most().is_some_and(|most| granted == most / MIB * MIB) || granted >= a);
        prop_assert!(manager.granted(a.min(b)) <= manager.granted(a.max(b)));
    }

    #[test]
    fn a_packing_is_never_more_than_the_nodes(cluster in clusters(), executor in executors(), driver in drivers()) {
        let Ok(packing) = pack(&cluster, &executor, &driver) else { return Ok(()) };
        let own = match cluster.driver {
            DriverPlace::OwnMachine => pack::Room::default(),
            DriverPlace::OnANode => {
                pack::Room { cores: driver.cores, memory: container(driver.heap, driver.overhead) }
            }
        };
        let master = cluster.manager.application_master().unwrap_or_default();
        let cores = packing.executors * executor.cores + own.cores + master.cores;
        let memory = u64::from(packing.executors) * packing.executor.memory + own.memory + master.memory;
        let reserved = cluster.reserved_memory * u64::from(cluster.nodes);
        prop_assert!(packing.executors > 0 && packing.executors <= packing.per_node * cluster.nodes);
        prop_assert!(packing.executor.memory >= executor.heap + executor.overhead);
        prop_assert!(cores + cluster.reserved_cores * cluster.nodes <= cluster.node_cores * cluster.nodes);
        prop_assert!(memory + reserved <= cluster.node_memory * u64::from(cluster.nodes));
    }

    #[test]
    fn what_would_do_does(
        mut cluster in clusters(),
        stated in proptest::option::of(0..16 * GIB),
        executor in executors(),
        driver in drivers(),
    ) {
        cluster.reserved_memory = stated.unwrap_or(cluster.reserved_memory);
        if let Err(TooSmall::Node(_, short)) = pack(&cluster, &executor, &driver) {
            let (cores, memory) = match short {
                Short::Cores(lack) => (lack.would_do, cluster.node_memory),
                Short::Memory(lack) => (cluster.node_cores, lack.would_do),
                Short::CoresAndMemory(cores, memory) => (cores.would_do, memory.would_do),
            };
            prop_assert!(cores > cluster.node_cores || memory > cluster.node_memory);
            let usual = Cluster::new(cluster.nodes, cores, memory, cluster.manager);
            let reserved_memory = stated.unwrap_or(usual.reserved_memory);
            cluster = Cluster { reserved_memory, driver: cluster.driver, ..usual };
        }
        let packed = pack(&cluster, &executor, &driver);
        prop_assert!(!matches!(packed, Err(TooSmall::Node(..))), "{packed:?}");
    }
}
