//! A disk that forgets what it was not asked to keep.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use milepost_store::DiskStep;
use rand::Rng;
use rand::rngs::StdRng;

/// A directory tree: what programs see, and what is on disk for certain.
#[derive(Debug)]
pub(super) struct Disk {
    base: PathBuf,
    /// The first one is the base.
    nodes: Vec<Node>,
    /// Syncs that have begun, and what they will cover.
    syncs: Vec<(PathBuf, Covered)>,
}

#[derive(Debug)]
enum Node {
    Directory(Directory),
    File(File),
}

#[derive(Debug, Default)]
struct Directory {
    now: BTreeMap<OsString, usize>,
    durable: BTreeMap<OsString, usize>,
    /// Changes that are not durable, oldest first.
    pending: Vec<Change>,
    /// How many changes are durable.
    settled: usize,
}

/// One change of names in a directory, done as a whole.
#[derive(Clone, Debug)]
struct Change {
    gone: Option<OsString>,
    named: Option<(OsString, usize)>,
}

#[derive(Debug, Default)]
struct File {
    now: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug)]
enum Covered {
    /// A directory's first changes, so many.
    Changes(usize, usize),
    /// A file's content.
    Content(usize, Vec<u8>),
}

/// How a disk treats what is not durable.
#[derive(Clone, Copy, Debug)]
pub(super) enum Temper {
    LosesAll,
    KeepsAll,
    /// Each change and each file by chance.
    Chance,
}

impl Disk {
    pub(super) fn new(base: PathBuf) -> Self {
        Self { base, nodes: vec![Node::Directory(Directory::default())], syncs: vec![] }
    }

    pub(super) fn replay(&mut self, step: &DiskStep) {
        match step {
            DiskStep::MakeDirectory(path) => {
                let node = self.add(Node::Directory(Directory::default()));
                self.change(path, None, Some(node));
            }
            DiskStep::CreateFile(path) => {
                let node = self.add(Node::File(File::default()));
                self.change(path, None, Some(node));
            }
            DiskStep::Write { file, offset, bytes } => self.write(file, *offset, bytes),
            DiskStep::Link { from, to } => {
                let node = self.find(from);
                self.change(to, None, node);
            }
            DiskStep::Rename { from, to } => {
                let node = self.find(from);
                self.change(to, from.file_name().map(Into::into), node);
            }
            DiskStep::Remove(path) => self.change(path, path.file_name().map(Into::into), None),
            DiskStep::SyncBegins(path) => self.sync_begins(path),
            DiskStep::SyncEnds(path) => self.sync_ends(path),
        }
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// What programs see at a path; `None` also for what lies outside.
    fn find(&self, path: &Path) -> Option<usize> {
        let mut at = 0;
        for part in path.strip_prefix(&self.base).ok()? {
            match &self.nodes[at] {
                Node::Directory(directory) => at = *directory.now.get(part)?,
                Node::File(_) => return None,
            }
        }
        Some(at)
    }

    /// Changes names in the directory of `path`.
    fn change(&mut self, path: &Path, gone: Option<OsString>, node: Option<usize>) {
        let Some(at) = path.parent().and_then(|parent| self.find(parent)) else { return };
        let Node::Directory(directory) = &mut self.nodes[at] else { return };
        let named = path.file_name().map(OsString::from).zip(node);
        let change = Change { gone, named };
        change.apply(&mut directory.now);
        directory.pending.push(change);
    }

    fn write(&mut self, file: &Path, offset: u64, bytes: &[u8]) {
        let (Some(at), Ok(offset)) = (self.find(file), usize::try_from(offset)) else { return };
        let Node::File(file) = &mut self.nodes[at] else { return };
        let end = offset + bytes.len();
        file.now.resize(file.now.len().max(end), 0);
        file.now[offset..end].copy_from_slice(bytes);
    }

    fn sync_begins(&mut self, path: &Path) {
        let Some(at) = self.find(path) else { return };
        let covered = match &self.nodes[at] {
            Node::Directory(directory) => Covered::Changes(at, directory.settled + directory.pending.len()),
            Node::File(file) => Covered::Content(at, file.now.clone()),
        };
        self.syncs.push((path.to_owned(), covered));
    }

    /// Of several syncs of one path the one that began first counts: it covers least.
    fn sync_ends(&mut self, path: &Path) {
        let Some(first) = self.syncs.iter().position(|(begun, _)| begun == path) else { return };
        match self.syncs.remove(first).1 {
            Covered::Changes(at, until) => {
                let Node::Directory(directory) = &mut self.nodes[at] else { return };
                let count = until.saturating_sub(directory.settled);
                for change in directory.pending.drain(..count) {
                    change.apply(&mut directory.durable);
                }
                directory.settled += count;
            }
            Covered::Content(at, content) => {
                if let Node::File(file) = &mut self.nodes[at] {
                    file.durable = content;
                }
            }
        }
    }

    /// Writes what is left after a cut to a directory that is there.
    pub(super) fn leave(&self, target: &Path, temper: Temper, numbers: &mut StdRng) -> std::io::Result<()> {
        self.leave_node(0, target, temper, numbers)
    }

    fn leave_node(
        &self,
        at: usize,
        target: &Path,
        temper: Temper,
        numbers: &mut StdRng,
    ) -> std::io::Result<()> {
        match &self.nodes[at] {
            Node::File(file) => std::fs::write(target, file.after_cut(temper, numbers)),
            Node::Directory(directory) => {
                if at != 0 {
                    std::fs::create_dir(target)?;
                }
                for (name, node) in directory.after_cut(temper, numbers) {
                    self.leave_node(node, &target.join(name), temper, numbers)?;
                }
                Ok(())
            }
        }
    }
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<OsString, usize>) {
        if let Some(gone) = &self.gone {
            names.remove(gone);
        }
        if let Some((name, node)) = &self.named {
            names.insert(name.clone(), *node);
        }
    }
}

