//! `milepost run` and `milepost jobs`.

use std::process::Stdio;

use crate::support::{Desk, Ran, files_below};

const SCRIPT: &str = "\
-- a job
CREATE TABLE sales (day VARCHAR, amount INT) AS VALUES ('mon', 10), ('tue', 5);
CHECKPOINT by_day AS SELECT day, sum(amount) AS total FROM sales GROUP BY day;
SELECT count(*) AS days FROM by_day;
COPY (SELECT * FROM by_day ORDER BY day) TO 'out.csv' OPTIONS ('format.has_header' 'true');
SELECT * FROM 'late.csv';
";

#[test]
fn a_job_that_failed_goes_on_when_it_is_run_again() {
    let desk = Desk::new();
    desk.write("Nightly-2.sql", SCRIPT);
    let first = desk.run(&["run", "Nightly-2.sql", "--format", "csv"]);
    assert_eq!(first.code, Some(1), "{first:?}");
    assert!(
        first.stdout.contains("\nby_day,1,written,2,") && first.stdout.ends_with("days\n2\ncount\n2\n"),
        "{first:?}"
    );
    let told: Vec<&str> = first.stderr.lines().collect();
    assert!(told[0].starts_with("step 1/5: done in ") && told[0].ends_with("(CREATE TABLE)"), "{first:?}");
    assert!(
        told[1].contains("written in") && told[1].ends_with("2 rows (CHECKPOINT by_day version 1)"),
        "{first:?}"
    );
    assert!(told[3].contains("2 rows (COPY)"), "{first:?}");
    assert!(told[4].starts_with("milepost: Nightly-2.sql:6: ") && told.len() == 5, "{first:?}");

    desk.write("late.csv", "a\n42\n");
    let second = desk.run(&["run", "Nightly-2.sql", "--format", "csv"]);
    assert_eq!((second.code, second.stdout.as_str()), (Some(0), "a\n42\n"), "{second:?}");
    let told: Vec<&str> = second.stderr.lines().collect();
    assert!(told[0].starts_with("job nightly_2: goes on with run "), "{second:?}");
    assert_eq!(told[1], "step 1/5: done again for this session (CREATE TABLE)");
    assert_eq!(told[2], "step 2/5: skipped, done before (CHECKPOINT by_day version 1)");
    assert!(
        told[6].starts_with("job nightly_2: 5 steps in ") && told[6].contains("3 skipped, 1 done again"),
        "{second:?}"
    );

    let third = desk.run(&["-q", "run", "Nightly-2.sql", "--format", "csv"]);
    assert_eq!((third.code, third.stderr.as_str()), (Some(0), ""));
    assert!(third.stdout.contains("\nby_day,1,reused,2,"), "{third:?}");
    assert!(third.stdout.ends_with("days\n2\ncount\n2\na\n42\n"), "a new run does everything: {third:?}");
}

