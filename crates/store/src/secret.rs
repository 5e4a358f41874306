//! What may be secret in a URL (user, password, query and fragment), and which options of statements may be.
//!
//! People put passwords and signatures into URLs, and URLs into table names, locations and errors. Whatever is stored or
//! printed passes through here first.

use std::borrow::Cow;

/// What stands in the place of what was cut.
const CUT: &str = "***";

/// Schemes in whose URLs a name before the `@` is a container's, as long as no password follows it.
const CONTAINERS: [&str; 4] = ["abfs", "abfss", "wasb", "wasbs"];

/// `text` with user, password, query and fragment of every URL in it replaced by `***`. Doing it twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    match after_extension(text) {
        Some((known, rest)) => Cow::Owned(format!("{}?{CUT}{rest}", rewritten(known, |url| url.within(CUT)))),
        None => rewritten(text, |url| url.within(CUT)),
    }
}

/// DataFusion takes all that follows a URL's last point for an extension, and says that it knows none such. What stands before the
/// query, and what follows it.
fn after_extension(text: &str) -> Option<(&str, &str)> {
    const SAID: &str = "file format with ext ";
    let from = text.find(SAID)? + SAID.len();
    let query = text[from..].find(['?', '#']).filter(|at| *at < word_end(&text[from..]))? + from;
    let rest = query + word_end(&text[query..]);
    Some((&text[..query], &text[rest..]))
}

/// The same for a name that is one URL as a whole, and may hold spaces and quotes. Other names stay as they are.
#[must_use]
pub fn redact_url(name: &str) -> Cow<'_, str> {
    let url = name.split_once("://").filter(|(scheme, _)| is_scheme(scheme));
    match url.map(|(scheme, rest)| Url::of(scheme, rest, rest.len())) {
        Some(url) if url.holds_secrets() => Cow::Owned(format!("{}://{}", url.scheme, url.within(CUT))),
        _ => Cow::Borrowed(name),
    }
}

/// Whether a URL in `text` has a user or a password. A query alone may be anything.
#[must_use]
pub fn holds_password(text: &str) -> bool {
    let mut found = false;
    let _ = rewritten(text, |url| {
        found |= url.user.is_some_and(|user| user != CUT);
        String::new()
    });
    found
}

/// Parts of names whose values may be secret.
const SECRET_WORDS: [&str; 8] =
    ["key", "secret", "token", "passw", "pwd", "credential", "sas", "factory_options"];

/// Options of object stores whose values are no secrets.
const OPEN_OPTIONS: [&str; 7] = [
    "aws.region",
    "aws.endpoint",
    "aws.oss",
    "aws.cos",
    "aws.allow_http",
    "aws.skip_signature",
    "aws.nosign",
];

/// Whether a name looks like that of a key, secret, token or password.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// Whether the value of an option of `OPTIONS (…)` may be secret. Those of formats mostly are not; of those of object
/// stores and others, only a few are known not to be.
fn is_secret_option(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    let of_format = match option.strip_prefix("format.") {
        Some(name) => name,
        // DataFusion takes it for one of the format.
        None if !option.contains('.') => option.as_str(),
        None => return !OPEN_OPTIONS.contains(&option.as_str()),
    };
    // A column follows, which may be called anything.
    let name = of_format.split("::").next().unwrap_or_default();
    name == "metadata" || is_secret_name(name) || name.ends_with("_hex")
}

/// The value of an option as it may be shown.
#[must_use]
pub fn redact_option<'v>(option: &str, value: &'v str) -> Cow<'v, str> {
    if is_secret_option(option) { Cow::Borrowed(CUT) } else { redact(value) }
}

/// A URL without what may be secret in it; a path stays as it is.
pub(crate) fn strip(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let url = Url::of(scheme, rest, rest.len());
            format!("{scheme}://{}", url.place)
        }
        None => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
    }
}

/// A URL, taken apart.
struct Url<'a> {
    scheme: &'a str,
    /// What stands before the `@`.
    user: Option<&'a str>,
    /// Host, port and path.
    place: &'a str,
    /// Whether a query or a fragment follows, and which of them.
    mark: Option<char>,
    /// How much of the text it takes, after `://`.
    len: usize,
}

impl<'a> Url<'a> {
    /// The URL whose text after `://` is the first `end` bytes of `rest`.
    fn of(scheme: &'a str, rest: &'a str, end: usize) -> Self {
        let (user, begin, end) = match user_end(rest, end) {
            Some(at) => {
                let user = &rest[..at];
                // A password with spaces in it has moved the end.
                let end = if at < end { end } else { at + 1 + word_end(&rest[at + 1..]) };
                (Some(user), at + 1, end)
            }
            None => (None, 0, end),
        };
        let is_container = |user: &&str| {
            CONTAINERS.iter().any(|known| scheme.eq_ignore_ascii_case(known)) && !user.contains(':')
        };
        let (user, begin) = if user.as_ref().is_some_and(is_container) { (None, 0) } else { (user, begin) };
        let tail = &rest[begin..end];
        let (place, mark) = match tail.find(['?', '#']) {
            Some(at) => (&tail[..at], tail[at..].chars().next()),
            None => (tail, None),
        };
        Self { scheme, user, place, mark, len: end }
    }

    fn holds_secrets(&self) -> bool {
        self.user.is_some() || self.mark.is_some()
    }

    /// What follows `://`, with `cut` for each secret.
    fn within(&self, cut: &str) -> String {
        let user = self.user.map(|_| format!("{cut}@")).unwrap_or_default();
        let query = self.mark.map(|mark| format!("{mark}{cut}")).unwrap_or_default();
        format!("{user}{}{query}", self.place)
    }
}

