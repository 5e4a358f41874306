#!/usr/bin/env python3
"""What `partition_by` costs when a snapshot is written, and what it spares when it is read.

    cargo build --release -p milepost-cli --bins
    benches/scripts/partitioned.py MILEPOST TPCH [--rounds 7] [--threads 2]

MILEPOST is the built program, TPCH what `milepost datagen tpch --scale 1 --out TPCH` made. lineitem and orders are written as
they are and dealt out by the order's key; then both are joined by it, and lineitem is grouped by it. The ways take turns in
another order each round, each in a process of its own that runs the query three times and counts the fastest. The times are
those that the program reports. Prints medians in milliseconds, and their ratios to the way without buckets.
"""

import argparse
import random
import statistics
import subprocess
import tempfile
from pathlib import Path

import common

KEYS = {"lineitem": "l_orderkey", "orders": "o_orderkey"}
# A large left side is not given to every partition.
BY_PARTITIONS = "".join(
    f"SET datafusion.optimizer.hash_join_single_partition_threshold{end} = 0;" for end in ["", "_rows"])
QUERIES = {
    "join by the key": "SELECT count(*), sum(l_extendedprice), max(o_totalprice) FROM c_lineitem JOIN c_orders"
                       " ON l_orderkey = o_orderkey",
    "group by the key": "SELECT count(*), max(q) FROM (SELECT l_orderkey, sum(l_quantity) AS q FROM c_lineitem"
                        " GROUP BY l_orderkey)",
    "both": "SELECT count(*), max(q) FROM (SELECT o_orderkey, sum(l_quantity * o_totalprice) AS q FROM c_lineitem"
            " JOIN c_orders ON l_orderkey = o_orderkey GROUP BY o_orderkey)",
    "sum of a column": "SELECT sum(l_extendedprice) FROM c_lineitem",
}
WAYS = {
    "plain": ("plain", ""),
    "dealt out": ("dealt", ""),
    "dealt out, read with the exchange": ("dealt", "SET milepost.partitioned_reads = false;"),
}


def write(given, store, dealt):
    subprocess.run(["rm", "-rf", str(store)], check=True)
    total = 0
    for table, key in KEYS.items():
        options = f"WITH (partition_by = '{key}')" if dealt else ""
        out = common.milepost(given, store, f"{common.tables(given.tpch, [table])}"
                              f"CHECKPOINT c_{table} {options} AS SELECT * FROM {table}", "--quiet", "--format", "csv")
        header, row = [line.split(",") for line in out.strip().splitlines()[-2:]]
        total += int(row[header.index("elapsed_ms")])
    return total


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("program")
    arguments.add_argument("tpch")
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--threads", type=int, default=2)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as work:
        stores = {name: Path(work) / name for name in ["plain", "dealt"]}
        written = {name: [] for name in stores}
        reads = {(query, way): [] for query in QUERIES for way in WAYS}
        for _ in range(given.rounds):
            for name in random.sample(list(stores), 2):
                written[name].append(write(given, stores[name], name == "dealt"))
        for _ in range(given.rounds):
            for query, way in random.sample(list(reads), len(reads)):
                store, setting = WAYS[way]
                took, _ = common.fastest_of_three(given, stores[store], BY_PARTITIONS + setting, QUERIES[query])
                reads[query, way].append(took)
    plain = statistics.median(written["plain"])
    for name, times in written.items():
        print(f"written, {name}: {statistics.median(times):.0f} ms, {statistics.median(times) / plain:.2f}")
    for (query, way), times in reads.items():
        median = statistics.median(times)
        print(f"{query}, {way}: {median:.0f} ms, {median / statistics.median(reads[query, 'plain']):.2f}")


if __name__ == "__main__":
    main()
