//! How the program's memory is laid out.

/// Tells the system how the program uses memory, before it uses any.
///
/// A query takes and gives back blocks of some megabytes on many threads. By itself glibc makes arenas as threads come, each of which
/// keeps what it was given back, and asks the system for each large block anew, which clears its pages. One arena for each core, from
/// which large blocks come too, holds less and takes no longer: docs/adr/0021-the-systems-allocator.md.
///
/// Pages are to have the usual size: a little of each huge one stays in use, and whole ones are cleared of which little is used.
///
/// Best effort, and nothing changes on other systems.
pub(crate) fn lay_out() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    set_up_glibc();
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "no crate wraps mallopt")]
fn set_up_glibc() {
    /// The most that glibc allows.
    const LARGEST_FROM_ARENAS: libc::c_int = 32 << 20;
    /// So much free memory at an arena's end stays with it.
    const KEPT: libc::c_int = 64 << 20;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let arenas = libc::c_int::try_from(cores).unwrap_or(libc::c_int::MAX);
    for (variable, parameter, value) in [
        ("MALLOC_ARENA_MAX", libc::M_ARENA_MAX, arenas),
        ("MALLOC_MMAP_THRESHOLD_", libc::M_MMAP_THRESHOLD, LARGEST_FROM_ARENAS),
        ("MALLOC_TRIM_THRESHOLD_", libc::M_TRIM_THRESHOLD, KEPT),
    ] {
        // What somebody has set for this process is meant for it.
        if std::env::var_os(variable).is_none() {
            // SAFETY: mallopt takes two numbers and refuses what it does not know.
            unsafe { libc::mallopt(parameter, value) };
        }
    }
}