/// Where the `@` after a user stands, in a URL that ends at `end` as far as spaces tell.
fn user_end(rest: &str, end: usize) -> Option<usize> {
    let authority = &rest[..rest[..end].find(['/', '?', '#']).unwrap_or(end)];
    if let Some(at) = authority.rfind('@') {
        return Some(at);
    }
    // What follows a host's colon is a number. Else it is the password of a user, with a slash or a space in it.
    let after = authority.rsplit_once(':').map(|(_, after)| after)?;
    let port = after.trim_end_matches(|c: char| !c.is_alphanumeric());
    if authority.ends_with(']') || port.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let line = &rest[..rest.find(['\'', '"', '`', '\n']).unwrap_or(rest.len())];
    line.rfind('@')
}

/// Each URL of a text, written anew.
fn rewritten<'t>(text: &'t str, mut write: impl FnMut(&Url<'_>) -> String) -> Cow<'t, str> {
    let mut out = String::new();
    let mut done = 0;
    while let Some(found) = text[done..].find("://") {
        let start = done + found + "://".len();
        let before = &text[..start - "://".len()];
        let scheme = before.rfind(|c: char| !is_of_scheme(c)).map_or(before, |at| {
            let next = before[at..].chars().next().map_or(1, char::len_utf8);
            &before[at + next..]
        });
        out.push_str(&text[done..start]);
        done = start;
        if scheme.is_empty() {
            continue;
        }
        let rest = &text[start..];
        let url = Url::of(scheme, rest, word_end(rest));
        out.push_str(&if url.holds_secrets() { write(&url) } else { rest[..url.len].to_owned() });
        done += url.len;
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// Where a URL in running text ends: before a space, a quote, or the punctuation of the sentence.
fn word_end(rest: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\'' | '"' | '`' | '<' | '>');
    let word = &rest[..rest.find(ends).unwrap_or(rest.len())];
    word.trim_end_matches([')', ']', '}', ',', ';', ':', '.']).len()
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_of_scheme)
}

const fn is_of_scheme(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_passwords_and_queries_are_cut_from_texts() {
        for (text, shown) in [
            ("http://user:hunter2@host:80/a.csv", "http://***@host:80/a.csv"),
            ("http://token@host/a.csv", "http://***@host/a.csv"),
            (
                "(s3://k:s@b/a/b?token=x#y), and 'http://h/p?sig=z'.",
                "(s3://***@b/a/b?***), and 'http://h/p?***'.",
            ),
            (
                "TableScan: http://u:p@h/p.csv?a=b.x projection=[a]",
                "TableScan: http://***@h/p.csv?*** projection=[a]",
            ),
            ("https://u:p@ss@host/x", "https://***@host/x"),
            ("'http://u:p/w d?@host/x y'", "'http://***@host/x y'"),
            ("http://h/a#part", "http://h/a#***"),
            ("abfss://u:p@account/x", "abfss://***@account/x"),
        ] {
            assert_eq!(redact(text), shown, "{text}");
            assert_eq!(redact(shown), shown, "{text}");
        }
    }

    #[test]
    fn what_holds_no_secret_stays() {
        for text in [
            "/plain/path?.csv",
            "s3://bucket/a@b/x.parquet",
            "http://127.0.0.1:8897/p0.csv",
            "cannot reach http://host:80: refused; ask me@example.com",
            "http://[::1]:80/x and http://[::1]/x",
            "abfss://container@account.dfs.core.windows.net/x",
            "a :// b? c",
            "ü://",
        ] {
            assert_eq!(redact(text), text);
            assert_eq!(redact_url(text), text);
            assert!(!holds_password(text), "{text}");
        }
    }

    #[test]
    fn a_name_is_one_url() {
        assert_eq!(redact_url("http://u:p w@h/x?sig=a b'c"), "http://***@h/x?***");
        assert_eq!(redact_url("see http://u:p@h/x"), "see http://u:p@h/x");
    }

    #[test]
    fn a_query_alone_is_no_password() {
        assert!(holds_password("SELECT 'http://u:p@h/'"));
        assert!(!holds_password("SELECT 'https://h/?q=1', 'http://***@h/x'"));
    }

    #[test]
    fn values_of_options_are_shown_where_they_are_no_secrets() {
        for option in [
            "aws.access_key_id",
            "AWS.Secret_Access_Key",
            "aws.session_token",
            "gcp.service_account_path",
            "other.store",
            "api_key",
            "format.metadata::note",
            "format.crypto.file_encryption.footer_key_as_hex",
            "format.crypto.file_decryption.aad_prefix_as_hex",
        ] {
            assert_eq!(redact_option(option, "hunter2"), "***", "{option}");
        }
        for option in [
            "aws.region",
            "compression",
            "format.delimiter",
            "format.bloom_filter_enabled::a.key",
            "format.crypto.file_encryption.encrypt_footer",
            "format.metadata_size_hint",
        ] {
            assert_eq!(redact_option(option, "x"), "x", "{option}");
        }
        assert_eq!(redact_option("aws.endpoint", "http://u:hunter2@h:80"), "http://***@h:80");
    }

    #[test]
    fn the_place_of_a_store_has_no_secret() {
        assert_eq!(strip("s3://key:secret@bucket/a/b?token=x#y"), "s3://bucket/a/b");
        assert_eq!(strip("s3://bucket"), "s3://bucket");
        assert_eq!(strip("https://u:p@ss@host/x"), "https://host/x");
        assert_eq!(strip("/plain/path"), "/plain/path");
        assert_eq!(strip("name?x"), "name");
    }
}
