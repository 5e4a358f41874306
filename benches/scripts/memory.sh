#!/usr/bin/env bash
# The memory that a checkpoint larger than the memory limit takes: all of lineitem, and much of it under a small limit.
#
#   benches/scripts/memory.sh MILEPOST TPCH_FOLDER [LIMIT]
#
# MILEPOST is the built program, TPCH_FOLDER what `milepost datagen tpch --scale 10 --out TPCH_FOLDER` made, LIMIT 2g by
# default. Prints the largest resident size of the process for a plain copy and a join of lineitem, and for copies under a limit
# of 20m: the goal is the limit and 500 MB.
set -euo pipefail
milepost=$1 data=$2 limit=${3:-2g}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tables="CREATE EXTERNAL TABLE lineitem STORED AS PARQUET LOCATION '$data/lineitem/';
        CREATE EXTERNAL TABLE orders STORED AS PARQUET LOCATION '$data/orders/'"
measure() {
    /usr/bin/time -f "$1 under $limit: %M KiB at most, %e s" "$milepost" --memory-limit "$limit" --store "$work/store" --quiet --format csv \
        -c "$tables; CHECKPOINT $1 AS $2"
}
measure copied "SELECT * FROM lineitem"
measure joined "SELECT l.*, o_orderdate, o_totalprice FROM lineitem AS l JOIN orders ON l_orderkey = o_orderkey"
limit=20m
measure first_rows "SELECT * FROM lineitem LIMIT 5000000"
measure twice "SELECT * FROM lineitem UNION ALL SELECT * FROM lineitem"
