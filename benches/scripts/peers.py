#!/usr/bin/env python3
"""Writing a result and reading it back: Milepost beside DataFusion, DuckDB, Polars and Spark.

    cargo build --release -p milepost-benches --example case
    pip install duckdb==2.0.0 polars==2.1.0 [pyspark==4.3.0]
    benches/scripts/peers.py CASE TPCH [--rounds 5] [--cases wide,join,agg] [--only NAME,…] [--threads 2] [--json FILE]

CASE is what that builds, target/release/examples/case, TPCH what `milepost datagen tpch --out TPCH` made. Each measurement is a process of its own and times
the statement alone: tables are named and engines started before the clock. The engines take turns, in another
order each round. Prints medians, and the ratio of Milepost to the fastest of the others that write Parquet files.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

SQL = Path(__file__).resolve().parent.parent / "sql"
TABLES = ["lineitem", "orders", "customer"]
WRITERS = ["milepost", "milepost_fsync", "datafusion_drain", "datafusion_copy", "duckdb_copy", "polars_sink",
           "duckdb_ctas", "spark_checkpoint"]
FILES = ["datafusion_copy", "duckdb_copy", "polars_sink"]


def query(name):
    lines = (SQL / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def size_of(path):
    path = Path(path)
    files = [path] if path.is_file() else path.rglob("*.parquet") if path.is_dir() else []
    return sum(file.stat().st_size for file in files)


# What runs in the child processes, one function an engine: (milliseconds, bytes).

def duckdb_connection(data, threads, path=":memory:"):
    import duckdb
    connection = duckdb.connect(path)
    connection.execute(f"SET threads = {threads}")
    for table in TABLES:
        connection.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM '{data}/{table}/*.parquet'")
    return connection


def duckdb_copy(case, data, out, threads):
    connection = duckdb_connection(data, threads)
    began = time.perf_counter()
    connection.execute(f"COPY ({query(case)}) TO '{out}/d.parquet' (FORMAT parquet, COMPRESSION snappy)")
    return time.perf_counter() - began, size_of(out)


def duckdb_ctas(case, data, out, threads):
    connection = duckdb_connection(data, threads, f"{out}/d.duckdb")
    began = time.perf_counter()
    connection.execute(f"CREATE TABLE result AS {query(case)}")
    connection.execute("CHECKPOINT")
    return time.perf_counter() - began, Path(f"{out}/d.duckdb").stat().st_size


def polars_sink(case, data, out, threads):
    import polars
    tables = {table: polars.scan_parquet(f"{data}/{table}/*.parquet") for table in TABLES}
    context = polars.SQLContext(tables, eager=False)
    began = time.perf_counter()
    context.execute(query(case)).sink_parquet(f"{out}/p.parquet", compression="snappy")
    return time.perf_counter() - began, size_of(out)


def spark_checkpoint(case, data, out, threads):
    from pyspark.sql import SparkSession
    session = (SparkSession.builder.master(f"local[{threads}]").config("spark.ui.enabled", "false")
               .config("spark.driver.memory", "8g").config("spark.log.level", "ERROR")
               .config("spark.sql.shuffle.partitions", threads * 2).getOrCreate())
    session.sparkContext.setCheckpointDir(out)
    for table in TABLES:
        session.read.parquet(f"{data}/{table}").createOrReplaceTempView(table)
    session.range(1_000_000).selectExpr("sum(id)").collect()
    began = time.perf_counter()
    session.sql(query(case)).checkpoint()
    elapsed = time.perf_counter() - began
    size = sum(file.stat().st_size for file in Path(out).rglob("*") if file.is_file())
    session.stop()
    return elapsed, size


def duckdb_read(case, data, out, threads, rounds=9):
    import duckdb
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    files = [str(file) for file in Path(out).rglob("*.parquet")]
    connection.execute(f"CREATE VIEW result AS SELECT * FROM read_parquet({files!r})")
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        connection.execute(query(f"read_{case}")).fetchall()
        times.append(time.perf_counter() - began)
    return times


# What the parent does.

class Run:
    def __init__(self, options, work):
        self.options, self.work = options, Path(work)

    def measure(self, engine, case):
        out = self.work / engine
        shutil.rmtree(out, ignore_errors=True)
        if engine.startswith("milepost"):
            durability = "fsync" if engine.endswith("fsync") else "none"
            return self.program("checkpoint", case, out, "--durability", durability)
        if engine == "datafusion_drain":
            return self.program("drain", case, out)
        out.mkdir()
        if engine == "datafusion_copy":
            return self.program("copy", case, out / "c.parquet")
        return self.child([sys.executable, __file__, "--child", engine, case, self.options.data, str(out),
                           str(self.options.threads)])

    def program(self, mode, case, out, *more):
        figures = self.child([self.options.case, mode, "--data", self.options.data, "--sql", f"{SQL}/{case}.sql",
                              "--out", str(out), *more])
        return {**figures, "seconds": figures["ms"][0] / 1000}

    def child(self, command):
        environment = common.environment(self.options.threads, ours=command[0] == self.options.case)
        with tempfile.TemporaryFile() as printed:
            child = subprocess.Popen(command, stdout=printed, stderr=subprocess.DEVNULL, env=environment)
            _, status, usage = os.wait4(child.pid, 0)
            printed.seek(0)
            lines = printed.read().decode().strip().splitlines()
        if status or not lines:
            raise SystemExit(f"failed: {' '.join(command)}")
        cpu = usage.ru_utime + usage.ru_stime
        return {**json.loads(lines[-1]), "peak_mib": usage.ru_maxrss / 1024, "cpu": cpu, "system": usage.ru_stime}

    def read_back(self, case):
        """Milepost and DuckDB over the same files: medians after the first of each."""
        store = self.work / "milepost"
        self.measure("milepost", case)
        ours, theirs = [], []
        for _ in range(self.options.rounds):
            figures = self.child([self.options.case, "read", "--sql", f"{SQL}/read_{case}.sql", "--out", str(store),
                                  "--rounds", "9"])
            ours.append(statistics.median(figures["ms"][1:]))
            figures = self.child([sys.executable, __file__, "--child", "duckdb_read", case, self.options.data,
                                  str(store), str(self.options.threads)])
            theirs.append(statistics.median(figures["times"][1:]) * 1000)
        return {"milepost_ms": statistics.median(ours), "duckdb_ms": statistics.median(theirs)}


def child(arguments):
    engine, case, data, out, threads = arguments
    if engine == "duckdb_read":
        print(json.dumps({"times": duckdb_read(case, data, out, int(threads))}))
    else:
        seconds, size = globals()[engine](case, data, out, int(threads))
        print(json.dumps({"seconds": seconds, "bytes": size}))


def main():
    if sys.argv[1:2] == ["--child"]:
        return child(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default="wide,join,agg")
    parser.add_argument("--only", default=",".join(WRITERS))
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json")
    options = parser.parse_args()
    found = common.versions("duckdb", "polars", "pyspark")
    engines = [engine for engine in options.only.split(",") if engine in WRITERS]
    if not found["pyspark"] and "spark_checkpoint" in engines:
        engines.remove("spark_checkpoint")
    common.show(found)
    report = {"versions": found, "rounds": options.rounds, "threads": options.threads, "cases": {}}
    with tempfile.TemporaryDirectory(prefix="milepost-peers-") as work:
        run, turns = Run(options, work), random.Random(7)
        for case in options.cases.split(","):
            figures = {engine: [] for engine in engines}
            for _ in range(options.rounds):
                # Who comes after whom matters: what one leaves to be written to disk slows the next one down.
                for engine in turns.sample(engines, len(engines)):
                    figures[engine].append(run.measure(engine, case))
            report["cases"][case] = {"write": figures}
            show(case, figures)
            if "milepost" in engines and found["duckdb"]:
                read = run.read_back(case)
                report["cases"][case]["read"] = read
                print(f"  read back: milepost {read['milepost_ms']:.1f} ms, duckdb {read['duckdb_ms']:.1f} ms, "
                      f"ratio {read['milepost_ms'] / read['duckdb_ms']:.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(report, indent=1))


def show(case, figures):
    middle = {engine: statistics.median(f["seconds"] for f in runs) for engine, runs in figures.items() if runs}
    print(f"{case}: seconds (median, min, max), processor seconds (of it in the system), megabytes, peak MiB")
    for engine, seconds in middle.items():
        runs = figures[engine]
        times = [f["seconds"] for f in runs]
        memory = statistics.median(f["peak_mib"] for f in runs)
        cpu, system = (statistics.median(f[key] for f in runs) for key in ("cpu", "system"))
        print(f"  {engine:17} {seconds:7.3f} {min(times):7.3f} {max(times):7.3f}  {cpu:6.2f} ({system:.2f})"
              f"  {runs[0]['bytes'] / 1e6:8.1f}  {memory:7.0f}")
    fastest = min((middle[engine] for engine in FILES if engine in middle), default=None)
    for engine in ("milepost", "milepost_fsync"):
        if fastest and engine in middle:
            print(f"  {engine} against the fastest that writes Parquet: {middle[engine] / fastest:.2f}")
    size = {engine: figures[engine][0]["bytes"] for engine in middle}
    peak = {engine: statistics.median(f["peak_mib"] for f in figures[engine]) for engine in middle}
    if {"milepost", "duckdb_copy"} <= middle.keys():
        print(f"  milepost's bytes against duckdb_copy's: {size['milepost'] / size['duckdb_copy']:.2f}")
    leanest = min((peak[engine] for engine in FILES if engine in middle), default=None)
    if leanest and "milepost" in middle:
        print(f"  milepost's peak memory against the leanest that writes Parquet: {peak['milepost'] / leanest:.2f}")
    if {"milepost", "datafusion_drain"} <= middle.keys():
        print(f"  milepost against draining: {middle['milepost'] / middle['datafusion_drain']:.2f}")


if __name__ == "__main__":
    main()
