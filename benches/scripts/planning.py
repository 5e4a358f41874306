#!/usr/bin/env python3
"""What the measured sizes of checkpoints are worth to joins above them.

    cargo build --release -p milepost-cli --bins
    benches/scripts/planning.py MILEPOST TPCH [--rounds 5] [--threads 2]

MILEPOST is the built program, TPCH what `milepost datagen tpch --scale 1 --out TPCH` made. Each join reads some of its rows from a
checkpoint, from Parquet files of the same rows whose counts nobody collected, or computes them; the last one has a checkpoint
and is joined as it is written, or as measured. The ways take turns in another order each round, each in a process of its own
that runs the query three times and counts the fastest. The times are those that the program reports. Prints medians in
milliseconds, and their ratios to the first way.
"""

import argparse
import tempfile
from pathlib import Path

import common

TABLES = ["lineitem", "orders", "customer", "supplier"]
PARTS = {
    # DataFusion takes a fifth of all orders for it; it is 57 of 1.5 million at scale 1.
    "large": "SELECT l_orderkey AS key, sum(l_quantity) AS quantity FROM lineitem GROUP BY l_orderkey"
             " HAVING sum(l_quantity) > 300",
    # As many groups as rows, for all that DataFusion knows: a hundred times as many as there are at scale 1.
    "kinds": "SELECT l_partkey % 60000 AS kind, count(*) AS n FROM lineitem GROUP BY l_partkey % 60000",
    # Half of the largest table, which is no side to build on.
    "half": "SELECT l_suppkey AS key, l_extendedprice AS price FROM lineitem WHERE l_quantity > 25",
}
JOINS = {
    "large orders with their customers":
        ("large", "SELECT count(*), sum(quantity), min(c_name) FROM orders JOIN {part} ON key = o_orderkey"
                  " JOIN customer ON c_custkey = o_custkey"),
    "orders with groups, estimated a hundred times too many":
        ("kinds", "SELECT count(*), sum(n) FROM orders JOIN {part} ON kind = o_custkey % 60000"),
    "half of all lines with their suppliers":
        ("half", "SELECT count(*), sum(price), min(s_name) FROM {part} JOIN supplier ON key = s_suppkey"),
    "large orders with their lines, as written in the wrong order":
        ("large", "SELECT count(*), sum(quantity), min(c_name) FROM lineitem JOIN orders ON o_orderkey = l_orderkey"
                  " JOIN customer ON c_custkey = o_custkey JOIN {part} ON key = o_orderkey"),
}
# What is read, and what is set for it.
WAYS = {
    "checkpoint": ("c_{name}", ""),
    "checkpoint, join_order = measured": ("c_{name}", "SET milepost.join_order = 'measured';"),
    "files without counts": ("p_{name}", ""),
    "computed": ("({query}) AS computed", ""),
}


def make(given, store, plain):
    """Each part as a checkpoint and as files."""
    for name, query in PARTS.items():
        common.milepost(given, store, f"{common.tables(given.tpch, TABLES)}CHECKPOINT c_{name} AS {query};"
                                      f"COPY (SELECT * FROM c_{name}) TO '{plain}/p_{name}/' STORED AS PARQUET")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("tpch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    common.show(common.versions())
    with tempfile.TemporaryDirectory(prefix="milepost-planning-") as work:
        store, plain = Path(work) / "store", Path(work) / "plain"
        make(given, store, plain)
        uncounted = common.tables(plain, [f"p_{name}" for name in PARTS])
        setup = (f"SET datafusion.execution.collect_statistics = false;{uncounted}"
                 f"SET datafusion.execution.collect_statistics = true;{common.tables(given.tpch, TABLES)}")

        def measure(join, way):
            (name, query), (relation, setting) = JOINS[join], WAYS[way]
            part = relation.format(name=name, query=PARTS[name])
            return common.fastest_of_three(given, store, setup + setting, query.format(part=part))

        common.compare(given, JOINS, WAYS, measure)


if __name__ == "__main__":
    main()
