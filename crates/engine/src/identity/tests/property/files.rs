//! Whatever is done to a file of a table, its signature is another one; while nothing is done, it stays.
#![expect(clippy::disallowed_methods, reason = "these files are sources, which anybody may rename")]

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use milepost_store::ids::Signature;

use super::*;

const QUERY: &str = "SELECT x FROM files";

#[derive(Debug, Clone, Copy)]
enum Change {
    /// Bytes are appended.
    Append,
    /// One byte becomes another one in place, and the time moves on as clocks do.
    Byte,
    Add,
    Remove,
    Rename,
    /// Another file of the same bytes and the same time takes the place.
    Replace,
}

fn changes() -> impl Strategy<Value = Vec<(Change, prop::sample::Index)>> {
    let change = prop::sample::select(vec![
        Change::Append,
        Change::Byte,
        Change::Add,
        Change::Remove,
        Change::Rename,
        Change::Replace,
    ]);
    prop::collection::vec((change, any::<prop::sample::Index>()), 1..6)
}

/// A table over CSV files, of which each has a number a line.
struct Files {
    directory: tempfile::TempDir,
    context: SessionContext,
    /// Names that were given, so that none is given twice.
    named: usize,
}

impl Files {
    fn new(files: &[Vec<u8>]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let context = SessionContext::new();
        let place = directory.path().display();
        let sql = format!("CREATE EXTERNAL TABLE files (x BIGINT) STORED AS CSV LOCATION '{place}/'");
        block_on(context.sql(&sql)).unwrap();
        let mut table = Self { directory, context, named: 0 };
        for numbers in files {
            let lines: String = numbers.iter().map(|number| format!("{number}\n")).collect();
            fs::write(table.new_name(), format!("x\n{lines}")).unwrap();
        }
        table
    }

    fn new_name(&mut self) -> PathBuf {
        self.named += 1;
        self.directory.path().join(format!("{}.csv", self.named))
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort_unstable();
        files
    }

    fn apply(&mut self, change: Change, which: prop::sample::Index) {
        let files = self.files();
        let file = &files[which.index(files.len())];
        match change {
            Change::Append => {
                File::options().append(true).open(file).unwrap().write_all(b"7\n").unwrap();
            }
            Change::Byte => change_one_digit(file, which),
            // A table keeps one file.
            Change::Remove if files.len() > 1 => fs::remove_file(file).unwrap(),
            Change::Add | Change::Remove => fs::write(self.new_name(), "x\n1\n").unwrap(),
            Change::Rename => fs::rename(file, self.new_name()).unwrap(),
            Change::Replace => {
                let other = self.directory.path().join("other");
                fs::write(&other, fs::read(file).unwrap()).unwrap();
                let was = fs::metadata(file).unwrap().modified().unwrap();
                File::options().write(true).open(&other).unwrap().set_modified(was).unwrap();
                fs::rename(other, file).unwrap();
            }
        }
    }

    fn signature(&self) -> Signature {
        let identity = block_on(of(&self.context, QUERY));
        assert!(identity.reusable, "{:?}", identity.why_not_reusable);
        identity.signature
    }

    fn read(&self) -> usize {
        block_on(async { self.context.sql(QUERY).await.unwrap().count().await.unwrap() })
    }

    /// How many rows there are, by the files themselves.
    fn rows(&self) -> usize {
        let lines = |file: &PathBuf| fs::read_to_string(file).unwrap().lines().count();
        self.files().iter().map(|file| lines(file) - 1).sum()
    }
}

fn change_one_digit(file: &Path, which: prop::sample::Index) {
    let was = fs::metadata(file).unwrap().modified().unwrap();
    let mut bytes = fs::read(file).unwrap();
    let digits: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at].is_ascii_digit()).collect();
    let at = digits[which.index(digits.len())];
    bytes[at] = b'0' + (bytes[at] - b'0' + 1) % 10;
    fs::write(file, bytes).unwrap();
    File::options().write(true).open(file).unwrap().set_modified(was + Duration::from_millis(1)).unwrap();
}

fn some_files() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 1..5), 1..4)
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn every_change_of_a_file_changes_the_signature(files in some_files(), changes in changes()) {
        let mut table = Files::new(&files);
        let mut last = table.signature();
        for (change, which) in changes {
            table.apply(change, which);
            let next = table.signature();
            prop_assert_ne!(last, next, "{:?}", change);
            prop_assert_eq!(table.read(), table.rows(), "{:?}", change);
            prop_assert_eq!(table.signature(), next, "after reading: {:?}", change);
            last = next;
        }
    }

    /// Looking, reading, and another session that does both.
    #[test]
    fn while_nothing_is_changed_the_signature_stays(files in some_files(), readings in 0_usize..3) {
        let table = Files::new(&files);
        let before = table.signature();
        for _ in 0..readings {
            table.read();
        }
        prop_assert_eq!(table.signature(), before);
        let place = table.directory.path().display();
        let other = SessionContext::new();
        let sql = format!("CREATE EXTERNAL TABLE others (x BIGINT) STORED AS CSV LOCATION '{place}/'");
        block_on(other.sql(&sql)).unwrap();
        prop_assert_eq!(block_on(of(&other, "SELECT x FROM others")).signature, before);
    }
}
