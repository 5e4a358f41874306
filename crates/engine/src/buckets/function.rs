//! The function that deals rows out, by name.

/// DataFusion's hash of an exchange on this kind of machine. Which release of foldhash is behind it a program cannot ask;
/// the probe shows it.
pub(super) fn name() -> String {
    let (machine, bits) = (std::env::consts::ARCH, usize::BITS);
    let endian = if cfg!(target_endian = "little") { "little" } else { "big" };
    format!("datafusion {} exchange, {machine} {bits} {endian}", datafusion::DATAFUSION_VERSION)
}
