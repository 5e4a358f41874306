//! `${name}` in a script, filled in before it is parsed.

use std::collections::{BTreeMap, BTreeSet};

use milepost_store::Digest;

use crate::error::Error;

/// The values of a script's variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables {
    values: BTreeMap<String, String>,
}

impl Variables {
    /// Adds one.
    ///
    /// # Errors
    /// A name that is none, a value of several lines (they would move the lines that errors name), or a name that has a
    /// value already.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let refuse = |why: &str| Err(Error::BadVariable { name: name.to_string(), why: why.to_string() });
        if !is_name(name) {
            return refuse("a name is made of letters, digits and underscores, and begins with no digit");
        }
        if value.contains(['\n', '\r']) {
            return refuse("a value is one line");
        }
        if self.values.insert(name.to_string(), value.to_string()).is_some() {
            return refuse("it is given twice");
        }
        Ok(())
    }

    /// The script with every `${name}` replaced by its value, as text: quotes are the script's to write. Comments are
    /// no exception.
    ///
    /// # Errors
    /// A variable of the script without a value, with its line; a value that the script never asks for.
    pub fn fill_in(&self, script: &str) -> Result<String, Error> {
        let mut filled = String::with_capacity(script.len());
        let mut used = BTreeSet::new();
        let mut rest = script;
        while let Some((before, name, after)) = next_variable(rest) {
            let Some(value) = self.values.get(name) else {
                let line = 1 + script[..script.len() - after.len()].matches('\n').count();
                return Err(Error::UnknownVariable { name: name.to_string(), line });
            };
            used.insert(name);
            filled.push_str(before);
            filled.push_str(value);
            rest = after;
        }
        filled.push_str(rest);
        match self.values.keys().find(|name| !used.contains(name.as_str())) {
            Some(name) => Err(Error::UnusedVariable { name: name.clone() }),
            None => Ok(filled),
        }
    }

    /// The hash of all names and values.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hash = blake3::Hasher::new();
        for text in self.values.iter().flat_map(|(name, value)| [name, value]) {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }
}

/// The first `${name}` of a text: what stands before it, the name, and what stands after it.
fn next_variable(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(start) = text[from..].find("${").map(|at| from + at) {
        let inside = &text[start + 2..];
        if let Some((name, after)) = inside.split_once('}')
            && is_name(name)
        {
            return Some((&text[..start], name, after));
        }
        from = start + 2;
    }
    None
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let mut variables = Variables::default();
        for (name, value) in pairs {
            variables.set(name, value).unwrap();
        }
        variables
    }

    #[test]
    fn names_are_filled_in_wherever_they_stand() {
        let day = variables(&[("day", "2024-05-01"), ("t", "sales")]);
        let filled = day.fill_in("SELECT * FROM ${t} WHERE day = '${day}' -- ${day}").unwrap();
        assert_eq!(filled, "SELECT * FROM sales WHERE day = '2024-05-01' -- 2024-05-01");
        // A value is not looked at again.
        assert_eq!(variables(&[("a", "${b}")]).fill_in("${a}").unwrap(), "${b}");
    }

    #[test]
    fn what_is_no_name_stays() {
        let text = "SELECT '^a${1}$', '${', '${a b}', '$${x' || $$;$$";
        assert_eq!(Variables::default().fill_in(text).unwrap(), text);
    }

    #[test]
    fn a_variable_without_a_value_is_named_with_its_line() {
        let error = variables(&[("a", "1")]).fill_in("SELECT ${a};\n\nSELECT ${b}").unwrap_err().to_string();
        assert!(error.contains("${b}") && error.contains("line 3"), "{error}");
    }

    #[test]
    fn a_value_that_nothing_asks_for_is_a_mistake() {
        let error = variables(&[("dya", "1")]).fill_in("SELECT 1").unwrap_err().to_string();
        assert!(error.contains("dya"), "{error}");
    }

    #[test]
    fn bad_names_and_values_are_refused() {
        for (name, value) in [("", "1"), ("1a", "1"), ("a-b", "1"), ("a", "1\n2")] {
            Variables::default().set(name, value).unwrap_err();
        }
        variables(&[("a", "1")]).set("a", "2").unwrap_err();
    }

    #[test]
    fn the_hash_tells_names_from_values() {
        let digest = |pairs: &[(&str, &str)]| variables(pairs).digest();
        assert_eq!(digest(&[("a", "1"), ("b", "2")]), digest(&[("b", "2"), ("a", "1")]));
        assert_ne!(digest(&[("a", "1")]), digest(&[("a1", "")]));
        assert_ne!(digest(&[("a", "1")]), digest(&[("a", "2")]));
    }
}
