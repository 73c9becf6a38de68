//! The machine figures are measured on, and what a process has used of it.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::{
    param::clock_ticks_per_second,
    time::{ClockId, clock_gettime},
};

/// CPU model, cores, kernel.
pub(crate) fn describe() -> Result<String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
    let model = field(&cpuinfo, "model name").unwrap_or("unknown CPU");
    let cores = std::thread::available_parallelism()?;
    let kernel =
        std::fs::read_to_string("/proc/sys/kernel/osrelease").context("read the kernel's version")?;
    let memory = std::fs::read_to_string("/proc/meminfo").context("read /proc/meminfo")?;
    let gib = field(&memory, "MemTotal").and_then(kib).unwrap_or(0) / 1024 / 1024;
    Ok(format!("{model}, {cores} cores, {gib} GiB, Linux {}", kernel.trim()))
}

/// Load of the last minute: what else the machine was doing.
pub(crate) fn load() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").context("read /proc/loadavg")?;
    text.split_whitespace().next().and_then(|load| load.parse().ok()).context("/proc/loadavg is empty")
}

/// CPU time of this process so far, all threads.
pub(crate) fn own_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(spent.tv_sec.unsigned_abs(), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// CPU time of another process so far, user and system, in the kernel's ticks (10 ms).
pub(crate) fn cpu_of(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the process's times")?;
    // The name, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has no name")?;
    let mut times = fields.split_whitespace().skip(11).map(str::parse::<u64>);
    let mut next = || times.next().context("/proc/PID/stat is short")?.context("/proc/PID/stat");
    let ticks = next()? + next()?;
    Ok(Duration::from_millis(ticks * 1000 / clock_ticks_per_second()))
}

/// Memory another process has resident now, and the most it ever had, in MB (10^6 bytes).
pub(crate) fn resident_mb_of(pid: u32) -> Result<(f64, f64)> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the process's status")?;
    let mb = |name| -> Result<f64> {
        let kib = field(&status, name).and_then(kib).with_context(|| format!("no {name}"))?;
        Ok(f64::from(u32::try_from(kib)?) * 1024.0 / 1e6)
    };
    Ok((mb("VmRSS")?, mb("VmHWM")?))
}

/// Most memory this process ever had resident, in MB (10^6 bytes).
pub(crate) fn peak_resident_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let peak = field(&status, "VmHWM").and_then(kib).context("no VmHWM")?;
    Ok(f64::from(u32::try_from(peak)?) * 1024.0 / 1e6)
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn kib(value: &str) -> Option<u64> {
    value.split_whitespace().next()?.parse().ok()
}
