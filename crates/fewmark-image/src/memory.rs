//! Memory is planned: large work is estimated beforehand and refused when it will not fit.

/// Bytes of memory that the system can give, where it tells (Linux: `MemAvailable`, and the limit of a control group).
pub fn free() -> Option<u64> {
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let available = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10;
    let number = |path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(limit, used)| limit.saturating_sub(used));
    Some(group.map_or(available, |group| group.min(available)))
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
