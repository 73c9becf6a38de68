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
    Ok(in_time(Spent::of(pid)?.own))
}

/// The same of a process and everything it started, whether that lives or has ended: of a PostgreSQL by its postmaster.
pub(crate) fn cpu_of_family(pid: u32) -> Result<Duration> {
    let head = Spent::of(pid)?;
    let mut ticks = head.own + head.ended;
    for entry in std::fs::read_dir("/proc").context("list processes")? {
        let Some(other) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that ends meanwhile is counted with its parent the next time.
        if let Ok(spent) = Spent::of(other)
            && spent.parent == pid
        {
            ticks += spent.own + spent.ended;
        }
    }
    Ok(in_time(ticks))
}

/// Who started a process.
pub(crate) fn parent_of(pid: u32) -> Result<u32> {
    Ok(Spent::of(pid)?.parent)
}

/// What the kernel says of the CPU a process has used, in ticks.
struct Spent {
    parent: u32,
    own: u64,
    /// Of those that it started and that have ended.
    ended: u64,
}

impl Spent {
    fn of(pid: u32) -> Result<Self> {
        let stat =
            std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the process's times")?;
        // The name, in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat has no name")?;
        let field = |at: usize| -> Result<u64> {
            let field = fields.split_whitespace().nth(at).context("/proc/PID/stat is short")?;
            field.parse::<u64>().context("/proc/PID/stat")
        };
        let parent = u32::try_from(field(1)?)?;
        Ok(Self { parent, own: field(11)? + field(12)?, ended: field(13)? + field(14)? })
    }
}

fn in_time(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / clock_ticks_per_second())
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