#[test]
fn jobs_are_listed_with_their_runs_and_steps() {
    let desk = Desk::new();
    desk.write("a.sql", "CHECKPOINT c AS SELECT 1 AS n; SELECT * FROM c;");
    desk.write("b.sql", "SELECT 1; SELECT * FROM nowhere;");
    desk.rows("CHECKPOINT before AS SELECT 1 AS n");
    assert_eq!(desk.run(&["jobs", "--format", "csv"]).stdout.lines().count(), 1);
    desk.run(&["run", "a.sql"]);
    desk.run(&["run", "b.sql", "--job", "other"]);
    let listed = desk.run(&["jobs", "--format", "csv"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let rows: Vec<&str> = listed.stdout.lines().skip(1).collect();
    assert!(rows[0].starts_with("a,") && rows[0].contains(",done,"), "{listed:?}");
    assert!(rows[1].starts_with("other,") && rows[1].contains(",failed,"), "{listed:?}");
    assert!(rows[1].ends_with("step 2 of 2 (SELECT): it could not be planned"), "{listed:?}");
    let one = desk.run(&["jobs", "a", "--format", "csv"]);
    assert!(
        one.stdout.contains(",1,checkpoint,written,c,1,1,") && one.stdout.contains(",2,query,done,,,1,"),
        "{one:?}"
    );
    let none = desk.run(&["jobs", "nothing"]);
    assert!(none.code == Some(1) && none.error_line().contains("no job 'nothing'"), "{none:?}");
    assert_eq!(desk.run(&["jobs", "../a"]).code, Some(2));
    assert_eq!(
        desk.rows("SELECT job, step, kind, outcome, checkpoint, version, rows FROM milepost.steps ORDER BY job, step"),
        ["a,1,checkpoint,written,c,1,1", "a,2,query,done,,,1", "other,1,query,done,,,1"]
    );
}

/// One damaged log hides no other job; what is asked of the damaged one says where, what and what next, and ends with 4.
#[test]
fn a_damaged_log_hides_no_other_job() {
    let desk = Desk::new();
    desk.write("a.sql", "SELECT 1;");
    desk.write("b.sql", "SELECT 1; SELECT 2;");
    for script in ["a.sql", "b.sql"] {
        assert_eq!(desk.run(&["run", script]).code, Some(0));
    }
    let mut entries = files_below(&desk.path(".milepost/jobs/b/log"), ".json");
    entries.sort();
    let newest = entries.pop().unwrap();
    let text = std::fs::read_to_string(&newest).unwrap();
    std::fs::write(&newest, &text[..text.len() / 2]).unwrap();
    let path = newest.strip_prefix(desk.path(".milepost")).unwrap().display().to_string();

    let listed = desk.run(&["jobs", "--format", "csv"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let rows: Vec<&str> = listed.stdout.lines().skip(1).collect();
    assert!(rows[0].starts_with("a,") && rows[0].contains(",done,"), "{listed:?}");
    assert!(rows[1].starts_with("b,,damaged,") && rows[1].contains(&path), "{listed:?}");
    assert_eq!(desk.rows("SELECT job, step FROM milepost.steps"), ["a,1"]);
    let steps = desk.run(&["-c", "SELECT job FROM milepost.steps"]);
    assert!(
        steps.stderr.contains("notice: the steps of job b are left out") && steps.stderr.contains(&path),
        "{steps:?}"
    );

    for arguments in
        [&["jobs", "b"][..], &["-q", "run", "b.sql"], &["-q", "run", "b.sql", "--restart"], &["verify"]]
    {
        let ran = desk.run(arguments);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        if arguments == ["verify"] {
            assert!(ran.stdout.contains(&path) && ran.stdout.contains("short"), "{ran:?}");
        } else {
            assert!(ran.error_line().contains(&path) && ran.error_line().contains("--job"), "{ran:?}");
        }
    }
    assert_eq!(desk.run(&["run", "b.sql", "--job", "b_again"]).code, Some(0));

    std::fs::write(&newest, text).unwrap();
    std::fs::remove_file(&newest).unwrap();
    let ran = desk.run(&["-q", "run", "b.sql"]);
    assert!(ran.code == Some(4) && ran.error_line().contains("jobs/b/tail"), "{ran:?}");
}

#[test]
fn nothing_runs_before_all_of_the_script_is_known_to_be_right() {
    let desk = Desk::new();
    desk.write("end.sql", "COPY (SELECT 1 AS a) TO 'made.csv';\nSELECT 2;\nSELECT 3\nFORM t;\n");
    desk.write("command.sql", "COPY (SELECT 1 AS a) TO 'made.csv';\n\\d\n");
    desk.write("name.sql", "COPY (SELECT 1 AS a) TO 'made.csv';\nCHECKPOINT \"By Day\" AS SELECT 1;\n");
    desk.write("empty.sql", "-- nothing\n");
    desk.write("variable.sql", "COPY (SELECT 1 AS a) TO 'made.csv';\nSELECT ${day};\n");
    std::fs::write(desk.path("bytes.sql"), b"SELECT '\xff';").unwrap();
    std::fs::create_dir(desk.path("folder.sql")).unwrap();
    for (arguments, code, says) in [
        (&["run", "end.sql"][..], 2, "end.sql:4: "),
        (&["run", "bytes.sql"], 2, "cannot read bytes.sql"),
        (&["run", "folder.sql"], 2, "cannot read folder.sql"),
        (&["run", "name.sql"], 2, "name.sql:2: "),
        (&["run", "command.sql"], 2, "command.sql:2: a job's script holds SQL only"),
        (&["run", "empty.sql"], 2, "empty.sql: the script has no statement"),
        (&["run", "variable.sql"], 2, "line 2: the script uses ${day}"),
        (&["run", "variable.sql", "--var", "day=1", "--var", "dya=2"], 2, "never uses ${dya}"),
        (&["run", "variable.sql", "--var", "day"], 2, "--var day is no variable"),
        (&["run", "variable.sql", "--var", "1=2"], 2, "begins with no digit"),
        (&["run", "nowhere.sql"], 2, "nowhere.sql"),
        (&["run", "-"], 2, "is a file"),
        (&["run", "end.sql", "--job", "../end"], 2, "job name"),
        (&["run", "end.sql", "--job", ""], 2, "job name"),
        (&["run"], 2, "milepost --help"),
    ] {
        let ran = desk.run(arguments);
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.error_line().contains(says), "{arguments:?}: {ran:?}");
        // What a supervisor is asked for is looked at as soon.
        if let ["run", rest @ ..] = arguments {
            let supervised = desk.run(&[&["run", "--supervise"], rest].concat());
            assert_eq!((supervised.code, supervised.error_line()), (Some(code), ran.error_line()));
        }
    }
    // A shell's script is a statement that failed: whoever wrote it sees it, and nothing is to be resumed.
    for name in ["end.sql", "name.sql"] {
        assert_eq!(desk.run(&["-f", name]).code, Some(1), "{name}");
    }
    assert!(!desk.path("made.csv").exists() && !desk.path(".milepost/jobs").exists());
}

#[test]
fn variables_are_filled_in() {
    let desk = Desk::new();
    desk.write("v.sql", "SELECT '${who}' AS who, ${n} + 1 AS n; -- for ${who}\n");
    let ran = desk.run(&["-q", "--format", "csv", "run", "v.sql", "--var", "who=me=you", "--var", "n=41"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "who,n\nme=you,42\n"), "{ran:?}");
}

#[test]
fn an_edit_that_would_repeat_a_sink_needs_restart() {
    let desk = Desk::new();
    desk.write("a.sql", SCRIPT);
    assert_eq!(desk.run(&["-q", "run", "a.sql"]).code, Some(1));
    desk.write("a.sql", &SCRIPT.replace("'tue', 5", "'tue', 6"));
    let refused = desk.run(&["-q", "run", "a.sql"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
    let line = refused.error_line();
    assert!(
        line.contains("step 1 (line 2)") && line.contains("step 4") && line.contains("--restart"),
        "{line}"
    );
    desk.write("late.csv", "a\n1\n");
    let again = desk.run(&["-q", "run", "a.sql", "--restart"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(std::fs::read_to_string(desk.path("out.csv")).unwrap(), "day,total\nmon,10\ntue,6\n");
}

#[test]
fn a_damaged_log_of_a_job_ends_with_4() {
    let desk = Desk::new();
    desk.write("a.sql", "SELECT 1; SELECT * FROM nowhere;");
    desk.run(&["run", "a.sql"]);
    let entry = desk.path(".milepost/jobs/a/log/00000000000000000004.json");
    let text = std::fs::read_to_string(&entry).unwrap();
    std::fs::write(&entry, text.replace("failed", "fooled")).unwrap();
    let ran = desk.run(&["run", "a.sql"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.error_line().contains("00000000000000000004.json"), "{ran:?}");
}

#[test]
fn the_example_job_runs() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["datagen", "tpch", "--scale", "0.01", "--out", "tpch"]).code, Some(0));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sql/jobs/revenue.sql");
    let first = desk.run(&["run", example, "--var", "year=1995"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(std::fs::read_to_string(desk.path("revenue.csv")).unwrap().lines().count(), 25 * 12 + 1);
    let second = desk.run(&["run", example, "--var", "year=1995"]);
    assert!(second.stderr.contains("2 checkpoints reused"), "{second:?}");
}

/// A failed statement is run again after a second; what it needs comes meanwhile.
#[test]
fn a_supervised_job_is_started_again() {
    let desk = Desk::new();
    desk.write("a.sql", SCRIPT);
    let mut command = desk.command(&["run", "a.sql", "--supervise", "--format", "csv"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !desk.path("out.csv").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // Written aside, so that nobody reads half of it.
    let whole = desk.write("late.tmp", "a\n42\n");
    std::thread::sleep(std::time::Duration::from_millis(200));
    std::fs::copy(&whole, desk.path("late.csv")).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains("notice: the job failed; start 1 of 5 in 1 s"), "{ran:?}");
    assert!(
        ran.stderr.contains("step 4/5: skipped, done before (COPY)") && ran.stdout.ends_with("a\n42\n"),
        "{ran:?}"
    );
}

#[test]
fn a_supervisor_gives_up_after_its_last_start() {
    let desk = Desk::new();
    desk.write("a.sql", "SELECT * FROM nowhere;");
    let ran = desk.run(&["run", "a.sql", "--supervise=1"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.stderr.matches("milepost: a.sql:1: ").count(), 2, "{ran:?}");
    assert_eq!(ran.stderr.matches("notice: ").count(), 1, "{ran:?}");
    let never = desk.run(&["run", "a.sql", "--supervise=0"]);
    assert!(never.code == Some(1) && !never.stderr.contains("notice: "), "{never:?}");
}

/// What was finished in the new run is not done once more because its process died.
#[test]
fn a_supervised_restart_begins_one_new_run() {
    let desk = Desk::new();
    desk.write("a.sql", "SELECT 1; SELECT * FROM nowhere;");
    desk.run(&["run", "a.sql"]);
    let ran = desk.run(&["run", "a.sql", "--restart", "--supervise=1"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("step 1/2: skipped, done before"), "{ran:?}");
    assert_eq!(
        desk.rows("SELECT count(DISTINCT run) AS runs, max(drivers) AS drivers FROM milepost.jobs"),
        ["2,2"]
    );
}

/// It could only fail, and after the steps before it.
#[test]
fn a_function_that_nobody_can_make_is_refused_before_anything_runs() {
    let desk = Desk::new();
    desk.write(
        "job.sql",
        "CHECKPOINT a AS SELECT 1 AS x;\nCREATE FUNCTION f(DOUBLE) RETURNS DOUBLE RETURN $1 * 2;",
    );
    let ran = desk.run(&["run", "job.sql"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.error_line().contains("job.sql:2: CREATE FUNCTION"), "{ran:?}");
    assert!(!desk.path(".milepost/checkpoints/a").exists());
}
