//! What this machine offers, and the sizes and times that people write.

use std::path::Path;
use std::time::Duration;

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

/// Reads a size: a number with `B`, `KiB`, `MiB`, `GiB`, `TiB` (or `KB`, `MB`, `GB`, `TB` of 1000).
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("B", 1),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("TiB", 1 << 40),
        ("KB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
    ];
    let wrong = || format!("{text:?} is no size; write it with its unit, such as 512MiB or 2GiB");
    let split = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..split].parse().map_err(|_| wrong())?;
    let unit = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text[split..].trim()));
    let (_, factor) = unit.ok_or_else(wrong)?;
    number.checked_mul(*factor).filter(|bytes| *bytes > 0).ok_or_else(wrong)
}

/// Reads a duration: a number with `s`, `m` or `h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write it with its unit, such as 90s, 30m or 2h");
    let split = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..split].parse().map_err(|_| wrong())?;
    let factor = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err(wrong()),
    };
    number.checked_mul(factor).map(Duration::from_secs).ok_or_else(wrong)
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

    #[test]
    fn sizes_and_durations() {
        assert_eq!(parse_size("512MiB"), Ok(512 << 20));
        assert_eq!(parse_size("2gib"), Ok(2 << 30));
        assert_eq!(parse_size("3GB"), Ok(3_000_000_000));
        assert_eq!(parse_size("100 MiB"), Ok(100 << 20));
        for wrong in ["", "2", "GiB", "0MiB", "-1GiB", "2XiB", "1.5GiB", "99999999999TiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_duration("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "2", "h", "2d", "2 h", "99999999999999999h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
