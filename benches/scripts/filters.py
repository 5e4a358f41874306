#!/usr/bin/env python3
"""When it pays to decode a filter's column first, and of the others only what it leaves.

    cargo build --release -p milepost-cli --bins
    benches/scripts/filters.py MILEPOST TPCH [--rounds 5] [--threads 2]

MILEPOST is the built program, TPCH what `milepost datagen tpch --scale 1 --out TPCH` made. All of lineitem is a checkpoint. Rows with
one value of a column are read from it, where Milepost chooses by the measured count of different values, and from its files as
any Parquet files with `pushdown_filters` off and on. The ways take turns in another order each round, each in a process
of its own that runs the query three times and counts the fastest. The times are those that the program reports. Prints medians in
milliseconds, and their ratios to the first way.
"""

import argparse
import tempfile
from pathlib import Path

import common

ALL = ("count(*), sum(l_extendedprice), min(l_shipinstruct), max(l_shipmode), min(l_comment), max(l_partkey), max(l_suppkey),"
       " sum(l_tax), min(l_commitdate)")
FILTERS = {
    "200,000 values": "l_partkey = 77777",
    "2,500 values": "l_shipdate = DATE '1995-06-17'",
    "50 values": "l_quantity = 17",
    "7 values": "l_shipmode = 'AIR'",
}
WAYS = {
    "files, decoded whole": ("files", "false"),
    "files, the filter's column first": ("files", "true"),
    "checkpoint": ("c_lineitem", None),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("tpch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    common.show(common.versions())
    with tempfile.TemporaryDirectory(prefix="milepost-filters-") as work:
        store, files = Path(work) / "store", Path(work) / "files"
        common.milepost(given, store, f"{common.tables(given.tpch, ['lineitem'])}CHECKPOINT c_lineitem AS SELECT * FROM lineitem")
        files.mkdir()
        for file in store.rglob("*.parquet"):
            (files / file.name).symlink_to(file)

        def measure(question, way):
            relation, first = WAYS[way]
            setting = f"SET datafusion.execution.parquet.pushdown_filters = {first};" if first else ""
            return common.fastest_of_three(given, store, setting + common.tables(work, ["files"]),
                                           f"SELECT {ALL} FROM {relation} WHERE {FILTERS[question]}")

        common.compare(given, FILTERS, WAYS, measure)


if __name__ == "__main__":
    main()
