//! What this machine offers.

use std::path::Path;

/// The share of the machine's memory that a run takes where `--memory` does not say: a quarter.
const MEMORY_SHARE: u64 = 4;

/// What is assumed where the system does not tell its memory, in bytes.
const FALLBACK_MEMORY: u64 = 4 << 30;

/// A quarter of the memory that this process may use, in bytes.
pub(crate) fn default_memory() -> u64 {
    memory() / MEMORY_SHARE
}

/// The memory that this process may use, in bytes.
pub(crate) fn memory() -> u64 {
    usable_memory(Path::new("/")).unwrap_or(FALLBACK_MEMORY)
}

/// What is free where a directory is, or where it would be made, in bytes: statvfs(3). None where the system
/// does not say.
pub(crate) fn free_space(dir: &Path) -> Option<u64> {
    let there = dir.ancestors().find(|dir| dir.exists())?;
    let found = rustix::fs::statvfs(there).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}

/// The threads that this process may run at once (cgroup quotas and affinity included).
pub(crate) fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The least of the machine's memory and the limits of this process's cgroup and of every cgroup
/// above it, in bytes; `root` is where `/proc` and `/sys` are.
fn usable_memory(root: &Path) -> Option<u64> {
    let machine = machine_memory(root);
    let limits = cgroup_limits(root);
    machine.into_iter().chain(limits).min()
}

/// `MemTotal` of proc_meminfo(5).
fn machine_memory(root: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// `memory.max` of cgroup v2 (`memory.limit_in_bytes` of v1), from this process's own cgroup up to
/// the root; "max" is no limit. In a container the own cgroup is usually the root that is mounted.
fn cgroup_limits(root: &Path) -> Vec<u64> {
    let own = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mount = root.join("sys/fs/cgroup");
    let mut limits = Vec::new();
    for line in own.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (base, file) = match controllers {
            "" => (mount.clone(), "memory.max"),
            "memory" => (mount.join("memory"), "memory.limit_in_bytes"),
            _ => continue,
        };
        for ancestor in Path::new(path.trim_start_matches('/')).ancestors() {
            let text = std::fs::read_to_string(base.join(ancestor).join(file)).unwrap_or_default();
            limits.extend(text.trim().parse::<u64>().ok().filter(|limit| *limit > 0));
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> Option<u64> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        usable_memory(root.path())
    }

    #[test]
    fn free_space_is_that_of_the_next_directory_that_is_there() {
        let root = tempfile::tempdir().unwrap();
        let there = free_space(root.path()).unwrap();
        let missing = free_space(&root.path().join("not/yet")).unwrap();
        assert!(there > 0 && there.abs_diff(missing) < 1 << 30, "{there}, {missing}");
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16384000 kB\nMemFree: 1 kB\n");

    #[test]
    fn the_least_limit_counts() {
        assert_eq!(machine(&[]), None);
        assert_eq!(machine(&[MEMINFO]), Some(16_384_000 * 1024));
        let own = ("proc/self/cgroup", "0::/jobs/one\n");
        assert_eq!(
            machine(&[MEMINFO, own, ("sys/fs/cgroup/jobs/one/memory.max", "max\n")]),
            Some(16_384_000 * 1024)
        );
        assert_eq!(
            machine(&[
                MEMINFO,
                own,
                ("sys/fs/cgroup/jobs/one/memory.max", "max\n"),
                ("sys/fs/cgroup/jobs/memory.max", "1073741824\n"),
            ]),
            Some(1 << 30)
        );
        let v1 = ("proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/abc\n");
        assert_eq!(
            machine(&[MEMINFO, v1, ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n")]),
            Some(512 << 20)
        );
    }
}
