#!/usr/bin/env python3
"""Fifty rounds of a loop whose state is kept each round: Milepost beside DuckDB on disk and plain DataFusion.

    cargo build --release -p milepost-benches --example iterate
    pip install duckdb==2.0.0
    benches/scripts/iterate.py ITERATE [--loops pagerank,components] [--rounds 50] [--repeat 3] [--threads 2]

ITERATE is what that builds, target/release/examples/iterate. It makes a graph of 100,000 nodes and 2 million edges first. In DuckDB each round makes a table from
the last one's and ends with its CHECKPOINT statement, in Milepost it makes a checkpoint (both sync), in DataFusion it writes a Parquet
file (which nothing syncs). The engines take turns. Prints the seconds of all rounds, medians, and whether the last states agree.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

SQL = Path(__file__).resolve().parent.parent / "sql"
ENGINES = ["milepost", "duckdb", "parquet"]


def query(name):
    lines = (SQL / f"{name}.sql").read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith("--"))


def duckdb_loop(loop, graph, out, rounds, threads):
    import duckdb
    connection = duckdb.connect(f"{out}/loop.duckdb")
    connection.execute(f"SET threads = {threads}")
    for table in ("nodes", "links"):
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM '{graph}/{table}/*.parquet'")
    connection.execute(f"CREATE TABLE state AS {query(loop + '_first')}")
    connection.execute("CHECKPOINT")
    round_sql, times = query(f"{loop}_round"), []
    for _ in range(rounds):
        began = time.perf_counter()
        connection.execute(f"CREATE TABLE next AS {round_sql}")
        connection.execute("DROP TABLE state")
        connection.execute("ALTER TABLE next RENAME TO state")
        connection.execute("CHECKPOINT")
        times.append((time.perf_counter() - began) * 1000)
    column = "rank" if loop == "pagerank" else "component"
    check, = connection.execute(f"SELECT sum({column} * (node % 7 + 1)) FROM state").fetchone()
    return {"ms": times, "check": float(check)}


def measure(options, engine, loop, graph, work):
    out = work / engine
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    if engine == "duckdb":
        command = [sys.executable, __file__, "--child", loop, str(graph), str(out), str(options.rounds), str(options.threads)]
    else:
        mode = "checkpoint" if engine == "milepost" else engine
        command = [options.iterate, mode, "--graph", str(graph), "--loop", loop, "--out", str(out), "--rounds",
                   str(options.rounds)]
    environment = common.environment(options.threads, ours=engine != "duckdb")
    printed = subprocess.run(command, capture_output=True, text=True, env=environment)
    if printed.returncode:
        raise SystemExit(f"failed: {' '.join(command)}\n{printed.stderr}")
    return json.loads(printed.stdout.strip().splitlines()[-1])


def main():
    if sys.argv[1:2] == ["--child"]:
        loop, graph, out, rounds, threads = sys.argv[2:]
        return print(json.dumps(duckdb_loop(loop, graph, out, int(rounds), int(threads))))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iterate")
    parser.add_argument("--loops", default="pagerank,components")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    common.show(common.versions("duckdb"))
    with tempfile.TemporaryDirectory(prefix="milepost-iterate-") as folder:
        work = Path(folder)
        graph = work / "graph"
        subprocess.run([options.iterate, "graph", "--out", str(graph)], check=True)
        for loop in options.loops.split(","):
            runs = {engine: [] for engine in ENGINES}
            for turn in range(options.repeat):
                for place in range(len(ENGINES)):
                    engine = ENGINES[(turn + place) % len(ENGINES)]
                    runs[engine].append(measure(options, engine, loop, graph, work))
            show(loop, runs)


def show(loop, runs):
    checks = [run["check"] for found in runs.values() for run in found]
    agree = all(abs(check - checks[0]) <= 1e-9 * abs(checks[0]) for check in checks)
    print(f"{loop}: last states {'agree' if agree else f'DIFFER: {checks}'}")
    middle = {}
    for engine, found in runs.items():
        totals = [sum(run["ms"]) / 1000 for run in found]
        middle[engine] = statistics.median(totals)
        third = statistics.median(run["ms"][2] for run in found)
        last = statistics.median(run["ms"][-1] for run in found)
        planning = [run["planning"] for run in found if "planning" in run]
        grown = (f", planning {statistics.median(p[-1] for p in planning) / statistics.median(p[2] for p in planning):.2f}"
                 if planning else "")
        print(f"  {engine:9} {middle[engine]:6.2f} s (min {min(totals):.2f}, max {max(totals):.2f}); round 3 {third:.0f} ms, "
              f"last round {last:.0f} ms: {last / third:.2f}{grown}")
    print(f"  milepost against duckdb: {middle['milepost'] / middle['duckdb']:.2f}, "
          f"against parquet: {middle['milepost'] / middle['parquet']:.2f}")


if __name__ == "__main__":
    main()
