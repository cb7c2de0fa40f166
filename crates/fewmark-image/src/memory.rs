//! Memory is planned: large work is estimated beforehand and refused when it will not fit.

/// Bytes of memory that the system can give, where it tells (Linux: `MemAvailable`, and the limit of a control group).
pub fn free() -> Option<u64> {
    let available = available(&std::fs::read_to_string("/proc/meminfo").ok()?)?;
    let group = |name| std::fs::read_to_string(format!("/sys/fs/cgroup/memory.{name}")).ok();
    let left = (|| left_in_group(&group("max")?, &group("current")?, &group("stat")?))();
    Some(left.map_or(available, |left| left.min(available)))
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10)
}

/// What a control group has left of its limit, in bytes; `None` without a limit.
///
/// Files that were read stay in the cache, which counts as used but is given up for the asking.
fn left_in_group(limit: &str, used: &str, stat: &str) -> Option<u64> {
    let limit: u64 = limit.trim().parse().ok()?;
    let used: u64 = used.trim().parse().ok()?;
    let cache = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse().ok());
    Some(limit.saturating_sub(used.saturating_sub(cache.unwrap_or(0))))
}

/// Refuses work that needs more memory than is free; where the system does not tell, everything passes.
///
/// # Errors
/// [`Error::OutOfMemory`](crate::Error::OutOfMemory) with both figures.
pub fn plan(what: impl Into<String>, need: u64) -> Result<(), crate::Error> {
    match free() {
        Some(free) if need > free => Err(crate::Error::OutOfMemory { what: what.into(), need, free }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_understood() {
        assert_eq!(available("MemTotal:  9 kB\nMemAvailable:   24001234 kB\n"), Some(24_001_234 << 10));
        assert_eq!(available("MemTotal:  9 kB\n"), None);
    }

    #[test]
    fn cached_files_do_not_count_as_used() {
        let stat = "anon 100\nfile 700\ninactive_anon 9\ninactive_file 600\n";
        assert_eq!(left_in_group("1000\n", "900\n", stat), Some(700));
        assert_eq!(left_in_group("1000\n", "900\n", ""), Some(100));
        assert_eq!(left_in_group("1000\n", "1200\n", ""), Some(0));
        assert_eq!(left_in_group("max\n", "900\n", stat), None);
    }
}
