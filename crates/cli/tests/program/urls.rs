//! Passwords and signatures in URLs: used by nobody, stored nowhere, never printed.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::support::{Desk, Ran, files_below};

const SECRET: &str = "hunter2";

/// A web server with two files, which remembers what it was asked.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away has its reasons.
                let _ = answer(stream, &heard);
            }
        });
        Self { port, asked }
    }

    fn url(&self, password: &str, file: &str) -> String {
        format!("http://user:{password}@127.0.0.1:{}/{file}?sig={password}", self.port)
    }
}

fn answer(stream: TcpStream, heard: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    heard.lock().unwrap().push(head.clone());
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let body = match target.split('?').next() {
        Some("/p0.csv") => "a,b\n1,x\n2,y\n",
        Some("/p1.csv") => "a,b\n7,z\n",
        _ => {
            let refused = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return reader.get_mut().write_all(refused.as_bytes());
        }
    };
    let lower = head.to_ascii_lowercase();
    let range = lower.split_once("range: bytes=").and_then(|(_, rest)| {
        let (from, to) = rest.split_once("\r\n")?.0.split_once('-')?;
        Some((
            from.parse::<usize>().ok()?,
            to.parse::<usize>().map_or(body.len(), |to| to + 1).min(body.len()),
        ))
    });
    let (status, part, extra) = match range {
        Some((from, to)) => {
            let of = format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, body.len());
            ("206 Partial Content", &body[from..to], of)
        }
        None => ("200 OK", body, String::new()),
    };
    let sent = if method == "HEAD" { "" } else { part };
    let text = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLast-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n\
         ETag: \"{target}\"\r\n{extra}Connection: close\r\n\r\n{sent}",
        part.len()
    );
    reader.get_mut().write_all(text.as_bytes())
}

fn keeps_the_secret(ran: &Ran) {
    assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{ran:?}");
}

/// No byte of the store holds the secret.
fn is_not_stored(folder: &Path) {
    let files = files_below(folder, "");
    assert!(!files.is_empty());
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
        assert!(!found, "{} holds the secret", file.display());
    }
}

#[test]
fn a_password_in_a_url_is_stored_nowhere_and_never_printed() {
    let (desk, server) = (Desk::new(), Server::start());
    let url = server.url(SECRET, "p0.csv");
    let run = |sql: &str| {
        let ran = desk.run(&["--format", "csv", "--maxrows", "inf", "-c", sql]);
        assert_eq!(ran.code, Some(0), "{sql}: {ran:?}");
        keeps_the_secret(&ran);
        ran.stdout
    };
    let made =
        run(&format!("CHECKPOINT z AS SELECT max(a), \"{url}\".b FROM '{url}' WHERE a > 0 GROUP BY b"));
    assert!(made.contains("z,1,written,2"), "{made}");
    is_not_stored(&desk.path(".milepost"));
    for sql in [
        "SELECT * FROM z",
        "SHOW CHECKPOINTS",
        "SELECT * FROM milepost.lineage",
        "SELECT * FROM milepost.snapshots",
        "DESCRIBE CHECKPOINT z",
        &format!("SELECT max(a) FROM '{url}'"),
        &format!("EXPLAIN VERBOSE SELECT * FROM '{url}'"),
        &format!("EXPLAIN ANALYZE SELECT * FROM checkpoint((SELECT a FROM '{url}')) AS t"),
        &format!("EXPLAIN CHECKPOINT z AS SELECT a FROM '{url}' LIMIT 1"),
    ] {
        run(sql);
    }
    // What is stored of the query is what ran, and runs again.
    let definition = run("SELECT definition FROM milepost.checkpoints WHERE checkpoint = 'z'");
    assert!(definition.contains(&format!("http://***@127.0.0.1:{}/p0.csv?***", server.port)), "{definition}");
    assert!(run("REFRESH CHECKPOINT z FORCE").contains("z,2,written,2"));
    assert!(run("REFRESH CHECKPOINT z").contains("z,2,reused,2"));
    is_not_stored(&desk.path(".milepost"));
    // Why they may be cut: DataFusion reads by host and path alone.
    let asked = server.asked.lock().unwrap();
    assert!(
        asked.iter().all(|head| !head.contains("sig=") && !head.to_lowercase().contains("authorization"))
    );
}

#[test]
fn other_files_are_other_sources_and_other_passwords_are_not() {
    let (desk, server) = (Desk::new(), Server::start());
    let outcome = |password: &str, file: &str| {
        let sql = format!("CHECKPOINT z AS SELECT a FROM '{}'", server.url(password, file));
        desk.rows(&sql)[0].split(',').nth(2).unwrap().to_string()
    };
    assert_eq!(outcome(SECRET, "p0.csv"), "written");
    assert_eq!(outcome("other", "p0.csv"), "reused");
    assert_eq!(outcome("other", "p1.csv"), "written");
    assert_eq!(desk.rows("SELECT a FROM z"), ["7"]);
}