impl Directory {
    fn after_cut(&self, temper: Temper, numbers: &mut StdRng) -> BTreeMap<OsString, usize> {
        let mut names = self.durable.clone();
        for change in &self.pending {
            let kept = match temper {
                Temper::LosesAll => false,
                Temper::KeepsAll => true,
                Temper::Chance => numbers.random_bool(0.5),
            };
            if kept {
                change.apply(&mut names);
            }
        }
        names
    }
}

impl File {
    /// What was synced is there. If more was written, the rest is there, missing, short or garbage.
    fn after_cut(&self, temper: Temper, numbers: &mut StdRng) -> Vec<u8> {
        if self.now == self.durable {
            return self.now.clone();
        }
        match (temper, numbers.random_range(0..4)) {
            (Temper::LosesAll, _) | (Temper::Chance, 0) => self.durable.clone(),
            (Temper::KeepsAll, _) | (Temper::Chance, 1) => self.now.clone(),
            (Temper::Chance, 2) => self.now[..numbers.random_range(0..=self.now.len())].to_vec(),
            (Temper::Chance, _) => {
                let mut garbage = self.now.clone();
                let from = numbers.random_range(0..garbage.len().max(1));
                garbage.iter_mut().skip(from).for_each(|byte| *byte = numbers.random());
                garbage
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn left(steps: &[DiskStep], temper: Temper) -> Vec<String> {
        let mut disk = Disk::new("/base".into());
        steps.iter().for_each(|step| disk.replay(step));
        let target = tempfile::tempdir().unwrap();
        disk.leave(target.path(), temper, &mut StdRng::seed_from_u64(1)).unwrap();
        let mut found: Vec<String> = std::fs::read_dir(target.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| {
                let text = std::fs::read_to_string(&path).unwrap_or_else(|_| "/".to_owned());
                format!("{} {text}", path.file_name().unwrap().to_str().unwrap())
            })
            .collect();
        found.sort();
        found
    }

    fn sync(path: &str) -> [DiskStep; 2] {
        [DiskStep::SyncBegins(path.into()), DiskStep::SyncEnds(path.into())]
    }

    fn written(path: &str, text: &'static str) -> [DiskStep; 2] {
        let write = DiskStep::Write { file: path.into(), offset: 0, bytes: text.into() };
        [DiskStep::CreateFile(path.into()), write]
    }

    #[test]
    fn what_was_not_synced_may_be_gone() {
        let steps = written("/base/a", "one");
        assert_eq!(left(&steps, Temper::LosesAll), [""; 0]);
        assert_eq!(left(&steps, Temper::KeepsAll), ["a one"]);
    }

    #[test]
    fn a_synced_file_may_lose_its_name_and_a_synced_name_its_content() {
        let file = [written("/base/a", "one"), sync("/base/a")].concat();
        assert_eq!(left(&file, Temper::LosesAll), [""; 0]);
        let name = [written("/base/a", "one"), sync("/base")].concat();
        assert_eq!(left(&name, Temper::LosesAll), ["a "]);
        let both = [written("/base/a", "one"), sync("/base/a"), sync("/base")].concat();
        assert_eq!(left(&both, Temper::LosesAll), ["a one"]);
    }

    #[test]
    fn a_sync_covers_what_was_there_when_it_began() {
        let [begin, end] = sync("/base");
        let steps = [vec![begin], written("/base/a", "one").to_vec(), vec![end]].concat();
        assert_eq!(left(&steps, Temper::LosesAll), [""; 0]);
    }

    #[test]
    fn a_rename_is_done_or_not() {
        let before = [written("/base/a", "old"), sync("/base/a"), sync("/base")].concat();
        let aside = [written("/base/b", "new"), sync("/base/b"), sync("/base")].concat();
        let rename = DiskStep::Rename { from: "/base/b".into(), to: "/base/a".into() };
        let steps = [before, aside, vec![rename]].concat();
        assert_eq!(left(&steps, Temper::LosesAll), ["a old", "b new"]);
        assert_eq!(left(&steps, Temper::KeepsAll), ["a new"]);
    }
}
