//! Who hands out a cluster's machines, and what becomes of a size that it is asked for.

use serde::{Deserialize, Serialize};

use super::memory::{Overhead, container, round_up};
use super::pack::Room;
use super::{GIB, MIB};

/// The heap of YARN's application master in client mode, in bytes: the default of `spark.yarn.am.memory`.
const APPLICATION_MASTER_HEAP: u64 = 512 * MIB;
/// Its cores: the default of `spark.yarn.am.cores`.
const APPLICATION_MASTER_CORES: u32 = 1;

/// A cluster manager, with what it does to a container's size. Sizes are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// Hadoop's.
    Yarn {
        /// `yarn.scheduler.minimum-allocation-mb`.
        minimum: u64,
        /// What containers are multiples of. The CapacityScheduler has its minimum for that, the FairScheduler
        /// `yarn.resource-types.memory-mb.increment-allocation`. Nothing stands for the minimum, as in YARN.
        increment: u64,
        /// `yarn.scheduler.maximum-allocation-mb`, beyond which Spark's application is refused. `None` where it is
        /// not known: YARN's own default, 8 GiB, is seldom left.
        maximum: Option<u64>,
    },
    /// Kubernetes. A pod gets what it asks for, in whole MiB.
    Kubernetes,
    /// Spark's own. Its master counts an executor's heap alone (`ExecutorResourceDescription.memoryMbPerExecutor`);
    /// the machine has to have the overhead all the same, so we count both.
    Standalone,
}

impl Manager {
    /// YARN with the minimum that it comes with, 1 GiB, and its default scheduler, the CapacityScheduler.
    pub const YARN: Manager = Manager::Yarn { minimum: GIB, increment: GIB, maximum: None };

    /// What it sets aside where `asked` is asked for, in bytes. YARN's is `DefaultResourceCalculator.normalize`.
    pub fn granted(self, asked: u64) -> u64 {
        let asked = round_up(asked, MIB);
        let Manager::Yarn { minimum, increment, maximum } = self else { return asked };
        // YARN knows whole MiB alone.
        let [minimum, increment] = [minimum, increment].map(|bytes| round_up(bytes, MIB));
        let step = if increment == 0 { minimum.max(MIB) } else { increment };
        round_up(asked.max(minimum), step).min(maximum.unwrap_or(u64::MAX) / MIB * MIB)
    }

    /// The most that it hands out as one container, in bytes, where there is such a limit.
    pub fn most(self) -> Option<u64> {
        if let Manager::Yarn { maximum, .. } = self { maximum } else { None }
    }

    /// What an application takes of some node beside its executors, where it takes any: YARN runs
    /// an application master, also where the driver runs elsewhere (`spark.yarn.am.*`, YARN's `Client`).
    pub fn application_master(self) -> Option<Room> {
        let heap = APPLICATION_MASTER_HEAP;
        let asked = container(heap, Overhead::default().of(heap));
        matches!(self, Manager::Yarn { .. })
            .then(|| Room { cores: APPLICATION_MASTER_CORES, memory: self.granted(asked) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yarn_rounds() {
        let asked = 1408 * MIB;
        assert_eq!(Manager::YARN.granted(asked), 2 * GIB);
        assert_eq!(Manager::YARN.granted(MIB), GIB);
        let fair = Manager::Yarn { minimum: 256 * MIB, increment: 128 * MIB, maximum: Some(1500 * MIB) };
        assert_eq!(fair.granted(asked), asked);
        assert_eq!(fair.granted(asked + 1), 1500 * MIB);
        assert_eq!(Manager::Yarn { minimum: GIB, increment: 0, maximum: None }.granted(asked), 2 * GIB);
        assert_eq!(Manager::Kubernetes.granted(asked + 1), 1409 * MIB);
        assert_eq!(Manager::Standalone.granted(asked), asked);
    }

    #[test]
    fn yarn_takes_a_container_of_its_own() {
        assert_eq!(Manager::YARN.application_master(), Some(Room { cores: 1, memory: GIB }));
        assert_eq!(Manager::Kubernetes.application_master(), None);
    }
}
