//! `fewmark doctor`: what this machine offers the program.

use fewmark::image::memory;
use fewmark::learn::Compute;
use serde::Serialize;

use crate::args::Common;
use crate::failure::Failure;
use crate::output::{print, print_json, table};

#[derive(Serialize)]
struct Findings {
    version: &'static str,
    target: String,
    cpu_features: Vec<&'static str>,
    cores: usize,
    threads: usize,
    free_memory_mib: Option<u64>,
    devices: Vec<&'static str>,
}

pub(crate) fn run(common: &Common) -> Result<(), Failure> {
    let findings = Findings {
        version: env!("CARGO_PKG_VERSION"),
        target: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        cpu_features: cpu_features(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        threads: rayon::current_num_threads(),
        free_memory_mib: memory::free().map(|bytes| bytes >> 20),
        devices: devices(),
    };
    if common.json {
        return print_json(&findings);
    }
    let none = || "unknown".to_owned();
    let rows = [
        ("version", findings.version.to_owned()),
        ("platform", findings.target),
        ("SIMD", if findings.cpu_features.is_empty() { "portable".into() } else { findings.cpu_features.join(" ") }),
        ("cores", findings.cores.to_string()),
        ("threads used", findings.threads.to_string()),
        ("free memory", findings.free_memory_mib.map_or_else(none, |mib| format!("{mib} MiB"))),
        ("devices", findings.devices.join(" ")),
    ];
    print(table(&["", "this machine"], &rows.map(|(name, value)| vec![name.to_owned(), value])))
}

/// Where networks can compute here.
fn devices() -> Vec<&'static str> {
    let all = [("cpu", Compute::Cpu), ("gpu", Compute::Gpu)];
    all.into_iter().filter(|(_, compute)| compute.device().is_ok()).map(|(name, _)| name).collect()
}

/// Instruction sets that the solvers' kernels can make use of here.
fn cpu_features() -> Vec<&'static str> {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        let all = [
            ("sse4.2", std::is_x86_feature_detected!("sse4.2")),
            ("avx2", std::is_x86_feature_detected!("avx2")),
            ("fma", std::is_x86_feature_detected!("fma")),
            ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ];
        all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }
    #[cfg(target_arch = "aarch64")]
    {
        vec!["neon"]
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    {
        Vec::new()
    }
}
