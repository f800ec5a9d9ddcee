//! Memory of this process, where the system tells (Linux).

/// Most memory held since the process started, or since [`reset_peak`], in bytes.
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
}

/// Starts counting the peak from what is held now.
pub fn reset_peak() {
    // Refused on some systems; the peak then counts from the start of the process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