#[test]
fn an_error_shows_no_password() {
    let desk = Desk::new();
    let url = format!("http://user:{SECRET}@127.0.0.1:1/p0.csv?sig={SECRET}");
    for sql in [
        format!("SELECT * FROM '{url}'"),
        format!("SELECT 1 '{url}' '{url}'"),
        format!("SELECT '{url}'::int"),
        format!("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{url}'"),
        format!("COPY (SELECT 1) TO '{url}'"),
        format!("CHECKPOINT z AS SELECT * FROM '{url}'"),
        format!("SELECT * FROM checkpoint((SELECT 1), 'a', '{url}')"),
    ] {
        let ran = desk.run(&["-c", &sql]);
        assert_eq!(ran.code, Some(1), "{sql}: {ran:?}");
        assert!(!ran.error_line().contains(SECRET), "{ran:?}");
    }
    desk.write("job.sql", &format!("CHECKPOINT one AS SELECT 1 AS a; CHECKPOINT z AS SELECT * FROM '{url}'"));
    let ran = desk.run(&["run", "job.sql"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    keeps_the_secret(&ran);
    assert!(ran.stderr.contains("http://***@127.0.0.1:1/p0.csv?***"), "{ran:?}");
    is_not_stored(&desk.path(".milepost"));
    keeps_the_secret(&desk.run(&["jobs", "job"]));
}

/// The plan of a COPY names its target and options, and those are needed whole when it runs.
#[test]
fn the_plan_of_a_copy_shows_no_secret() {
    let desk = Desk::new();
    let plan = |how: &str, target: &str, options: &str| {
        let sql =
            format!("EXPLAIN {how} COPY (SELECT 1 AS a) TO '{target}' STORED AS CSV OPTIONS ({options})");
        let ran = desk.run(&["--format", "csv", "--maxrows", "inf", "-c", &sql]);
        assert_eq!(ran.code, Some(0), "{sql}: {ran:?}");
        keeps_the_secret(&ran);
        ran.stdout
    };
    let keys = format!(
        "'aws.secret_access_key' '{SECRET}', 'aws.access_key_id' '{SECRET}', 'aws.region' 'eu-1', \
         'format.delimiter' ';'"
    );
    let bucket = format!("s3://AK:{SECRET}@b/x.csv?sig={SECRET}");
    for how in ["FORMAT INDENT", "FORMAT PGJSON", "FORMAT GRAPHVIZ", "VERBOSE"] {
        let shown = plan(how, &bucket, &keys);
        assert!(shown.contains("s3://***@b/x.csv?***") && shown.contains("eu-1"), "{shown}");
    }
    let shown = plan("FORMAT TREE", &format!("http://u:{SECRET}@h/x.csv"), "'format.delimiter' ';'");
    assert!(shown.contains("http://***@h/x.csv"), "{shown}");
    // This one runs, with what was written.
    let ran =
        desk.run(&["-c", "EXPLAIN ANALYZE COPY (SELECT 1 AS a, 2 AS b) TO 'x.csv' OPTIONS (delimiter ';')"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(std::fs::read_to_string(desk.path("x.csv")).unwrap(), "a;b\n1;2\n");
}

#[test]
fn the_definition_of_a_table_or_view_keeps_no_secret() {
    let (desk, server) = (Desk::new(), Server::start());
    let url = format!("http://user:{SECRET}@127.0.0.1:{}/p0.csv", server.port);
    let sql = format!(
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '{url}'; \
         CREATE VIEW v AS SELECT a FROM t WHERE b <> '{url}?sig={SECRET}'; \
         SELECT 1111111 * sum(a) AS works FROM v; \
         SHOW CREATE TABLE t; SHOW CREATE TABLE v; \
         CHECKPOINT leak AS SELECT definition FROM information_schema.views; \
         SET milepost.enabled = false; CHECKPOINT w AS SELECT a FROM t WHERE b <> '{url}'; \
         SELECT definition FROM information_schema.views WHERE table_name = 'w'"
    );
    let ran = desk.run(&["--format", "csv", "--maxrows", "inf", "-c", &sql]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    keeps_the_secret(&ran);
    let place = format!("http://***@127.0.0.1:{}/p0.csv", server.port);
    for shown in [
        "3333333".to_string(),
        format!("LOCATION '{place}'"),
        format!("a FROM t WHERE b <> '{place}?***'"),
        format!("a FROM t WHERE b <> '{place}'"),
    ] {
        assert!(ran.stdout.contains(&shown), "{shown}: {ran:?}");
    }
    is_not_stored(&desk.path(".milepost"));
}
