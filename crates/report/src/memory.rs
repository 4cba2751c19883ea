/// The most memory that this process has held resident so far, in bytes: `VmHWM` of
/// `/proc/self/status` (proc_pid_status(5)). None where the system does not say.
pub fn peak_memory_bytes() -> Option<u64> {
    high_water_mark(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Forgets the mark: from now on [`peak_memory_bytes`] is of what follows, and of what is held now. Where the
/// system does not let us (`/proc/self/clear_refs`, proc_pid_clear_refs(5)), the mark stays.
pub fn forget_peak_memory() {
    const RESET_PEAK: &str = "5";
    let _ = std::fs::write("/proc/self/clear_refs", RESET_PEAK);
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_high_water_mark() {
        assert_eq!(high_water_mark("VmPeak:\t 9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n"), Some(2_097_152));
        assert_eq!(high_water_mark("VmRSS:\t 1 kB\n"), None);
        assert!(peak_memory_bytes().is_some_and(|bytes| bytes > 100_000));
    }

    #[test]
    fn a_mark_is_forgotten() {
        const BYTES: usize = 64 << 20;
        let held = std::hint::black_box(vec![1_u8; BYTES]);
        let with = peak_memory_bytes().unwrap();
        drop(held);
        forget_peak_memory();
        let without = peak_memory_bytes().unwrap();
        assert!(without + BYTES as u64 / 2 < with, "{without}, {with}");
    }
}
