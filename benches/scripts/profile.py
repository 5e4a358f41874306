#!/usr/bin/env python3
"""Where the processor time of a checkpoint goes: what `perf` finds, by the kind of work.

    cargo build --release -p milepost-benches --example case
    apt-get install linux-perf
    benches/scripts/profile.py CASE TPCH [--query wide] [--mode checkpoint|read] [--rounds 5] [--symbols 40]

CASE is what that builds, target/release/examples/case, TPCH what `milepost datagen tpch --out TPCH` made. Runs benches/sql/QUERY.sql so
often under `perf record`, or with `--mode read` the query read_QUERY over a checkpoint of it, and prints the part of all samples in
each kind of work, then the symbols with the most samples.
"""

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path

import common

SQL = Path(__file__).resolve().parent.parent / "sql"

# The first that a symbol matches counts. The system's own functions are told by where they run.
KINDS = [
    ("Snappy", r"\bsnap::|snappy"),
    ("checksums", r"blake3"),
    ("content's hash and counts of different values", r"milepost_store::(content|words)|distinct::|xxh3|xxhash"),
    ("bounds", r"statistics::bounds|min_max|compare_greater|update_min|update_max"),
    ("statistics, the rest", r"milepost_store::statistics"),
    ("dictionaries", r"[Ii]nterner|DictEncoder|dict_encoder|dictionary"),
    ("packing and unpacking numbers", r"DeltaBitPack|BitWriter|bit_util|RleEncoder|ByteStreamSplitEncoder"),
    ("writing columns, the rest", r"arrow_writer|column::writer|encodings::encoding|levels"),
    ("grouping and summing", r"aggregate|group_values|GroupValues|accumulat|hash_utils"),
    ("joining", r"joins::|hash_join|JoinHashMap"),
    ("reading", r"arrow_reader|encodings::decoding|column::reader|array_reader|RleDecoder|BitReader|Decoder"),
    ("filtering and gathering", r"arrow_select|filter|coalesce|take|interleave|concat|arrow_ord|arrow_cast|arrow_arith"),
    ("copying", r"memcpy|memmove|memset|__mem"),
    ("allocating", r"malloc|calloc|realloc|_int_free|\bfree\b|cfree"),
]


def sampled(given, work):
    store, data = work / "store", work / "perf.data"
    command = [given.case, given.mode, "--data", given.tpch, "--out", str(store)]
    query = given.query if given.mode == "checkpoint" else f"read_{given.query}"
    if given.mode == "read":
        subprocess.run([given.case, "checkpoint", "--data", given.tpch, "--out", str(store), "--sql", f"{SQL}/{given.query}.sql"],
                       check=True, stdout=subprocess.DEVNULL, env=common.environment(given.threads))
        command += ["--rounds", "50"]
    for round_ in range(given.rounds):
        if given.mode == "checkpoint":
            subprocess.run(["rm", "-rf", str(store)], check=True)
        subprocess.run(["perf", "record", "-q", "-F", "1999", "-o", f"{data}.{round_}", *command, "--sql", f"{SQL}/{query}.sql"],
                       check=True, stdout=subprocess.DEVNULL, env=common.environment(given.threads))
        out = subprocess.run(["perf", "script", "-i", f"{data}.{round_}", "-F", "ip,sym,dso"], check=True, capture_output=True,
                             text=True).stdout
        yield from (line.strip().split(" ", 1)[1] for line in out.splitlines() if " " in line.strip())


def kind_of(symbol):
    if re.search(r"\(\[kernel|\(\[guest", symbol):
        return "the system"
    return next((kind for kind, pattern in KINDS if re.search(pattern, symbol)), "the rest")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("tpch")
    parser.add_argument("--query", default="wide")
    parser.add_argument("--mode", default="checkpoint", choices=["checkpoint", "read"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--symbols", type=int, default=40)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    given = parser.parse_args()
    common.show(common.versions())
    kinds, symbols, all_samples = {}, {}, 0
    with tempfile.TemporaryDirectory(prefix="milepost-profile-") as work:
        for symbol in sampled(given, Path(work)):
            all_samples += 1
            kind = kind_of(symbol)
            kinds[kind] = kinds.get(kind, 0) + 1
            symbols[kind, symbol] = symbols.get((kind, symbol), 0) + 1
    print(f"{given.query}, {given.mode}: {all_samples} samples of {given.rounds} runs")
    for kind, count in sorted(kinds.items(), key=lambda found: -found[1]):
        print(f"  {100 * count / all_samples:5.1f}%  {kind}")
    for (kind, symbol), count in sorted(symbols.items(), key=lambda found: -found[1])[:given.symbols]:
        print(f"  {100 * count / all_samples:5.1f}%  {symbol[:110]}  [{kind}]")


if __name__ == "__main__":
    main()
