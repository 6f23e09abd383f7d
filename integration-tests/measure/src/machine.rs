//! What a figure depends on beside the code.

use std::fs;

/// The arithmetic of RSA that this build uses on this machine.
#[must_use]
pub fn kernel() -> &'static str {
    if cfg!(opensspi_modular = "portable") {
        return "portable";
    }
    #[cfg(target_arch = "x86_64")]
    {
        let has_ifma = is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx512vl");
        if has_ifma && !cfg!(opensspi_modular = "avx2") {
            return "IFMA";
        }
        if is_x86_feature_detected!("avx2") {
            return "AVX2";
        }
    }
    "portable"
}

/// How many programs wanted to run in the last minute, on average; `None` where the system does not say.
#[must_use]
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// How many processors there are.
#[must_use]
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Both, for people.
#[must_use]
pub fn described() -> String {
    match load() {
        Some(load) => format!("{} processors, load {load:.1}", processors()),
        None => format!("{} processors", processors()),
    }
}
