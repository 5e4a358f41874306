//! Sizes, counts and times, read from people and shown to them.

use std::time::Duration;

use indicatif::{BinaryBytes, HumanCount};

/// Reads a size such as `512m`, `10g` or `1.5 GiB` as bytes. All units are powers of 1024; none means bytes.
///
/// # Errors
/// Text that is no size, or one that does not fit.
pub(crate) fn parse_size(text: &str) -> Result<usize, String> {
    let bad = || format!("'{text}' is no size: write a number and b, k, m, g or t, such as 512m or 10g");
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(bad()),
    };
    let unit = 1_usize.checked_shl(shift).ok_or_else(bad)?;
    if let Ok(whole) = number.parse::<usize>() {
        return whole.checked_mul(unit).ok_or_else(bad);
    }
    let bytes = number.parse::<f64>().map_err(|_| bad())? * unit as f64;
    if bytes.is_finite() && bytes < usize::MAX as f64 { Ok(bytes as usize) } else { Err(bad()) }
}

/// A size of which something can be used.
///
/// # Errors
/// As [`parse_size`], or nothing at all.
pub(crate) fn parse_limit(text: &str) -> Result<usize, String> {
    match parse_size(text)? {
        0 => Err("nothing runs without memory: leave the limit out where there is none".to_string()),
        bytes => Ok(bytes),
    }
}

/// Bytes for people: `45.21 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    BinaryBytes(count).to_string()
}

/// A count for people: `1,234,567`.
pub(crate) fn count(count: u64) -> String {
    HumanCount(count).to_string()
}

/// A count with its noun: `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A time for people: milliseconds below ten seconds, then coarser.
pub(crate) fn seconds(time: Duration) -> String {
    let total = time.as_secs();
    match total {
        0..10 => format!("{:.3} s", time.as_secs_f64()),
        10..120 => format!("{:.1} s", time.as_secs_f64()),
        120..7_200 => format!("{} min {:02} s", total / 60, total % 60),
        _ => format!("{} h {:02} min", total / 3_600, total % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("1024", 1024),
            ("10b", 10),
            ("4k", 4096),
            ("512M", 512 << 20),
            ("10g", 10 << 30),
            ("1.5 GiB", 3 << 29),
            ("2tb", 2 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "g", "-1g", "10x", "1.2.3k", "99999999999999999999", "18446744073709551615t"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_get_coarser_as_they_grow() {
        for (milliseconds, shown) in
            [(12, "0.012 s"), (12_340, "12.3 s"), (125_000, "2 min 05 s"), (7_260_000, "2 h 01 min")]
        {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), shown);
        }
    }

    #[test]
    fn a_limit_leaves_something() {
        assert_eq!(parse_limit("1m"), Ok(1 << 20));
        assert!(parse_limit("0").unwrap_err().contains("leave the limit out"));
        assert!(parse_limit("many").is_err());
    }
}
