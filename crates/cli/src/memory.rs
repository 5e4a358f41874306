//! How the program's memory is laid out.

/// Asks the system for memory in pages of the usual size.
///
/// The allocator would have it in huge ones. A query takes and gives back much memory on many threads, a little of each huge page
/// stays in use, and so the process holds more than it needs; and whole pages are cleared of which little is used: a checkpoint of half of
/// lineitem took a fifth less time without them. Best effort, and nothing changes where the system has no such pages.
pub(crate) fn use_usual_pages() {
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
}
