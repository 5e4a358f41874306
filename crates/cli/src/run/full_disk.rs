//! Why a COPY could not end what it had begun to write.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use datafusion::error::DataFusionError;
use datafusion::sql::parser::Statement as DFStatement;
use milepost::sql::{Statement, StatementKind};

/// As much as is written to find out whether there is room.
const PROBE: usize = 1 << 20;

/// The error of a statement, with the reason where a COPY to a local disk failed and DataFusion has lost it on the way: the
/// same place is written to once more.
pub(super) fn full_disk(statement: &Statement, error: DataFusionError) -> DataFusionError {
    let lost =
        matches!(error.find_root(), DataFusionError::Internal(text) if text.contains("finalizing writes"));
    match folder(statement) {
        Some(folder) if lost => match probe(&folder) {
            Ok(()) => error,
            Err(source) => DataFusionError::Execution(format!(
                "COPY cannot write to {}: {source}; free some space there, or write elsewhere",
                folder.display()
            )),
        },
        _ => error,
    }
}

/// The local folder that a COPY writes to.
fn folder(statement: &Statement) -> Option<PathBuf> {
    let StatementKind::DataFusion(inner) = &statement.kind else { return None };
    let DFStatement::CopyTo(copy) = inner.as_ref() else { return None };
    let path = copy.target.strip_prefix("file://").unwrap_or(&copy.target);
    if path.contains("://") {
        return None;
    }
    let target = std::path::absolute(path).ok()?;
    target.ancestors().find(|path| path.is_dir()).map(Path::to_path_buf)
}

fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".milepost-copy-{}", std::process::id()));
    let written = File::create_new(&path).and_then(|mut file| {
        file.write_all(&vec![0; PROBE])?;
        file.sync_all()
    });
    let _ = std::fs::remove_file(&path);
    written
}

#[cfg(test)]
mod tests {
    use datafusion::config::ConfigOptions;

    use super::*;

    fn copy_to(target: &str) -> Statement {
        let sql = format!("COPY (SELECT 1) TO '{target}' STORED AS CSV");
        milepost::sql::parse(&sql, &ConfigOptions::default()).unwrap().swap_remove(0)
    }

    fn lost() -> DataFusionError {
        DataFusionError::Internal("Error encountered while finalizing writes! Partial".to_string())
    }

    #[test]
    fn only_a_local_folder_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a/b.csv");
        assert_eq!(super::folder(&copy_to(inside.to_str().unwrap())).as_deref(), Some(folder.path()));
        assert_eq!(super::folder(&copy_to("s3://bucket/a.csv")), None);
    }

    #[test]
    fn where_there_is_room_the_error_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.csv");
        let error = full_disk(&copy_to(target.to_str().unwrap()), lost());
        assert!(matches!(error, DataFusionError::Internal(_)), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// A place where nothing can be written stands in for a full disk: what the system says is passed on.
    #[test]
    fn the_reason_is_what_the_system_says() {
        let error = full_disk(&copy_to("/proc/self/a.csv"), lost()).to_string();
        assert!(error.contains("/proc/self") && error.contains("os error"), "{error}");
    }
}
